//! The last tokens, and nothing before them.

use super::args::Args;
use super::{Budget, KvPolicy, Lane, PolicyEntry, PolicyError, Size};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "recent",
    form: "recent:512",
    help: "the last N tokens",
    source: "window attention, the baseline of Xiao et al., 2023 (arXiv 2309.17453)",
    new,
};

#[derive(Debug)]
struct Recent(Size);

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    match args.size("recent:N")? {
        Size::Tokens(0) => Err(args.wrong("N: expected at least 1")),
        size => Ok(Box::new(Recent(size))),
    }
}

impl KvPolicy for Recent {
    fn budget(&self) -> Budget {
        Budget::Always(self.0, Size::Tokens(0))
    }

    fn score(&self, _lane: &Lane<'_>, scores: &mut [f32]) {
        // Of tokens that are worth the same the oldest goes.
        scores.fill(0.0);
    }
}
