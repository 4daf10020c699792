//! The cache's memory as the system sees it: pages are committed when they are first written, and
//! given back when nothing is in them any more.

use super::{KV_BLOCK, KvCache, SequenceKv};
use pacemark_kernels::discard;
use std::ops::Range;

/// Pages of a lane that must be empty before they are given back: what comes and goes with every
/// few tokens stays.
const LEAST_PAGES: usize = 8;

impl KvCache {
    /// Takes back the blocks that a policy has emptied, and gives the pages back that are empty in
    /// single lanes.
    pub(crate) fn settle(&mut self, sequence: &mut SequenceKv) {
        let Some(residents) = &mut sequence.residents else { return };
        for (layer, head, slots) in residents.lanes_mut() {
            let held = slots.tokens.len().div_ceil(KV_BLOCK);
            let touched = slots.n_touched.div_ceil(KV_BLOCK).min(sequence.blocks.len());
            if touched >= held + LEAST_PAGES {
                self.discard_of(layer, head, &sequence.blocks[held..touched]);
                slots.n_touched = slots.tokens.len();
            }
        }
        if !sequence.leased {
            let keep = residents.ledger.n_slots().div_ceil(KV_BLOCK).min(sequence.blocks.len());
            self.free.extend(sequence.blocks.drain(keep..).rev());
        }
    }

    /// Gives the memory of all blocks that nobody holds back to the system.
    pub fn trim(&mut self) {
        let free = self.free.clone();
        for layer in 0..self.keys.len() {
            (0..self.n_kv_heads).for_each(|head| self.discard_of(layer, head, &free));
        }
    }

    /// Gives the memory of one lane's pages back to the system; they can be written again.
    fn discard_of(&mut self, layer: usize, head: usize, blocks: &[u32]) {
        let (k_page, v_page) = self.types.page_bytes(self.head_dim);
        let (k_lane, v_lane) = self.lane_bytes();
        let mut blocks = blocks.to_vec();
        blocks.sort_unstable();
        for run in blocks.chunk_by(|a, b| a + 1 == *b) {
            let from = run[0] as usize;
            let of = |lane: usize, page: usize| -> Range<usize> {
                let start = head * lane + from * page;
                start..start + run.len() * page
            };
            discard(&mut self.keys[layer][of(k_lane, k_page)]);
            discard(&mut self.values[layer][of(v_lane, v_page)]);
        }
    }

    /// Copies what the first block of each pair holds to the second, in order.
    pub fn copy_blocks(&mut self, pairs: &[(u32, u32)]) {
        let (k_page, v_page) = self.types.page_bytes(self.head_dim);
        let (k_lane, v_lane) = self.lane_bytes();
        let keys = self.keys.iter_mut().map(|lanes| (lanes, k_page, k_lane));
        let values = self.values.iter_mut().map(|lanes| (lanes, v_page, v_lane));
        for (lanes, page, lane) in keys.chain(values) {
            for lane in lanes.chunks_exact_mut(lane.max(1)) {
                for &(from, to) in pairs {
                    let from = from as usize * page;
                    lane.copy_within(from..from + page, to as usize * page);
                }
            }
        }
    }
}
