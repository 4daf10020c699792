//! A fixed number of tokens: the newest, and of the others those whose keys are short.

use super::args::Args;
use super::random::of_slot;
use super::{Budget, KvPolicy, Lane, Needs, PolicyEntry, PolicyError, Size};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "fix_size_l2",
    form: "fix_size_l2:512,keep=0.5",
    help: "N tokens: floor(N*keep) newest, of the rest those with low (order=low), high or random key norms; sink=S first stay",
    source: "after Devoto et al., 2024 (arXiv 2406.11430), with a fixed size",
    new,
};

#[derive(Debug)]
struct FixSizeL2 {
    size: Size,
    /// Of the size.
    keep: f64,
    sinks: usize,
    order: &'static str,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let size = args.size("fix_size_l2:N")?;
    if size == Size::Tokens(0) {
        return Err(args.wrong("N: expected at least 1"));
    }
    let keep = args.share("keep", 0.5)?;
    let sinks = args.count("sink", 0)?;
    let order = args.one_of("order", &["low", "high", "random"])?;
    let recent = |size: usize| (size as f64 * keep).floor() as usize;
    match size {
        Size::Tokens(size) if sinks + recent(size) > size || sinks >= size => {
            return Err(args.wrong(format!("sink={sinks}: it leaves no room in {size} tokens")));
        }
        Size::Share(_) if sinks > 0 => {
            return Err(args.wrong("sink: expected a number of tokens as size beside it"));
        }
        _ => {}
    }
    Ok(Box::new(FixSizeL2 { size, keep, sinks, order }))
}

impl KvPolicy for FixSizeL2 {
    fn needs(&self) -> Needs {
        Needs { norms: self.order != "random", ..Needs::default() }
    }

    fn budget(&self) -> Budget {
        Budget::Always(self.size, Size::Tokens(0))
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        let recent = (self.size.of(lane.n_tokens) as f64 * self.keep).floor() as usize;
        for (slot, (score, token)) in scores.iter_mut().zip(lane.tokens).enumerate() {
            let stays = lane.is_recent(*token, recent) || (*token as usize) < self.sinks;
            *score = match self.order {
                _ if stays => f32::INFINITY,
                "low" => -lane.norms[slot],
                "high" => lane.norms[slot],
                _ => of_slot(lane, *token),
            };
        }
    }
}
