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

use crate::experiment::{Case, How, Subject, metric_of, mismatch};
use crate::metrics::{COMPARED, METRICS, RATE};
use crate::repeat::{self, CutShort};
use crate::{Experiment, Grid};
use pacemark_record::{Metric, Series, Trial};
use pacemark_report::Form;
use pacemark_report::layout::LLAMA_BENCH;
use workload::Workload;

/// Prompt and generation rate.
pub struct Throughput;

impl Experiment for Throughput {
    fn name(&self) -> &'static str {
        "throughput"
    }

    fn help(&self) -> &'static str {
        "prompt and generation rate, llama-bench's tests"
    }

    fn cases(&self, grid: &Grid) -> Vec<Case> {
        grid.tests().into_iter().map(Case::Test).collect()
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
            Workload::new(backend, test, seed, stop)
        })
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn headline(&self) -> Option<&'static Metric> {
        metric_of(METRICS, &RATE)
    }

    fn compared(&self) -> &'static [&'static Series] {
        COMPARED
    }

    fn form(&self) -> &'static Form {
        &LLAMA_BENCH
    }
}

#[cfg(test)]
mod tests;
