//! The KV cache: pages of [`KV_BLOCK`] tokens in half precision.
//!
//! A block number names the same place in every (layer, KV head) lane. A sequence holds a table of blocks and the position
//! stored in each slot; attention masks by that position. What a lane's bytes mean is stated in `kernels::attention`.

use crate::{EngineError, ModelConfig};
use pacemark_kernels::{KV_BLOCK, KernelSet, KvLane, Team, value_dim};

/// All lanes of all layers, and which blocks are free.
pub struct KvCache {
    n_kv_heads: usize,
    head_dim: usize,
    n_blocks: usize,
    /// A layer each: `[n_kv_heads][n_blocks][head_dim][KV_BLOCK]`. Zeroed memory that the system commits on first use.
    keys: Vec<Vec<u16>>,
    /// A layer each: `[n_kv_heads][n_blocks][KV_BLOCK][value_dim]`.
    values: Vec<Vec<u16>>,
    free: Vec<u32>,
}

/// One sequence's share of the cache. Give it back with [`KvCache::release`].
#[derive(Debug, Default)]
pub struct SequenceKv {
    blocks: Vec<u32>,
    positions: Vec<i32>,
}

impl SequenceKv {
    /// Tokens held: also the position of the next one.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    pub(crate) fn blocks(&self) -> &[u32] {
        &self.blocks
    }

    pub(crate) fn positions(&self) -> &[i32] {
        &self.positions
    }
}

impl KvCache {
    /// Bytes that a cache for `n_ctx` tokens reserves; `None` on overflow.
    pub fn bytes_for(config: &ModelConfig, n_ctx: usize) -> Option<u64> {
        let slots = (n_ctx.div_ceil(KV_BLOCK) as u64).checked_mul(KV_BLOCK as u64)?;
        let elements = (config.head_dim + value_dim(config.head_dim)) * config.n_kv_heads * config.layers.len();
        slots.checked_mul(elements as u64)?.checked_mul(2)
    }

    /// An empty cache for `n_ctx` tokens in all. The caller has checked [`Self::bytes_for`] against the memory there is.
    pub fn new(config: &ModelConfig, n_ctx: usize) -> KvCache {
        let n_blocks = n_ctx.div_ceil(KV_BLOCK);
        let slots = n_blocks * KV_BLOCK * config.n_kv_heads;
        let lanes = |dim: usize| config.layers.iter().map(|_| vec![0u16; slots * dim]).collect();
        KvCache {
            n_kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
            n_blocks,
            keys: lanes(config.head_dim),
            values: lanes(value_dim(config.head_dim)),
            free: (0..n_blocks as u32).rev().collect(),
        }
    }

    /// Bytes reserved over all layers.
    pub fn allocated_bytes(&self) -> u64 {
        let elements: usize = self.keys.iter().chain(&self.values).map(Vec::len).sum();
        elements as u64 * 2
    }

    /// Bytes of the blocks in use over all layers.
    pub fn used_bytes(&self) -> u64 {
        let used = (self.n_blocks - self.free.len()) as u64;
        if self.n_blocks == 0 { 0 } else { self.allocated_bytes() / self.n_blocks as u64 * used }
    }

    /// Blocks that no sequence holds.
    pub fn n_free_blocks(&self) -> usize {
        self.free.len()
    }

    /// Makes room for `n` more tokens of `sequence`; nothing changes if there is not enough.
    pub(crate) fn extend(&mut self, sequence: &mut SequenceKv, n: usize) -> Result<(), EngineError> {
        let len = sequence.positions.len() + n;
        let more = len.div_ceil(KV_BLOCK).saturating_sub(sequence.blocks.len());
        if more > self.free.len() {
            return Err(EngineError::KvFull { n_blocks: self.n_blocks });
        }
        sequence.blocks.extend(self.free.drain(self.free.len() - more..).rev());
        let from = sequence.positions.len() as i32;
        sequence.positions.extend(from..from + n as i32);
        Ok(())
    }

    /// Forgets all but the first `len` tokens of `sequence`.
    pub fn truncate(&mut self, sequence: &mut SequenceKv, len: usize) {
        sequence.positions.truncate(len);
        let keep = sequence.positions.len().div_ceil(KV_BLOCK);
        self.free.extend(sequence.blocks.drain(keep..).rev());
    }

