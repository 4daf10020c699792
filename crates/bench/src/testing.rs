//! What the tests of experiments have in common.

use crate::{Case, CutShort, Experiment, How, Observer, Params, Repetitions, Subject, Test};
use pacemark_backend::Backend;
use pacemark_record::Trial;
use std::sync::atomic::AtomicBool;

/// Parameters that are whole numbers.
pub(crate) fn params(values: &[(&str, u64)]) -> Params {
    values.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect()
}

/// An experiment that is repeated so often, with a warm-up or without.
pub(crate) struct Repeated<'a>(pub &'a dyn Experiment, pub usize, pub bool);

impl Repeated<'_> {
    /// Measures the test of these parameters.
    pub(crate) fn run(
        &self,
        backends: &[&dyn Backend],
        params: &Params,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Vec<Trial>, CutShort> {
        let &Repeated(experiment, repetitions, warmup) = self;
        let repetitions = Repetitions::exactly(repetitions);
        let mut how = How { repetitions, warmup, seed: 1, observer, stop };
        let case = Case::Test(Test::new(params.clone()));
        experiment.measure(&case, &mut Subject::Backends(backends), &mut how)
    }
}
