//! What the tests of experiments have in common.

use crate::{Case, CutShort, Experiment, How, Observer, Repetitions, Subject, Test, Warmups};
use pacemark_backend::Backend;
use pacemark_record::Trial;
use std::sync::atomic::AtomicBool;

/// An experiment that is repeated so often, with a warm-up or without.
pub(crate) struct Repeated<'a>(pub &'a dyn Experiment, pub usize, pub Warmups);

impl Repeated<'_> {
    /// Measures the test.
    pub(crate) fn run(
        &self,
        backends: &[&dyn Backend],
        test: &Test,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Vec<Trial>, CutShort> {
        let &Repeated(experiment, repetitions, warmup) = self;
        let repetitions = Repetitions::exactly(repetitions);
        let mut how = How { repetitions, warmup, seed: 1, observer, stop };
        let case = Case::Test(test.clone());
        experiment.measure(&case, &mut Subject::Backends(backends), &mut how)
    }
}
