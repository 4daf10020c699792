//! StreamingLLM: the first tokens, which attention rests on, and the last.

use super::args::Args;
use super::{Budget, KvPolicy, Lane, Needs, PolicyEntry, PolicyError, Size};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "streaming",
    form: "streaming:4+508",
    help: "the first S tokens and the last R (S+R); positions=compact as the paper has it, or original",
    source: "StreamingLLM, Xiao et al., 2023 (arXiv 2309.17453)",
    new,
};

/// First tokens at most whose keys are turned for every token.
const MOST_SINKS: usize = 256;

#[derive(Debug)]
struct Streaming {
    sinks: usize,
    recent: Size,
    compact: bool,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let [sinks, recent] = args.two_sizes("streaming:S+R", ["S", "R"])?;
    let Size::Tokens(sinks) = sinks else {
        return Err(args.wrong("S: expected a number of tokens"));
    };
    if recent == Size::Tokens(0) {
        return Err(args.wrong("R: expected at least 1"));
    }
    let compact = args.one_of("positions", &["compact", "original"])? == "compact";
    if compact && sinks > MOST_SINKS {
        return Err(args.wrong(format!(
            "S: expected at most {MOST_SINKS}, which positions=compact turns for every token"
        )));
    }
    Ok(Box::new(Streaming { sinks, recent, compact }))
}

impl KvPolicy for Streaming {
    fn needs(&self) -> Needs {
        Needs { compact_sinks: if self.compact { self.sinks } else { 0 }, ..Needs::default() }
    }

    fn budget(&self) -> Budget {
        Budget::Always(Size::Tokens(self.sinks), self.recent)
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        for (score, token) in scores.iter_mut().zip(lane.tokens) {
            *score = if (*token as usize) < self.sinks { f32::INFINITY } else { 0.0 };
        }
    }
}
