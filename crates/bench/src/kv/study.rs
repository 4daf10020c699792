//! What the study does: its methods measured in turn on stretches of a text.
//!
//! Each round is one stretch, all methods in turn; every other round goes the other way, so that
//! whatever slows the machine meets all alike (metrics.md, rule 7). The first time a stretch comes it
//! is scored, too: that is exact and needs no repetition.

use super::generate::generate;
use super::method::Method;
use super::score::{Piece, score};
use crate::Warmups;
use crate::experiment::{How, Text};
use crate::parameter::{KV, N_PROMPT, N_THREADS, TYPE_K, TYPE_V};
use crate::repeat::{MAX_GENERATED, in_turns, now_unix_s};
use crate::{BenchError, Params, Phase, describe};
use pacemark_backend::{Backend, BackendInfo, GenerateRequest, TokenId};
use pacemark_record::{Measured, ScoredText, Texts, Trial, Warmup};
use pacemark_setup::Setup;
use serde_json::Value;
use std::time::Instant;

/// What is compared, and on what.
#[derive(Clone, Debug, Default)]
pub struct Study {
    /// The methods that are measured in turn, all of one type of cache.
    pub methods: Vec<Method>,
    /// Stretches of the text.
    pub n_samples: usize,
    /// Tokens of a stretch, the beginning token included where the model wants one.
    pub n_tokens: usize,
    /// The last of them, that are not read but generated where time is measured.
    pub n_gen: usize,
    /// The first of them that are a prompt and not scored, where answers are measured.
    pub n_prompt: Option<usize>,
    /// How the model is loaded and run.
    pub setup: Setup,
    /// The text's name.
    pub file: String,
    /// The methods are not compared with the first of them: it is no baseline.
    pub apart: bool,
}

/// The experiment's name.
pub(super) const EXPERIMENT: &str = "kv";

/// Recorded parameters that no other experiment has.
pub(super) const METHOD: &str = "method";
pub(super) const GROUP: &str = "group";
pub(super) const N_TOKENS: &str = "n_tokens";
pub(super) const N_SAMPLES: &str = "n_samples";
pub(super) const EVAL_PROMPT: &str = "eval_prompt";

impl Study {
    /// How many stretches a text of so many tokens has room for, if its first `lead` begin each.
    pub(super) fn room(&self, n_text: usize, lead: usize) -> usize {
        n_text.saturating_sub(lead) / self.n_tokens.saturating_sub(lead).max(1)
    }

    /// A stretch: the beginning token where there is one, then the text where the stretch before it
    /// ended.
    pub(super) fn stretch(&self, text: &[TokenId], lead: usize, index: usize) -> Vec<TokenId> {
        let n = self.n_tokens - lead;
        let from = lead + index * n;
        [&text[..lead], &text[from..from + n]].concat()
    }

