//! A fixed number of tokens: the newest, and of the others those whose keys are short.

use super::args::Args;
use super::random::of_slot;
use super::{KvPolicy, Lane, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "fix_size_l2",
    form: "fix_size_l2:512,keep=0.5",
    help: "N tokens: floor(N*keep) newest, of the rest those with low (order=low), high or random key norms; sink=S first stay",
    source: "after Devoto et al., 2024 (arXiv 2406.11430), with a fixed size",
    new,
};

#[derive(Debug)]
struct FixSizeL2 {
    size: usize,
    recent: usize,
    sinks: usize,
    order: &'static str,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let [size] = args.sizes("fix_size_l2:N", ["N"])?;
    if size == 0 {
        return Err(args.wrong("N: expected at least 1"));
    }
    let keep = args.share("keep", 0.5)?;
    let sinks = args.count("sink", 0)?;
    let order = args.one_of("order", &["low", "high", "random"])?;
    let recent = (size as f64 * keep).floor() as usize;
    if sinks + recent > size || sinks >= size {
        return Err(args.wrong(format!("sink={sinks}: it leaves no room in {size} tokens")));
    }
    Ok(Box::new(FixSizeL2 { size, recent, sinks, order }))
}

impl KvPolicy for FixSizeL2 {
    fn keep(&self, n: usize) -> usize {
        n.min(self.size)
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        for (slot, (score, token)) in scores.iter_mut().zip(lane.tokens).enumerate() {
            let stays = lane.is_recent(*token, self.recent) || (*token as usize) < self.sinks;
            *score = match self.order {
                _ if stays => f32::INFINITY,
                "low" => -lane.norms[slot],
                "high" => lane.norms[slot],
                _ => of_slot(lane, *token),
            };
        }
    }
}
