//! A layer's pass over tokens of a sequence under a policy, KV head by KV head: a token is written
//! to a slot and attends over what is held, and what the policy asks to know of it is noted. What is
//! let go of then: `let_go.rs`.

use super::Slot;
use super::ledger::Ledger;
use super::policy::future::QuerySums;
use super::policy::{Attention, Moment, Needs, Policy};
use super::residents::Slots;
use crate::LayerKind;
use crate::rope::RopeAngles;
use pacemark_kernels::{
    AttentionShape, KernelSet, KvLane, LaneSlots, attend, attention_mass, read_key, read_value,
    write_key, write_value,
};

/// What is the same for all tokens of a layer's pass.
pub(crate) struct Pass<'a> {
    pub kernels: &'static KernelSet,
    pub shape: &'a AttentionShape,
    pub layer: usize,
    pub n_layers: usize,
    pub kind: &'a LayerKind,
    pub rope_dim: usize,
    pub rope_factors: Option<&'a [f32]>,
    /// Of the batch's rows, where the layer rotates.
    pub angles: Option<&'a RopeAngles>,
}

/// One sequence's tokens in one KV head of one layer.
pub(crate) struct HeadWork<'a> {
    pub head: usize,
    pub keys: &'a mut [u8],
    pub values: &'a mut [u8],
    pub slots: &'a mut Slots,
    pub blocks: &'a [u32],
}

/// One token's rows in one KV head.
pub(crate) struct TokenRows<'a> {
    /// Number of the row in the batch.
    pub row: usize,
    /// `[group, head_dim]`
    pub q: &'a [f32],
    /// `[head_dim]`
    pub k: &'a [f32],
    pub v: &'a [f32],
    /// `[group, head_dim]`
    pub out: &'a mut [f32],
}

