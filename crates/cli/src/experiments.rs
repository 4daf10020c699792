//! The experiments as commands know them: by name, with what each has to tell.

use clap::builder::{PossibleValue, PossibleValuesParser};
use pacemark_bench::{EXPERIMENTS, Experiment, Grid, Shapes};

/// Those that a grid of tests can be made for, which `bench` runs.
pub fn of_backends() -> PossibleValuesParser {
    possible_values(EXPERIMENTS)
}

/// The values of a flag that names one of `experiments`.
fn possible_values(experiments: &[&dyn Experiment]) -> PossibleValuesParser {
    let grid = Grid { shapes: Shapes { n_gen: vec![1], ..Shapes::default() }, ..Grid::default() };
    let has_tests = |experiment: &&&dyn Experiment| !experiment.cases(&grid).is_empty();
    let value = |experiment: &&dyn Experiment| {
        PossibleValue::new(experiment.name()).help(experiment.help())
    };
    PossibleValuesParser::new(experiments.iter().filter(has_tests).map(value).collect::<Vec<_>>())
}
