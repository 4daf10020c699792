//! The KV cache: pages of [`KV_BLOCK`] tokens, keys and values each in a type of their own
//! ([`KvTypes`]).
//!
//! A block number names the same place in every (layer, KV head) lane. A sequence holds a table of
//! blocks and the position stored in each slot; attention masks by that position. What a page's
//! bytes mean is the business of `kernels` (`kv_page.rs`).

pub(crate) mod compressed;
pub(crate) mod ledger;
mod let_go;
mod memory;
pub(crate) mod pass;
pub(crate) mod policy;
pub(crate) mod residents;
mod scores;
mod sequence;

use crate::{EngineError, ModelConfig};
use pacemark_kernels::{KV_BLOCK, KernelSet, KvLane, KvTypes, Team, write_key, write_value};
use policy::Policy;
use residents::Residents;
pub use sequence::SequenceKv;

/// All lanes of all layers, and which blocks are free.
pub struct KvCache {
    n_kv_heads: usize,
    head_dim: usize,
    types: KvTypes,
    n_blocks: usize,
    /// A layer each: `[n_kv_heads][n_blocks]` pages. Zeroed memory that the system commits on first
    /// use.
    keys: Vec<Vec<u8>>,
    /// Likewise.
    values: Vec<Vec<u8>>,
    free: Vec<u32>,
}

impl KvCache {
    /// Bytes that a cache of those types for `n_ctx` tokens reserves; `None` on overflow.
    pub fn bytes_for(config: &ModelConfig, types: KvTypes, n_ctx: usize) -> Option<u64> {
        let (k_page, v_page) = types.page_bytes(config.head_dim);
        let block = (k_page + v_page) * config.n_kv_heads * config.layers.len();
        (n_ctx.div_ceil(KV_BLOCK) as u64).checked_mul(block as u64)
    }

    /// An empty cache for `n_ctx` tokens in all. The caller has checked [`Self::bytes_for`] against
    /// the memory there is.
    pub fn new(config: &ModelConfig, types: KvTypes, n_ctx: usize) -> KvCache {
        let n_blocks = n_ctx.div_ceil(KV_BLOCK);
        let (k_page, v_page) = types.page_bytes(config.head_dim);
        let lanes = |page: usize| {
            config.layers.iter().map(|_| vec![0; n_blocks * config.n_kv_heads * page]).collect()
        };
        KvCache {
            n_kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
            n_blocks,
            types,
            keys: lanes(k_page),
            values: lanes(v_page),
            free: (0..n_blocks as u32).rev().collect(),
        }
    }

    /// How keys and values are stored.
    pub fn types(&self) -> KvTypes {
        self.types
    }

    /// Bytes reserved over all layers.
    pub fn allocated_bytes(&self) -> u64 {
        self.keys.iter().chain(&self.values).map(|lanes| lanes.len() as u64).sum()
    }

    /// Bytes of the blocks in use over all layers.
    pub fn used_bytes(&self) -> u64 {
        let used = (self.n_blocks - self.free.len()) as u64;
        if self.n_blocks == 0 { 0 } else { self.allocated_bytes() / self.n_blocks as u64 * used }
    }

    /// Hands out all free blocks, for [`SequenceKv::place`]: from now on the caller keeps account
    /// of them.
    pub fn lease(&mut self) -> Vec<u32> {
        self.free.drain(..).rev().collect()
    }

    /// Blocks that no sequence holds.
    pub fn n_free_blocks(&self) -> usize {
        self.free.len()
    }

    /// A sequence of which `policy` decides what is held; the first `n_prompt` tokens will be a
    /// prompt.
    ///
    /// # Panics
    /// If the policy is not one for the cache's model ([`Policy::on`]).
    pub fn sequence(&self, policy: Policy, n_prompt: Option<usize>) -> SequenceKv {
        assert_eq!(policy.n_layers(), self.keys.len(), "a policy for this model");
        let residents = Residents::new(policy, n_prompt, self.n_kv_heads);
        SequenceKv { residents: Some(Box::new(residents)), ..SequenceKv::default() }
    }

    /// Bytes of keys and values that `sequence` holds over all lanes: of its tokens, and of the
    /// pages that they are in.
    pub fn bytes_of(&self, sequence: &SequenceKv) -> (u64, u64) {
        let (k_page, v_page) = self.types.page_bytes(self.head_dim);
        let lanes = self.keys.len() * self.n_kv_heads;
        let (held, pages) = match &sequence.residents {
            Some(residents) => (residents.n_held(), residents.n_pages()),
            None => {
                let n = sequence.positions.len();
                (n * lanes, n.div_ceil(KV_BLOCK) * lanes)
            }
        };
        let page = (k_page + v_page) as u64;
        (held as u64 * page / KV_BLOCK as u64, pages as u64 * page)
    }