    /// Takes back everything `sequence` holds.
    pub fn release(&mut self, sequence: &mut SequenceKv) {
        self.truncate(sequence, 0);
    }

    /// The lanes of one layer, a KV head each.
    pub(crate) fn lanes(&self, layer: usize) -> Vec<KvLane<'_>> {
        let (k, v) = (self.key_lane(), self.value_lane());
        self.keys[layer].chunks_exact(k).zip(self.values[layer].chunks_exact(v)).map(|(k, v)| KvLane { k, v }).collect()
    }

    fn key_lane(&self) -> usize {
        self.n_blocks * KV_BLOCK * self.head_dim
    }

    fn value_lane(&self) -> usize {
        self.n_blocks * KV_BLOCK * value_dim(self.head_dim)
    }

    /// Stores keys and values of a batch, `[n_tokens, n_kv_heads * head_dim]` each; token `t` goes to `slots[t]`.
    pub(crate) fn write(
        &mut self,
        team: &Team,
        kernels: &'static KernelSet,
        layer: usize,
        slots: &[Slot],
        k: &[f32],
        v: &[f32],
    ) {
        let (head_dim, width) = (self.head_dim, self.n_kv_heads * self.head_dim);
        let value_dim = value_dim(head_dim);
        let (key_lane, value_lane) = (self.key_lane(), self.value_lane());
        let keys = (&mut self.keys[layer][..], key_lane);
        let values = (&mut self.values[layer][..], value_lane);
        team.rows2(keys, values, &|head, keys, values| {
            let mut halves = [0u16; pacemark_kernels::MAX_HEAD_DIM];
            let halves = &mut halves[..head_dim];
            for (t, slot) in slots.iter().enumerate() {
                let from = t * width + head * head_dim;
                kernels.to_f16(&k[from..from + head_dim], halves);
                let block = &mut keys[slot.block as usize * KV_BLOCK * head_dim..][..KV_BLOCK * head_dim];
                for (column, &half) in block.chunks_exact_mut(KV_BLOCK).zip(halves.iter()) {
                    column[slot.offset] = half;
                }
                let row = (slot.block as usize * KV_BLOCK + slot.offset) * value_dim;
                kernels.to_f16(&v[from..from + head_dim], &mut values[row..row + head_dim]);
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

impl SequenceKv {
    /// The slot of token `index`.
    pub(crate) fn slot(&self, index: usize) -> Slot {
        Slot { block: self.blocks[index / KV_BLOCK], offset: index % KV_BLOCK }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ffn, LayerKind, NormKind, NormPlacement, RopeStyle};

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
            qk_norm: false,
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
            layers: vec![LayerKind { window: None, rope_theta: 1e4, rope_factor: 1.0 }; 2],
        }
    }

    #[test]
    fn blocks_are_neither_lost_nor_given_twice() {
        let mut cache = KvCache::new(&config(), 100);
        assert_eq!(cache.n_free_blocks(), 7);
        assert_eq!(Some(cache.allocated_bytes()), KvCache::bytes_for(&config(), 100));
        let (mut a, mut b) = (SequenceKv::default(), SequenceKv::default());
        for step in 0..200usize {
            let sequence = if step % 2 == 0 { &mut a } else { &mut b };
            if cache.extend(sequence, step % 23 + 1).is_err() {
                cache.truncate(sequence, step % 17);
            }
            let mut held: Vec<u32> = a.blocks().iter().chain(b.blocks()).chain(&cache.free).copied().collect();
            held.sort_unstable();
            assert_eq!(held, (0..7).collect::<Vec<u32>>(), "step {step}");
            assert_eq!(a.blocks().len(), a.len().div_ceil(KV_BLOCK));
        }
        cache.release(&mut a);
        cache.release(&mut b);
        assert_eq!((cache.n_free_blocks(), cache.used_bytes()), (7, 0));
    }

    #[test]
    fn a_full_cache_refuses_and_changes_nothing() {
        let mut cache = KvCache::new(&config(), 32);
        let mut a = SequenceKv::default();
        cache.extend(&mut a, 20).unwrap();
        assert!(matches!(cache.extend(&mut a, 13), Err(EngineError::KvFull { n_blocks: 2 })));
        assert_eq!(a.len(), 20);
    }
}
