//! Short keys of the prompt stay.

use super::args::Args;
use super::{Budget, KvPolicy, Lane, Needs, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "knorm",
    form: "knorm:0.5",
    help: "of the prompt N tokens with the lowest key norms, in each head",
    source: "Devoto et al., 2024 (arXiv 2406.11430), as kvpress applies it to a prompt",
    new,
};

#[derive(Debug)]
struct Knorm(Budget);

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    Ok(Box::new(Knorm(args.prompt_budget("knorm:N", 0, 1)?)))
}

impl KvPolicy for Knorm {
    fn needs(&self) -> Needs {
        Needs { norms: true, ..Needs::default() }
    }

    fn budget(&self) -> Budget {
        self.0
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        for (score, norm) in scores.iter_mut().zip(lane.norms) {
            *score = -norm;
        }
    }
}
