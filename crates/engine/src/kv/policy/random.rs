//! Tokens at random: what any other policy of the same size must beat.

use super::args::Args;
use super::{Budget, KvPolicy, Lane, PolicyEntry, PolicyError, Size};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "random",
    form: "random:512",
    help: "N tokens at random, the newest always: the control",
    source: "the control of eviction studies",
    new,
};

#[derive(Debug)]
struct Random(Size);

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    match args.size("random:N")? {
        Size::Tokens(0) => Err(args.wrong("N: expected at least 1")),
        size => Ok(Box::new(Random(size))),
    }
}

impl KvPolicy for Random {
    fn budget(&self) -> Budget {
        Budget::Always(self.0, Size::Tokens(0))
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        for (score, token) in scores.iter_mut().zip(lane.tokens) {
            *score = if lane.is_recent(*token, 1) { f32::INFINITY } else { of_slot(lane, *token) };
        }
    }
}

/// A number from 0 to 1 that depends on layer, head, token and clock alone, so that a run repeats
/// (SplitMix64's finalizer: Steele et al., 2014).
pub(super) fn of_slot(lane: &Lane<'_>, token: u32) -> f32 {
    let place = (lane.layer as u64) << 48 ^ (lane.head as u64) << 32 ^ u64::from(token);
    let mut x = place.wrapping_add((lane.n_tokens as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ x >> 31) >> 40) as f32 / (1 << 24) as f32
}
