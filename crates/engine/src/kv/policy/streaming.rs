//! StreamingLLM: the first tokens, which attention rests on, and the last.

use super::args::Args;
use super::{KvPolicy, Lane, Needs, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "streaming",
    form: "streaming:4+508",
    help: "the first S tokens and the last R (S+R); positions=compact as the paper has it, or original",
    source: "Xiao et al., 2023 (arXiv 2309.17453)",
    new,
};

#[derive(Debug)]
struct Streaming {
    sinks: usize,
    recent: usize,
    compact: bool,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let [sinks, recent] = args.sizes("streaming:S+R", ["S", "R"])?;
    if recent == 0 {
        return Err(args.wrong("R: expected at least 1"));
    }
    let compact = args.one_of("positions", &["compact", "original"])? == "compact";
    Ok(Box::new(Streaming { sinks, recent, compact }))
}

impl KvPolicy for Streaming {
    fn needs(&self) -> Needs {
        Needs { compact_sinks: if self.compact { self.sinks } else { 0 }, ..Needs::default() }
    }

    fn keep(&self, n: usize) -> usize {
        n.min(self.sinks + self.recent)
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        for (score, token) in scores.iter_mut().zip(lane.tokens) {
            *score = if (*token as usize) < self.sinks { f32::INFINITY } else { 0.0 };
        }
    }
}
