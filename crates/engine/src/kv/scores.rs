//! What each slot of a lane is worth to a policy: what it asked to know is gathered, and it is
//! asked.

use super::Slot;
use super::pass::{HeadWork, Pass};
use super::policy::{Attention, Future, Lane, Moment, Policy};
use super::residents::Slots;
use crate::rope::frequencies;
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
        let width = self.shape.n_heads / self.shape.n_kv_heads * self.shape.head_dim;
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
        // The sum of rotations by one angle each is one rotation by their mean, shortened
        // (Dirichlet's kernel): no need to add up `n` of them.
        let middle = from as f64 + (n as f64 - 1.0) / 2.0;
        let turn = |frequency: f64| {
            let half = (frequency / 2.0).sin();
            let length = match half.abs() < 1e-12 {
                true => 1.0,
                false => (n as f64 * frequency / 2.0).sin() / (n as f64 * half),
            };
            let (sin, cos) = (middle * frequency).sin_cos();
            (length * cos, length * sin)
        };
        frequencies(self.kind, self.rope_dim, self.rope_factors).into_iter().map(turn).collect()
    }
}
