//! Who watches a measurement.

use crate::Test;
use pacemark_record::{Sample, Trial, Warmup};
use std::ops::ControlFlow;

/// What a trial is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Filling the KV cache to the test's depth.
    Depth,
    /// A run that is not counted, from 1.
    Warmup(usize),
    /// A counted repetition, from 1.
    Repetition(usize),
}

/// Told of everything that happens, while nothing is timed. All bodies are empty: implement what
/// you care about.
pub trait Observer {
    /// A test begins.
    fn trial_started(&mut self, test: &Test) {
        let _ = test;
    }
    /// What comes next is of this one of several that are measured in turn, a backend or a method.
    fn turn(&mut self, backend: &str) {
        let _ = backend;
    }
    /// It does the next thing.
    fn phase(&mut self, phase: Phase) {
        let _ = phase;
    }
    /// Its warm-up is over.
    fn warmed_up(&mut self, warmup: &Warmup) {
        let _ = warmup;
    }
    /// A repetition is complete.
    fn sample(&mut self, sample: &Sample) {
        let _ = sample;
    }
    /// All that is compared was measured once more: what there is until now.
    fn round(&mut self, trials: &[Trial]) {
        let _ = trials;
    }
    /// A test is complete, or was cut short with something measured.
    fn trial_finished(&mut self, trial: &Trial) {
        let _ = trial;
    }
    /// Text of a generation came; [`ControlFlow::Break`] where nobody wants more.
    fn text(&mut self, text: &str) -> ControlFlow<()> {
        let _ = text;
        ControlFlow::Continue(())
    }
    /// So many tokens of so many of a text are computed.
    fn computed(&mut self, done: usize, of: usize) {
        let _ = (done, of);
    }
    /// A chunk of a text is scored: how many of how many, and the perplexity so far.
    fn chunk(&mut self, done: usize, of: usize, running: f64) {
        let _ = (done, of, running);
    }
}

/// Watches nothing.
pub struct Silent;

impl Observer for Silent {}
