//! Token omission via attention: what the newest token looks at stays.

use super::args::Args;
use super::{Attention, Budget, KvPolicy, Lane, Needs, PolicyEntry, PolicyError, Size};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "tova",
    form: "tova:512",
    help: "N tokens that the newest attends to most, the same for all heads of a layer",
    source: "TOVA, Oren et al., 2024 (arXiv 2401.06104)",
    new,
};

#[derive(Debug)]
struct Tova(Size);

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    match args.size("tova:N")? {
        Size::Tokens(0) => Err(args.wrong("N: expected at least 1")),
        size => Ok(Box::new(Tova(size))),
    }
}

impl KvPolicy for Tova {
    fn needs(&self) -> Needs {
        Needs { attention: Attention::Last, same_for_all_heads: true, ..Needs::default() }
    }

    fn budget(&self) -> Budget {
        Budget::Always(self.0, Size::Tokens(0))
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        scores.copy_from_slice(lane.last);
    }
}
