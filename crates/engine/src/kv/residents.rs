//! What a sequence under a policy holds, lane by lane, and how tokens come and go: written to a
//! slot, attended over, and when there are more than the policy keeps, let go. A slot that is let
//! go takes the next token; where many go at once, the rest close ranks so that blocks come free.

use super::policy::{Lane, Policy};
use super::{KV_BLOCK, Slot};
use crate::LayerKind;
use crate::rope::RopeAngles;
use pacemark_kernels::{
    AttentionShape, HOLE, KernelSet, KvLane, LaneSlots, attend, attention_mass, move_slot,
    write_key, write_value,
};

/// What a sequence holds of all layers.
#[derive(Debug)]
pub(crate) struct Residents {
    pub(super) policy: Policy,
    /// Tokens that the sequence has had: the position of the next.
    pub(super) n_tokens: usize,
    /// A lane each: `[layer][KV head]`.
    lanes: Vec<Slots>,
    n_kv_heads: usize,
}

/// One lane's slots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    tokens: Vec<u32>,
    positions: Vec<i32>,
    norms: Vec<f32>,
    last: Vec<f32>,
    mass: Vec<f32>,
    /// Keys of the first tokens as they were rotated when they came, `[token][head_dim]`, where a
    /// policy moves them.
    sinks: Vec<f32>,
    n_held: usize,
}

impl Residents {
    pub(super) fn new(policy: Policy, n_layers: usize, n_kv_heads: usize) -> Residents {
        let lanes = vec![Slots::default(); n_layers * n_kv_heads];
        Residents { policy, n_tokens: 0, lanes, n_kv_heads }
    }

    pub(super) fn clear(&mut self) {
        self.n_tokens = 0;
        self.lanes.fill(Slots::default());
    }

    /// Slots that a lane has at most while `n` more tokens come one after the other.
    pub(super) fn n_slots_with(&self, n: usize) -> usize {
        let of_layer = |(layer, lanes): (usize, &[Slots])| {
            let (mut held, mut most) = (lanes[0].n_held, lanes[0].tokens.len());
            for _ in 0..n {
                most = most.max(held + 1);
                held = self.policy.keep(layer, held + 1);
            }
            most
        };
        self.lanes.chunks_exact(self.n_kv_heads).enumerate().map(of_layer).max().unwrap_or(0)
    }

    /// Tokens held in each layer, the mean over its heads.
    pub(super) fn held(&self) -> Vec<f64> {
        let mean = |lanes: &[Slots]| {
            lanes.iter().map(|lane| lane.n_held as f64).sum::<f64>() / lanes.len() as f64
        };
        self.lanes.chunks_exact(self.n_kv_heads).map(mean).collect()
    }

    /// Slots that all lanes together hold.
    pub(super) fn n_held(&self) -> usize {
        self.lanes.iter().map(|lane| lane.n_held).sum()
    }

    /// Pages that they are in.
    pub(super) fn n_pages(&self) -> usize {
        self.lanes.iter().map(|lane| lane.tokens.len().div_ceil(KV_BLOCK)).sum()
    }

    /// The lanes of a layer, a KV head each.
    pub(super) fn layer(&mut self, layer: usize) -> (&Policy, &mut [Slots]) {
        let n = self.n_kv_heads;
        (&self.policy, &mut self.lanes[layer * n..][..n])
    }
}

/// What is the same for all tokens of a layer's pass.
pub(crate) struct Pass<'a> {
    pub kernels: &'static KernelSet,
    pub shape: &'a AttentionShape,
    pub layer: usize,
    pub kind: &'a LayerKind,
    pub rope_dim: usize,
    pub rope_factors: Option<&'a [f32]>,
}

/// One sequence's tokens in one KV head of one layer.
pub(crate) struct HeadWork<'a> {
    pub head: usize,
    pub keys: &'a mut [u8],
    pub values: &'a mut [u8],
    pub slots: &'a mut Slots,
}

/// One token's rows in one KV head.
pub(crate) struct TokenRows<'a> {
    /// `[group, head_dim]`
    pub q: &'a [f32],
    /// `[head_dim]`
    pub k: &'a [f32],
    pub v: &'a [f32],
    /// `[group, head_dim]`
    pub out: &'a mut [f32],
}

