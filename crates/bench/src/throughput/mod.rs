//! How fast prompts are computed and tokens generated: llama-bench's tests, timed from the
//! backend's own stamps.
//!
//! One repetition of a test at depth d computes, as llama-bench does, on top of d tokens that are
//! in the KV cache:
//!
//! | test | computed and timed | ends with |
//! |---|---|---|
//! | `ppN` | N prompt tokens, logits of the last | the first token |
//! | `tgN` | N tokens one after the other | the N-th token |
//! | `ppN+tgM` | N prompt tokens, then M one after the other | the M+1-th token |
//!
//! Tokens are random (seeded), at the start of the sequence BOS where the model wants one. Unlike
//! llama-bench, which feeds random tokens, generation feeds the most likely token back: choosing it
//! and turning it to text are within the time.

mod workload;

use crate::repeat::{self, CutShort, Plan};
use crate::{Experiment, Observer, Params};
use pacemark_backend::Backend;
use pacemark_record::Trial;
use std::sync::atomic::AtomicBool;
use workload::Workload;

/// Its row in [`crate::EXPERIMENTS`].
pub const EXPERIMENT: Experiment =
    Experiment { name: "throughput", help: "prompt and generation rate, llama-bench's tests" };

/// How each test is measured.
#[derive(Clone, Copy, Debug)]
pub struct Throughput {
    /// Counted repetitions.
    pub repetitions: usize,
    /// Run before counting until two runs agree.
    pub warmup: bool,
    /// Start of the random tokens.
    pub seed: u64,
}

impl Throughput {
    /// Measures one test on every backend, in turn; a trial for each, in their order. `params` are
    /// kept in the record; `n_prompt`, `n_gen` and `n_depth` among them say what to compute.
    ///
    /// `stop` is looked at between the events of a request.
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
            Workload::new(backend, &trial, self.seed, stop)
        })
    }
}

#[cfg(test)]
mod tests;