    /// Makes room for `n` more tokens of `sequence`; nothing changes if there is not enough.
    pub(crate) fn extend(
        &mut self,
        sequence: &mut SequenceKv,
        n: usize,
    ) -> Result<(), EngineError> {
        let n_slots = match &sequence.residents {
            Some(residents) => residents.ledger.n_slots_with(n),
            None => sequence.positions.len() + n,
        };
        let more = n_slots.div_ceil(KV_BLOCK).saturating_sub(sequence.blocks.len());
        let foreign = sequence.leased
            && (more > 0 || sequence.blocks.iter().any(|&id| id as usize >= self.n_blocks));
        if foreign || more > self.free.len() {
            return Err(EngineError::KvFull { n_blocks: self.n_blocks });
        }
        sequence.blocks.extend(self.free.drain(self.free.len() - more..).rev());
        let n_tokens = sequence.len() + n;
        if let Some(residents) = &mut sequence.residents {
            residents.come(n);
            if !residents.all_see_all() {
                sequence.positions.clear();
                return Ok(());
            }
        }
        sequence.positions.extend(sequence.positions.len() as i32..n_tokens as i32);
        Ok(())
    }

    /// Forgets all but the first `len` tokens of `sequence`; under a policy, which may have let some
    /// of those go, all.
    pub fn truncate(&mut self, sequence: &mut SequenceKv, len: usize) {
        if let Some(residents) = &mut sequence.residents {
            if len >= residents.ledger.n_tokens() {
                return;
            }
            residents.clear();
            sequence.positions.clear();
        }
        sequence.positions.truncate(len);
        if sequence.leased {
            return;
        }
        let keep = sequence.positions.len().div_ceil(KV_BLOCK);
        self.free.extend(sequence.blocks.drain(keep..).rev());
    }

    /// Takes back room for `n` tokens that were not computed.
    pub(crate) fn retract(&mut self, sequence: &mut SequenceKv, n: usize) {
        match &mut sequence.residents {
            Some(residents) => {
                residents.retract();
                sequence.positions.truncate(residents.ledger.n_tokens());
            }
            None => self.truncate(sequence, sequence.len() - n),
        }
    }

    /// Takes back everything `sequence` holds.
    pub fn release(&mut self, sequence: &mut SequenceKv) {
        self.truncate(sequence, 0);
    }

    /// The lanes of one layer, a KV head each.
    pub(crate) fn lanes(&self, layer: usize) -> Vec<KvLane<'_>> {
        let (k, v) = self.lane_bytes();
        self.keys[layer]
            .chunks_exact(k)
            .zip(self.values[layer].chunks_exact(v))
            .map(|(k, v)| KvLane { k, v })
            .collect()
    }

    /// The same, to be written by whoever has a lane.
    pub(crate) fn lanes_mut(&mut self, layer: usize) -> Vec<(&mut [u8], &mut [u8])> {
        let (k, v) = self.lane_bytes();
        self.keys[layer].chunks_exact_mut(k).zip(self.values[layer].chunks_exact_mut(v)).collect()
    }

    /// Bytes of a lane of keys and of one of values.
    fn lane_bytes(&self) -> (usize, usize) {
        let (k_page, v_page) = self.types.page_bytes(self.head_dim);
        (self.n_blocks * k_page, self.n_blocks * v_page)
    }

    /// Stores keys and values of a batch, `[n_tokens, n_kv_heads * head_dim]` each; token `t` goes
    /// to `slots[t]`, where it has one.
    pub(crate) fn write(
        &mut self,
        team: &Team,
        kernels: &'static KernelSet,
        layer: usize,
        slots: &[Option<Slot>],
        k: &[f32],
        v: &[f32],
    ) {
        let (head_dim, width) = (self.head_dim, self.n_kv_heads * self.head_dim);
        let types = self.types;
        let (k_page, v_page) = types.page_bytes(head_dim);
        let (key_lane, value_lane) = self.lane_bytes();
        let keys = (&mut self.keys[layer][..], key_lane);
        let values = (&mut self.values[layer][..], value_lane);
        team.rows2(keys, values, &|head, keys, values| {
            let placed = slots.iter().enumerate().filter_map(|(t, slot)| Some((t, slot.as_ref()?)));
            for (t, slot) in placed {
                let from = t * width + head * head_dim;
                let page = &mut keys[slot.block as usize * k_page..][..k_page];
                write_key(kernels, types.k(), &k[from..from + head_dim], page, slot.offset);
                let page = &mut values[slot.block as usize * v_page..][..v_page];
                write_value(kernels, types.v(), &v[from..from + head_dim], page, slot.offset);
            }
        });
    }
}

