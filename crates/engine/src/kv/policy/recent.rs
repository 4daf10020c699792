//! The last tokens, and nothing before them.

use super::args::Args;
use super::{KvPolicy, Lane, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "recent",
    form: "recent:512",
    help: "the last N tokens",
    source: "window attention, the baseline of Xiao et al., 2023 (arXiv 2309.17453)",
    new,
};

#[derive(Debug)]
struct Recent(usize);

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    match args.sizes("recent:N", ["N"])? {
        [0] => Err(args.wrong("N: expected at least 1")),
        [n] => Ok(Box::new(Recent(n))),
    }
}

impl KvPolicy for Recent {
    fn keep(&self, n: usize) -> usize {
        n.min(self.0)
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        // Of tokens that are worth the same the oldest goes.
        scores[..lane.tokens.len()].fill(0.0);
    }
}