impl Pass<'_> {
    /// What the policy asks to know of this layer.
    pub(crate) fn needs(&self, policy: &Policy) -> Needs {
        policy.of(self.layer).map_or(Needs::default(), |policy| policy.needs())
    }

    /// Takes a token in: its key and value to a slot, and what its queries find. The first tokens
    /// are turned by `turn`, cosines and sines, where the policy turns them.
    pub(crate) fn take(
        &self,
        needs: &Needs,
        work: &mut HeadWork<'_>,
        token: u32,
        rows: &mut TokenRows<'_>,
        turn: Option<(&[f32], &[f32])>,
    ) {
        let slot = work.slots.insert(needs, token);
        self.write(work, slot, rows.k, Some(rows.v));
        self.note(needs, work, slot, token);
        if needs.compact_sinks > 0 {
            self.move_sinks(work, token, turn);
        }
        let (lane, slots) = work.lane();
        attend(self.kernels, self.shape, lane, slots, token as i32, rows.q, rows.out);
        self.note_query(needs, work, token, rows.row, rows.q);
    }

    /// Takes in the tokens up to `n` that are in their pages, each in the slot of its number.
    pub(crate) fn adopt(&self, needs: &Needs, work: &mut HeadWork<'_>, n: usize) {
        for token in work.slots.tokens.len()..n {
            let slot = work.slots.insert(needs, token as u32);
            self.note(needs, work, slot, token as u32);
        }
    }

    /// Notes of a token in its slot what the policy asks for, as it is stored: a token that was
    /// found computed is then like one that was not.
    fn note(&self, needs: &Needs, work: &mut HeadWork<'_>, slot: usize, token: u32) {
        let (types, dim) = (self.shape.kv, self.shape.head_dim);
        let (k_page, v_page) = types.page_bytes(dim);
        let Slot { block, offset } = Slot::of(work.blocks, slot);
        let mut row = [0.0; pacemark_kernels::MAX_HEAD_DIM];
        let row = &mut row[..dim];
        let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
        let is_sink = (token as usize) < needs.compact_sinks;
        if needs.norms || is_sink {
            let page = &work.keys[block as usize * k_page..][..k_page];
            read_key(types.k(), page, offset, row);
            if needs.norms {
                work.slots.norms[slot] = length(row);
            }
            if is_sink {
                work.slots.sinks.extend_from_slice(row);
            }
        }
        if needs.value_norms {
            let page = &work.values[block as usize * v_page..][..v_page];
            read_value(types.v(), page, offset, row);
            work.slots.value_norms[slot] = length(row);
        }
    }

    /// Notes of a token's queries `[group, head_dim]`, row `row` of the batch, what the policy asks
    /// for.
    pub(crate) fn note_query(
        &self,
        needs: &Needs,
        work: &mut HeadWork<'_>,
        token: u32,
        row: usize,
        q: &[f32],
    ) {
        match needs.attention {
            Attention::None => {}
            Attention::Last | Attention::Mass => {
                let mut last = std::mem::take(&mut work.slots.last);
                last.fill(0.0);
                let (lane, slots) = work.lane();
                attention_mass(self.kernels, self.shape, lane, slots, token as i32, q, &mut last);
                let mass = work.slots.mass.iter_mut().zip(&last);
                mass.for_each(|(mass, last)| *mass += *last);
                work.slots.last = last;
            }
            Attention::Window(window) => {
                let queries = &mut work.slots.queries;
                let n_rows = window.min(token as usize + 1);
                queries.resize(queries.len().max(n_rows * q.len()), 0.0);
                queries[token as usize % window * q.len()..][..q.len()].copy_from_slice(q);
            }
        }
        if let Some((sinks, _)) = needs.queries
            && token as usize >= sinks
        {
            let dim = self.shape.head_dim;
            let sums = &mut work.slots.sums;
            sums.resize(q.len() / dim, QuerySums::default());
            let mut head = q.to_vec();
            for (sums, head) in sums.iter_mut().zip(head.chunks_exact_mut(dim)) {
                if let Some(angles) = self.angles {
                    let (cos, sin) = angles.of(row);
                    let back: Vec<f32> = sin.iter().map(|sin| -sin).collect();
                    self.kernels.rope(head, cos, &back);
                }
                sums.add(head);
            }
        }
    }

    /// By what the first tokens' keys are turned for each of `n` tokens from `token` on: the tokens
    /// that are missing between them and the rest, which are the same in all heads.
    pub(crate) fn turns_of_sinks(
        &self,
        ledger: &Ledger,
        token: usize,
        n: usize,
    ) -> Option<RopeAngles> {
        let policy = ledger.policy();
        if self.needs(policy).compact_sinks == 0 || !self.kind.rotates {
            return None;
        }
        let missing = |token: usize| {
            let (n_prompt, n_layers) = (ledger.n_prompt(), self.n_layers);
            let at = Moment { n_tokens: token, n_prompt, layer: self.layer, n_layers };
            (token - policy.keep(token, &at)) as i32
        };
        let positions: Vec<i32> = (token..token + n).map(missing).collect();
        let mut angles = RopeAngles::default();
        angles.set(self.kind, self.rope_dim, self.rope_factors, &positions);
        Some(angles)
    }

    fn write(&self, work: &mut HeadWork<'_>, slot: usize, k: &[f32], v: Option<&[f32]>) {
        let types = self.shape.kv;
        let (k_page, v_page) = types.page_bytes(self.shape.head_dim);
        let Slot { block, offset } = Slot::of(work.blocks, slot);
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
    fn move_sinks(&self, work: &mut HeadWork<'_>, token: u32, turn: Option<(&[f32], &[f32])>) {
        let missing = token as usize + 1 - work.slots.n_held;
        if missing == 0 {
            return;
        }
        let head_dim = self.shape.head_dim;
        let sinks = std::mem::take(&mut work.slots.sinks);
        let mut key = [0.0; pacemark_kernels::MAX_HEAD_DIM];
        let key = &mut key[..head_dim];
        for (sink, unmoved) in sinks.chunks_exact(head_dim).enumerate() {
            // Never let go and first to come: a sink's slot is its number.
            debug_assert_eq!(work.slots.tokens[sink] as usize, sink);
            key.copy_from_slice(unmoved);
            if let Some((cos, sin)) = turn {
                self.kernels.rope(key, cos, sin);
            }
            self.write(work, sink, key, None);
            work.slots.positions[sink] = (sink + missing) as i32;
        }
        work.slots.sinks = sinks;
    }

    /// Has all heads of a layer take for the newest token's attention the mean over them.
    pub(crate) fn share_last(works: &mut [HeadWork<'_>]) {
        let n_slots = works.iter().map(|work| work.slots.last.len()).min().unwrap_or(0);
        for slot in 0..n_slots {
            let sum: f32 = works.iter().map(|work| work.slots.last[slot]).sum();
            let mean = sum / works.len() as f32;
            works.iter_mut().for_each(|work| work.slots.last[slot] = mean);
        }
    }
}

impl HeadWork<'_> {
    pub(super) fn lane(&self) -> (KvLane<'_>, LaneSlots<'_>) {
        let slots = LaneSlots { block_table: self.blocks, positions: &self.slots.positions };
        (KvLane { k: self.keys, v: self.values }, slots)
    }
}