impl Pass<'_> {
    /// Takes a token in: its key and value to a slot, and what its queries find.
    pub(crate) fn take(
        &self,
        policy: &Policy,
        work: &mut HeadWork<'_>,
        blocks: &[u32],
        token: u32,
        rows: &mut TokenRows<'_>,
    ) {
        let needs = policy.kept().needs();
        let position = token as i32;
        let slot = work.slots.insert(token, rows.k);
        self.write(work, blocks, slot, rows.k, Some(rows.v));
        if (token as usize) < needs.compact_sinks {
            work.slots.sinks.extend_from_slice(rows.k);
        }
        if needs.compact_sinks > 0 && !policy.skips(self.layer) {
            self.move_sinks(work, blocks, token);
        }
        let lane = KvLane { k: work.keys, v: work.values };
        let slots = LaneSlots { block_table: blocks, positions: &work.slots.positions };
        attend(self.kernels, self.shape, lane, slots, position, rows.q, rows.out);
        if needs.attention && !policy.skips(self.layer) {
            let last = &mut work.slots.last;
            last.fill(0.0);
            attention_mass(self.kernels, self.shape, lane, slots, position, rows.q, last);
            for (mass, last) in work.slots.mass.iter_mut().zip(last) {
                *mass += *last;
            }
        }
    }

    fn write(
        &self,
        work: &mut HeadWork<'_>,
        blocks: &[u32],
        slot: usize,
        k: &[f32],
        v: Option<&[f32]>,
    ) {
        let types = self.shape.kv;
        let (k_page, v_page) = types.page_bytes(self.shape.head_dim);
        let Slot { block, offset } = Slot::of(blocks, slot);
        let page = &mut work.keys[block as usize * k_page..][..k_page];
        write_key(self.kernels, types.k(), k, page, offset);
        if let Some(v) = v {
            let page = &mut work.values[block as usize * v_page..][..v_page];
            write_value(self.kernels, types.v(), v, page, offset);
        }
    }

    /// Rotates the keys of the first tokens to where they would be if nothing were missing between
    /// them and the rest, seen from the newest token: their distance to it is their distance in the
    /// cache. Rotations add up, so what a key was rotated by stays.
    fn move_sinks(&self, work: &mut HeadWork<'_>, blocks: &[u32], token: u32) {
        let missing = token as usize + 1 - work.slots.n_held;
        if missing == 0 {
            return;
        }
        let head_dim = self.shape.head_dim;
        let n_sinks = work.slots.sinks.len() / head_dim;
        let mut angles = RopeAngles::default();
        angles.set(self.kind, self.rope_dim, self.rope_factors, &[missing as i32]);
        let (cos, sin) = angles.of(0);
        for sink in 0..n_sinks {
            let Some(slot) = work.slots.tokens.iter().position(|t| *t as usize == sink) else {
                continue;
            };
            let mut key = work.slots.sinks[sink * head_dim..][..head_dim].to_vec();
            if self.kind.rotates {
                self.kernels.rope(&mut key, cos, sin);
            }
            self.write(work, blocks, slot, &key, None);
            work.slots.positions[slot] = (sink + missing) as i32;
        }
    }

    /// Lets go of what the policy does not keep after `n_tokens` tokens.
    pub(crate) fn let_go(
        &self,
        policy: &Policy,
        work: &mut HeadWork<'_>,
        blocks: &[u32],
        n_tokens: usize,
    ) {
        let keep = policy.keep(self.layer, work.slots.n_held);
        let n_gone = work.slots.n_held - keep;
        if n_gone == 0 {
            return;
        }
        let Slots { tokens, norms, last, mass, .. } = &*work.slots;
        let lane = Lane { layer: self.layer, head: work.head, n_tokens, tokens, norms, last, mass };
        let mut scores = vec![0.0; tokens.len()];
        policy.kept().score(&lane, &mut scores);
        let mut held: Vec<usize> =
            (0..tokens.len()).filter(|&slot| tokens[slot] != Lane::HOLE).collect();
        let order = |a: &usize, b: &usize| {
            scores[*a].total_cmp(&scores[*b]).then(tokens[*a].cmp(&tokens[*b]))
        };
        held.select_nth_unstable_by(n_gone - 1, order);
        for &slot in &held[..n_gone] {
            work.slots.remove(slot);
        }
        if n_gone > 1 {
            self.close_ranks(work, blocks);
        }
    }

    /// Moves tokens from the end to holes, until there are none.
    fn close_ranks(&self, work: &mut HeadWork<'_>, blocks: &[u32]) {
        let mut hole = 0;
        loop {
            while work.slots.tokens.last() == Some(&Lane::HOLE) {
                work.slots.truncate();
            }
            let n = work.slots.tokens.len();
            while hole < n && work.slots.tokens[hole] != Lane::HOLE {
                hole += 1;
            }
            if hole >= n {
                return;
            }
            let pages = (&mut *work.keys, &mut *work.values);
            move_slot(self.shape.kv, self.shape.head_dim, pages, blocks, n - 1, hole);
            work.slots.rename(n - 1, hole);
        }
    }
}

impl Slots {
    /// A slot for a token: one that was let go, or another.
    fn insert(&mut self, token: u32, key: &[f32]) -> usize {
        let hole = if self.n_held == self.tokens.len() {
            None
        } else {
            self.tokens.iter().position(|token| *token == Lane::HOLE)
        };
        let slot = hole.unwrap_or(self.tokens.len());
        if slot == self.tokens.len() {
            self.tokens.push(token);
            self.positions.push(0);
            for values in [&mut self.norms, &mut self.last, &mut self.mass] {
                values.push(0.0);
            }
        }
        self.tokens[slot] = token;
        self.positions[slot] = token as i32;
        self.norms[slot] = key.iter().map(|x| x * x).sum::<f32>().sqrt();
        (self.last[slot], self.mass[slot]) = (0.0, 0.0);
        self.n_held += 1;
        slot
    }

    fn remove(&mut self, slot: usize) {
        self.tokens[slot] = Lane::HOLE;
        self.positions[slot] = HOLE;
        self.n_held -= 1;
    }

    /// Drops the last slot.
    fn truncate(&mut self) {
        self.tokens.pop();
        self.positions.pop();
        self.norms.pop();
        self.last.pop();
        self.mass.pop();
    }

    fn rename(&mut self, from: usize, to: usize) {
        self.tokens.swap(from, to);
        self.positions.swap(from, to);
        for values in [&mut self.norms, &mut self.last, &mut self.mass] {
            values.swap(from, to);
        }
    }

    /// The mean over the heads of a layer, where they are to keep the same.
    pub(crate) fn share_last<'a>(heads: impl Iterator<Item = &'a mut Slots>) {
        let mut heads: Vec<&mut Slots> = heads.collect();
        let n_slots = heads.iter().map(|head| head.last.len()).min().unwrap_or(0);
        for slot in 0..n_slots {
            let sum: f32 = heads.iter().map(|head| head.last[slot]).sum();
            let mean = sum / heads.len() as f32;
            heads.iter_mut().for_each(|head| head.last[slot] = mean);
        }
    }
}
