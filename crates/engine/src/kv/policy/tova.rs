//! Token omission via attention: what the newest token looks at stays.

use super::args::Args;
use super::{KvPolicy, Lane, Needs, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "tova",
    form: "tova:512",
    help: "N tokens that the newest attends to most, the same for all heads of a layer",
    source: "Oren et al., 2024 (arXiv 2401.06104)",
    new,
};

#[derive(Debug)]
struct Tova(usize);

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    match args.sizes("tova:N", ["N"])? {
        [0] => Err(args.wrong("N: expected at least 1")),
        [n] => Ok(Box::new(Tova(n))),
    }
}

impl KvPolicy for Tova {
    fn needs(&self) -> Needs {
        Needs { attention: true, same_for_all_heads: true, ..Needs::default() }
    }

    fn keep(&self, n: usize) -> usize {
        n.min(self.0)
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        scores.copy_from_slice(lane.last);
    }
}
