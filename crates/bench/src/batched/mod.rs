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

use crate::experiment::{Case, How, Subject, metric_of, mismatch};
use crate::metrics::{BATCH_COMPARED, BATCH_METRICS, DECODE_RATE};
use crate::repeat::{self, CutShort, MAX_GENERATED, Repeat};
use crate::{BenchError, Experiment, Grid, Observer, Test};
use pacemark_backend::{Backend, Event, GenerateRequest, TokenId};
use pacemark_record::rng::SplitMix64;
use pacemark_record::{Metric, Sample, Series, Trial};
use pacemark_report::Form;
use pacemark_report::layout::BATCHED_BENCH;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Several sequences at once.
pub struct Batched;

impl Experiment for Batched {
    fn name(&self) -> &'static str {
        "batched"
    }

    fn help(&self) -> &'static str {
        "several sequences at once, llama-batched-bench's table"
    }

    fn cases(&self, grid: &Grid) -> Vec<Case> {
        grid.combinations().into_iter().map(Case::Test).collect()
    }

    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Test(test), Subject::Backends(backends)) = (case, subject) else {
            return Err(mismatch(self));
        };
        repeat::measure(self.name(), test, backends, how, |backend, seed, stop| {
            Batch::new(backend, test, seed, stop)
        })
    }

    fn metrics(&self) -> &'static [Metric] {
        BATCH_METRICS
    }

    fn headline(&self) -> Option<&'static Metric> {
        metric_of(BATCH_METRICS, &DECODE_RATE)
    }

    fn compared(&self) -> &'static [&'static Series] {
        BATCH_COMPARED
    }

    fn form(&self) -> &'static Form {
        &BATCHED_BENCH
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
    /// What of the keys and values is kept.
    kv: Option<String>,
    stop: &'a AtomicBool,
}

impl<'a> Batch<'a> {
    fn new(
        backend: &'a dyn Backend,
        test: &Test,
        seed: u64,
        stop: &'a AtomicBool,
    ) -> Result<Self, BenchError> {
        let info = backend.info();
        if !backend.capabilities().batch {
            return Err(BenchError::NoBatches { backend: info.backend });
        }
        Ok(Batch {
            backend,
            n_parallel: test.n_parallel.unwrap_or(1),
            // A sequence begins with a token.
            n_prompt: test.n_prompt.max(1),
            n_gen: test.n_gen,
            bos: info.bos,
            n_vocab: info.vocab_size.max(2),
            rng: SplitMix64::new(seed),
            kv: test.kv.clone(),
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
            GenerateRequest {
                prompt,
                max_tokens,
                ignore_eos: true,
                kv: self.kv.clone(),
                ..GenerateRequest::default()
            }
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
                Event::Finished { usage, .. } if usage.cached_tokens > 0 => {
                    let found = usage.cached_tokens;
                    return Err(BenchError::CachedTokens { expected: 0, found });
                }
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
