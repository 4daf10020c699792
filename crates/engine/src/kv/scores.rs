//! What each slot of a lane is worth to a policy: what it asked to know is gathered, and it is
//! asked.

use super::Slot;
use super::pass::{HeadWork, Pass};
use super::policy::{Attention, Future, Lane, Moment, Policy};
use super::residents::Slots;
use crate::rope::RopeAngles;
use pacemark_kernels::{attention_mass, read_key};

impl Pass<'_> {
    /// What each slot is worth.
    pub(super) fn scores(&self, policy: &Policy, work: &mut HeadWork<'_>, at: &Moment) -> Vec<f32> {
        let mut scores = vec![0.0; work.slots.tokens.len()];
        // A layer that sees a window lets the oldest go.
        let Some(kept) = policy.of(self.layer) else { return scores };
        let needs = kept.needs();
        let keys = if needs.keys { self.read_keys(work) } else { Vec::new() };
        let window = match needs.attention {
            Attention::Window(window) => self.window(work, at, window),
            _ => Vec::new(),
        };
        let future: Vec<Future> = needs.queries.map_or(Vec::new(), |(_, future)| {
            let turns = self.turns(at.n_tokens, future);
            work.slots.sums.iter().map(|sums| sums.turned(&turns, self.shape.scale)).collect()
        });
        let Slots { tokens, norms, value_norms, last, mass, .. } = &*work.slots;
        let lane = Lane {
            layer: self.layer,
            head: work.head,
            head_dim: self.shape.head_dim,
            n_tokens: at.n_tokens,
            tokens,
            norms,
            value_norms,
            keys: &keys,
            last,
            mass,
            window: &window,
            future: &future,
        };
        kept.score(&lane, &mut scores);
        scores
    }

    fn read_keys(&self, work: &HeadWork<'_>) -> Vec<f32> {
        let (types, dim) = (self.shape.kv, self.shape.head_dim);
        let k_page = types.page_bytes(dim).0;
        let mut keys = vec![0.0; work.slots.tokens.len() * dim];
        for (slot, key) in keys.chunks_exact_mut(dim).enumerate() {
            let Slot { block, offset } = Slot::of(work.blocks, slot);
            read_key(types.k(), &work.keys[block as usize * k_page..][..k_page], offset, key);
        }
        keys
    }

    /// Attention of the last `window` tokens to each slot, the mean over them.
    fn window(&self, work: &HeadWork<'_>, at: &Moment, window: usize) -> Vec<f32> {
        let mut sum = vec![0.0; work.slots.tokens.len()];
        let width = work.slots.queries.len() / window;
        let last = at.n_tokens.saturating_sub(window)..at.n_tokens;
        let n = last.len().max(1) as f32;
        for token in last {
            let q = &work.slots.queries[token % window * width..][..width];
            let (lane, slots) = work.lane();
            attention_mass(self.kernels, self.shape, lane, slots, token as i32, q, &mut sum);
        }
        sum.iter_mut().for_each(|mass| *mass /= n);
        sum
    }

    /// The mean of the rotations to the next `n` positions after `from` tokens, by frequency.
    fn turns(&self, from: usize, n: usize) -> Vec<(f64, f64)> {
        if !self.kind.rotates {
            return Vec::new();
        }
        let positions: Vec<i32> = (from..from + n).map(|position| position as i32).collect();
        let mut angles = RopeAngles::default();
        angles.set(self.kind, self.rope_dim, self.rope_factors, &positions);
        let mut turns = vec![(0.0, 0.0); self.rope_dim / 2];
        for at in 0..n {
            let (cos, sin) = angles.of(at);
            for ((turn, cos), sin) in turns.iter_mut().zip(cos).zip(sin) {
                turn.0 += f64::from(*cos) / n as f64;
                turn.1 += f64::from(*sin) / n as f64;
            }
        }
        turns
    }
}
