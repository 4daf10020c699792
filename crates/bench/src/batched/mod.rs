//! Several sequences at once: llama-batched-bench's table, timed from the backend's own stamps.
//!
//! One repetition gives the backend B prompts of PP random tokens and has TG tokens generated after
//! the first of each:
//!
//! | time | from | to | counts |
//! |---|---|---|---|
//! | T_PP | the first sequence starts | every sequence has its first token | B · PP prompt tokens |
//! | T_TG | there | the last token | B · TG generated tokens |
//!
//! A backend that lets some sequences generate while others are still in their prompts would be
//! credited with tokens that fell into T_PP: they are counted apart (`early_tokens`) and left out
//! of the rate of T_TG.

use crate::repeat::{self, CutShort, Plan, Repeat};
use crate::warmup::MAX_GENERATED;
use crate::{BenchError, Experiment, Observer, Params};
use pacemark_backend::{Backend, Event, GenerateRequest, TokenId};
use pacemark_record::rng::SplitMix64;
use pacemark_record::{Sample, Trial};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Its row in [`crate::EXPERIMENTS`].
pub const EXPERIMENT: Experiment =
    Experiment { name: "batched", help: "several sequences at once, llama-batched-bench's table" };

/// How each batch is measured.
#[derive(Clone, Copy, Debug)]
pub struct Batched {
    /// Counted repetitions.
    pub repetitions: usize,
    /// Run before counting until two runs agree.
    pub warmup: bool,
    /// Start of the random tokens.
    pub seed: u64,
}

impl Batched {
    /// Measures one batch on every backend, in turn. `n_prompt`, `n_gen` and `n_parallel` among
    /// `params` say what to compute.
    pub fn run(
        &self,
        backends: &[&dyn Backend],
        params: &Params,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Vec<Trial>, CutShort> {
        let trial = Trial {
            experiment: EXPERIMENT.name.to_owned(),
            params: params.clone(),
            ..Trial::default()
        };
        let plan = Plan { repetitions: self.repetitions, warmup: self.warmup };
        repeat::measure(plan, backends, &trial, observer, |backend| {
            Batch::new(backend, &trial, self.seed, stop)
        })
    }
}

/// A batch that can be run again and again.
struct Batch<'a> {
    backend: &'a dyn Backend,
    n_parallel: usize,
    n_prompt: usize,
    n_gen: usize,
    bos: Option<TokenId>,
    n_vocab: usize,
    rng: SplitMix64,
    stop: &'a AtomicBool,
}

impl<'a> Batch<'a> {
    fn new(
        backend: &'a dyn Backend,
        trial: &Trial,
        seed: u64,
        stop: &'a AtomicBool,
    ) -> Result<Self, BenchError> {
        let info = backend.info();
        if !backend.capabilities().batch {
            return Err(BenchError::NoBatches { backend: info.backend });
        }
        let count = |name| trial.count(name) as usize;
        Ok(Batch {
            backend,
            n_parallel: trial.n_parallel() as usize,
            // A sequence begins with a token.
            n_prompt: count("n_prompt").max(1),
            n_gen: count("n_gen"),
            bos: info.bos,
            n_vocab: info.vocab_size.max(2),
            rng: SplitMix64::new(seed),
            stop,
        })
    }

    fn n_gen(&self, brief: bool) -> usize {
        if brief { self.n_gen.min(MAX_GENERATED) } else { self.n_gen }
    }

    fn requests(&mut self, max_tokens: usize) -> Vec<GenerateRequest> {
        let mut request = || {
            let mut prompt: Vec<TokenId> =
                (0..self.n_prompt).map(|_| self.rng.below(self.n_vocab) as TokenId).collect();
            prompt[0] = self.bos.unwrap_or(prompt[0]);
            GenerateRequest { prompt, max_tokens, ignore_eos: true, ..GenerateRequest::default() }
        };
        (0..self.n_parallel).map(|_| request()).collect()
    }
}

impl Repeat for Batch<'_> {
    fn n_tokens(&self, brief: bool) -> usize {
        self.n_parallel * (self.n_prompt + self.n_gen(brief))
    }

    fn prepare(&mut self, _: &mut dyn Observer) -> Result<(), BenchError> {
        Ok(())
    }

    fn once(&mut self, _: &mut dyn Observer, brief: bool) -> Result<Sample, BenchError> {
        // The first token comes out of the prompt's last logits.
        let max_tokens = self.n_gen(brief) + 1;
        let requests = self.requests(max_tokens);
        let mut started: Option<Instant> = None;
        let mut tokens: Vec<Vec<Instant>> = vec![Vec::with_capacity(max_tokens); self.n_parallel];
        for (index, event) in self.backend.generate_batch(requests) {
            match event {
                Event::Started { at, .. } => {
                    started = Some(started.map_or(at, |first| first.min(at)))
                }
                Event::Token { at, .. } => tokens[index].push(at),
                Event::Failed(error) => return Err(error.into()),
                Event::Queued { .. } | Event::Prefill { .. } | Event::Finished { .. } => {}
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(BenchError::Interrupted);
            }
        }
        let fewest = tokens.iter().map(Vec::len).min().unwrap_or(0);
        let Some(started) = started.filter(|_| fewest == max_tokens) else {
            return Err(BenchError::TooFewTokens { expected: max_tokens, found: fewest });
        };
        Ok(sample(started, &tokens))
    }
}

/// From the stamps of all sequences, each of which has a token.
fn sample(started: Instant, tokens: &[Vec<Instant>]) -> Sample {
    let ns = |from: Instant, to: Instant| to.saturating_duration_since(from).as_nanos() as u64;
    let all_have_one = tokens.iter().filter_map(|t| t.first()).max().copied().unwrap_or(started);
    let last = tokens.iter().filter_map(|t| t.last()).max().copied().unwrap_or(started);
    let later = tokens.iter().flat_map(|t| t.iter().skip(1));
    Sample {
        elapsed_ns: ns(started, last),
        ttft_ns: Some(ns(started, all_have_one)),
        gaps_ns: tokens
            .iter()
            .flat_map(|t| t.windows(2))
            .map(|pair| ns(pair[0], pair[1]))
            .collect(),
        cached_tokens: 0,
        early_tokens: later.filter(|at| **at <= all_have_one).count() as u64,
    }
}

#[cfg(test)]
mod tests;