    fn params(&self, method: &Method, backend: &BackendInfo) -> Params {
        let [type_k, type_v] = method.cache.names();
        let recorded: [(&str, Value); 12] = [
            (METHOD, method.name.as_str().into()),
            (KV.name, method.kv.as_str().into()),
            (TYPE_K.name, type_k.into()),
            (TYPE_V.name, type_v.into()),
            (GROUP, method.group.name().into()),
            (N_SAMPLES, self.n_samples.into()),
            (N_TOKENS, self.n_tokens.into()),
            (N_PROMPT.name, (self.n_tokens - self.n_gen).into()),
            ("n_gen", self.n_gen.into()),
            (EVAL_PROMPT, self.n_prompt.into()),
            (N_THREADS.name, backend.n_threads.into()),
            ("file", self.file.as_str().into()),
        ];
        recorded.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    pub(super) fn trials(&self, info: &BackendInfo, repetitions: usize) -> Vec<Trial> {
        let trial = |(turn, method): (usize, &Method)| Trial {
            experiment: EXPERIMENT.to_owned(),
            started_unix_s: now_unix_s(),
            model: describe(info),
            params: self.params(method, info),
            repetitions,
            turn: if self.apart { 0 } else { turn as u64 },
            notes: method.unscored.iter().cloned().collect(),
            measured: Measured::Texts(Texts::default()),
            ..Trial::default()
        };
        self.methods.iter().enumerate().map(trial).collect()
    }

    /// The request that a method's time is taken of.
    fn request(&self, stretch: &[TokenId], method: &Method, n_gen: usize) -> GenerateRequest {
        GenerateRequest {
            prompt: stretch[..self.n_tokens - self.n_gen].to_vec(),
            max_tokens: n_gen,
            ignore_eos: true,
            kv: Some(method.kv.clone()),
            ..GenerateRequest::default()
        }
    }

    /// One run that is not counted.
    fn warm_up(
        &self,
        backend: &dyn Backend,
        stretch: &[TokenId],
        how: &mut How<'_>,
    ) -> Result<Warmup, BenchError> {
        let Some(method) = self.methods.first() else { return Ok(Warmup::default()) };
        how.observer.phase(Phase::Warmup(1));
        how.observer.turn(&method.name);
        let n_gen = self.n_gen.min(MAX_GENERATED);
        let began = Instant::now();
        generate(backend, self.request(stretch, method, n_gen), how.stop)?;
        let n_tokens = (self.n_tokens - self.n_gen + n_gen) as u64;
        let elapsed_ns = vec![began.elapsed().as_nanos() as u64];
        Ok(Warmup { n_tokens, elapsed_ns, settled: true })
    }

    /// Scores a stretch, the first time, and continues it.
    fn once(
        &self,
        text: &Text<'_>,
        (index, stretch): (usize, &[TokenId]),
        method: &Method,
        is_first: bool,
        how: &mut How<'_>,
    ) -> Result<ScoredText, BenchError> {
        let mut measured = ScoredText { index: index as u64, ..ScoredText::default() };
        if is_first && method.unscored.is_none() {
            let piece = Piece {
                index: index as u64,
                tokens: stretch,
                n_prompt: self.n_prompt,
                kv: Some(&method.kv),
            };
            let observer = &mut *how.observer;
            measured = score(text.backend, &piece, how.stop, &mut |computed, of| {
                observer.computed(computed, of);
            })?;
            // Scores of a part are of other tokens than the others' are.
            if measured.logprobs.len() < self.n_tokens - self.n_prompt.unwrap_or(1) {
                return Err(BenchError::Interrupted);
            }
        }
        let request = self.request(stretch, method, self.n_gen);
        measured.continued = Some(generate(text.backend, request, how.stop)?);
        Ok(measured)
    }

    /// All rounds, into the trials.
    pub(super) fn rounds(
        &self,
        text: &Text<'_>,
        lead: usize,
        trials: &mut [Trial],
        how: &mut How<'_>,
    ) -> Result<(), BenchError> {
        if how.warmup != Warmups::None {
            let warmup = self.warm_up(text.backend, &self.stretch(text.tokens, lead, 0), how)?;
            trials.iter_mut().for_each(|trial| trial.warmup = warmup.clone());
        }
        let n_rounds = how.repetitions.least.saturating_mul(self.n_samples);
        for round in 0..n_rounds {
            let index = round % self.n_samples;
            let stretch = self.stretch(text.tokens, lead, index);
            how.observer.phase(Phase::Repetition(round + 1));
            for at in in_turns(round + 1, self.methods.len()) {
                let method = &self.methods[at];
                how.observer.turn(&method.name);
                let is_first = round < self.n_samples;
                let found = self.once(text, (index, &stretch), method, is_first, how)?;
                if let Measured::Texts(texts) = &mut trials[at].measured {
                    texts.texts.push(found);
                }
            }
            how.observer.round(trials);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_follow_one_another_and_each_begins_as_the_model_wants() {
        let study = Study { n_tokens: 4, ..Study::default() };
        let text: Vec<TokenId> = (0..13).collect();
        assert_eq!(study.room(text.len(), 0), 3);
        assert_eq!(study.stretch(&text, 0, 2), [8, 9, 10, 11]);
        assert_eq!(study.room(text.len(), 1), 4);
        assert_eq!(study.stretch(&text, 1, 0), [0, 1, 2, 3]);
        assert_eq!(study.stretch(&text, 1, 3), [0, 10, 11, 12]);
        assert_eq!((study.room(0, 1), study.room(3, 0)), (0, 0));
    }
}