/// Where one token's keys and values go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    block: u32,
    offset: usize,
}

impl Slot {
    /// Slot `index` of a sequence with these blocks.
    pub(crate) fn of(blocks: &[u32], index: usize) -> Slot {
        Slot { block: blocks[index / KV_BLOCK], offset: index % KV_BLOCK }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_kernels::KvType;

    use crate::{Ffn, LayerKind, NormKind, NormPlacement, QkNorm, RopeStyle};

    fn config() -> ModelConfig {
        ModelConfig {
            architecture: "test",
            n_embd: 32,
            n_ff: 32,
            n_heads: 2,
            n_kv_heads: 2,
            head_dim: 16,
            n_vocab: 10,
            n_ctx_train: 128,
            norm_eps: 1e-5,
            placement: NormPlacement::Pre,
            qk_norm: QkNorm::None,
            ffn: Ffn::GatedSilu,
            norm: NormKind::Rms,
            parallel_residual: false,
            fused_qkv: false,
            qkv_bias: false,
            output_bias: false,
            learned_positions: false,
            rope_style: RopeStyle::Half,
            rope_dim: 16,
            embed_scale: 1.0,
            attn_scale: 1.0,
            logit_softcap: None,
            layers: vec![
                LayerKind {
                    window: None,
                    rope_theta: 1e4,
                    rope_factor: 1.0,
                    rotates: true
                };
                2
            ],
        }
    }

    #[test]
    fn blocks_are_neither_lost_nor_given_twice() {
        let mut cache = KvCache::new(&config(), KvTypes::default(), 100);
        assert_eq!(cache.n_free_blocks(), 7);
        let (mut a, mut b) = (SequenceKv::default(), SequenceKv::default());
        for step in 0..200usize {
            let sequence = if step % 2 == 0 { &mut a } else { &mut b };
            if cache.extend(sequence, step % 23 + 1).is_err() {
                cache.truncate(sequence, step % 17);
            }
            let mut held: Vec<u32> =
                a.blocks().iter().chain(b.blocks()).chain(&cache.free).copied().collect();
            held.sort_unstable();
            assert_eq!(held, (0..7).collect::<Vec<u32>>(), "step {step}");
            assert_eq!(a.blocks().len(), a.len().div_ceil(KV_BLOCK));
        }
        cache.release(&mut a);
        cache.release(&mut b);
        assert_eq!((cache.n_free_blocks(), cache.used_bytes()), (7, 0));
    }

    #[test]
    fn bytes_are_those_of_the_types() {
        // Two layers of two heads of 16 dimensions, seven blocks of 16 positions.
        let heads = 2 * 2 * 7;
        for (k, v, bytes) in [
            (KvType::F16, KvType::F16, heads * 16 * (16 + 16) * 2),
            (KvType::F16, KvType::Q8_0, heads * 16 * (16 * 2 + 34)),
            // A group of 32 dimensions and a scale of two bytes for each position.
            (KvType::Q8_0, KvType::Q4_0, heads * 16 * (34 + 18)),
        ] {
            let types = KvTypes::new(k, v).unwrap();
            let cache = KvCache::new(&config(), types, 100);
            assert_eq!((cache.allocated_bytes(), cache.types()), (bytes, types));
            assert_eq!(KvCache::bytes_for(&config(), types, 100), Some(bytes));
        }
        assert_eq!(KvCache::bytes_for(&config(), KvTypes::default(), usize::MAX), None);
    }

    #[test]
    fn leased_blocks_stay_the_callers() {
        let mut cache = KvCache::new(&config(), KvTypes::default(), 64);
        assert_eq!(cache.lease(), [0, 1, 2, 3]);
        let mut a = SequenceKv::default();
        a.place(&[2, 0], 20);
        cache.extend(&mut a, 12).unwrap();
        assert_eq!((a.len(), Slot::of(a.blocks(), 17)), (32, Slot { block: 0, offset: 1 }));
        assert!(cache.extend(&mut a, 1).is_err(), "there is no third block");
        a.place(&[2, 9], 20);
        assert!(cache.extend(&mut a, 1).is_err(), "there is no block 9");
        cache.release(&mut a);
        assert_eq!(cache.n_free_blocks(), 0);
    }

    #[test]
    fn a_full_cache_refuses_and_changes_nothing() {
        let mut cache = KvCache::new(&config(), KvTypes::default(), 32);
        let mut a = SequenceKv::default();
        cache.extend(&mut a, 20).unwrap();
        assert!(matches!(cache.extend(&mut a, 13), Err(EngineError::KvFull { n_blocks: 2 })));
        assert_eq!(a.len(), 20);
    }
}
