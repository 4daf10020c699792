//! Types of the KV cache, and how a page of each lies in memory.
//!
//! A page holds [`KV_BLOCK`] positions of one (layer, KV head) lane. Keys lie transposed, so that a
//! vector holds one dimension of many keys; values lie position by position:
//!
//! | type | keys | values |
//! |---|---|---|
//! | f32, f16 | `[dim][16]` elements | `[16][value_dim]` elements |
//! | q8_0 | for 32 dimensions each: `[16]` f16 scales, `[32][16]` signed bytes | the same scales, `[16][32]` signed bytes |
//! | q4_0 | for 32 dimensions each: `[16]` f16 scales, `[16][16]` bytes | the same scales, `[16][16]` bytes |
//!
//! Codes and scales are those of ggml's blocks of 32 (`quant` specifies them); a byte of q4_0 holds
//! dimension `j` in its low and `j + 16` in its high nibble. A head that is no multiple of 32 is
//! filled up with zeros. Here a page is written; `generic/attention.rs` reads it, and `kv_slot.rs` one
//! slot of it.

use crate::KernelSet;
use half::f16;
use pacemark_quant::{ActBlock, DType, QK};

/// Tokens in a KV block: one AVX-512 vector of keys.
pub const KV_BLOCK: usize = 16;
/// Largest head dimension that the kernels take.
pub const MAX_HEAD_DIM: usize = 512;
/// Bytes of the scales of one group of 32 dimensions.
pub(crate) const SCALES: usize = KV_BLOCK * 2;
/// Bytes of a group of 32 dimensions in q8_0.
pub(crate) const GROUP_Q8_0: usize = SCALES + QK * KV_BLOCK;
/// Bytes of a group of 32 dimensions in q4_0.
pub(crate) const GROUP_Q4_0: usize = SCALES + QK / 2 * KV_BLOCK;

/// `head_dim` rounded up so that a row of values is whole vectors on every ISA.
pub fn value_dim(head_dim: usize) -> usize {
    head_dim.next_multiple_of(16)
}

/// How a key or a value is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvType {
    /// Single precision.
    F32,
    /// Half precision.
    #[default]
    F16,
    /// Signed bytes with a scale for every 32.
    Q8_0,
    /// Nibbles with a scale for every 32.
    Q4_0,
}

/// The pairs of types that attention is compiled for: keys, values. Values bear narrower types than
/// keys do; each pair more would be three kernels more for every instruction set.
const PAIRS: [(KvType, KvType); 8] = [
    (KvType::F32, KvType::F32),
    (KvType::F16, KvType::F16),
    (KvType::F16, KvType::Q8_0),
    (KvType::F16, KvType::Q4_0),
    (KvType::Q8_0, KvType::F16),
    (KvType::Q8_0, KvType::Q8_0),
    (KvType::Q8_0, KvType::Q4_0),
    (KvType::Q4_0, KvType::Q4_0),
];

/// The types of keys and of values: a pair that attention can read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvTypes {
    k: KvType,
    v: KvType,
}

/// A pair of types that attention is not compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvPairError {
    k: KvType,
    v: KvType,
}

impl std::fmt::Display for KvPairError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pairs = PAIRS.map(|(k, v)| format!("{}/{}", k.name(), v.name())).join(", ");
        let (k, v) = (self.k.name(), self.v.name());
        write!(f, "KV cache with keys in {k} and values in {v}: the pairs are {pairs}")
    }
}

impl std::error::Error for KvPairError {}

impl KvType {
    /// Every type, in the order of the kernels' table.
    pub const ALL: [KvType; 4] = [KvType::F32, KvType::F16, KvType::Q8_0, KvType::Q4_0];

    /// Its name, llama.cpp's.
    pub fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::F16 => "f16",
            KvType::Q8_0 => "q8_0",
            KvType::Q4_0 => "q4_0",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<KvType> {
        KvType::ALL.into_iter().find(|kv_type| kv_type.name() == name)
    }

    /// The type of a tensor that stores its elements so.
    pub fn dtype(self) -> DType {
        match self {
            KvType::F32 => DType::F32,
            KvType::F16 => DType::F16,
            KvType::Q8_0 => DType::Q8_0,
            KvType::Q4_0 => DType::Q4_0,
        }
    }

    /// What stores elements as tensors of this type do.
    pub fn from_dtype(dtype: DType) -> Option<KvType> {
        KvType::ALL.into_iter().find(|kv_type| kv_type.dtype() == dtype)
    }

    /// Bytes of a page of `dim` elements a position.
    pub fn page_bytes(self, dim: usize) -> usize {
        match self {
            KvType::F32 => dim * KV_BLOCK * 4,
            KvType::F16 => dim * KV_BLOCK * 2,
            KvType::Q8_0 => dim.div_ceil(QK) * GROUP_Q8_0,
            KvType::Q4_0 => dim.div_ceil(QK) * GROUP_Q4_0,
        }
    }
}

impl KvTypes {
    /// Every pair there is.
    pub fn all() -> impl Iterator<Item = KvTypes> {
        PAIRS.into_iter().map(|(k, v)| KvTypes { k, v })
    }

    /// The pair, if attention can read it.
    pub fn new(k: KvType, v: KvType) -> Result<KvTypes, KvPairError> {
        if PAIRS.contains(&(k, v)) { Ok(KvTypes { k, v }) } else { Err(KvPairError { k, v }) }
    }

    /// Type of keys.
    pub fn k(self) -> KvType {
        self.k
    }

    /// Type of values.
    pub fn v(self) -> KvType {
        self.v
    }

    /// Bytes of a page of keys and of a page of values of one head.
    pub fn page_bytes(self, head_dim: usize) -> (usize, usize) {
        (self.k.page_bytes(head_dim), self.v.page_bytes(value_dim(head_dim)))
    }
}

/// Writes key `x` to slot `slot` of a page.
///
/// # Panics
/// If the page is shorter than [`KvType::page_bytes`], or `slot` is not below [`KV_BLOCK`].
pub fn write_key(kernels: &KernelSet, kv_type: KvType, x: &[f32], page: &mut [u8], slot: usize) {
    assert!(
        slot < KV_BLOCK && page.len() >= kv_type.page_bytes(x.len()),
        "write_key: page or slot"
    );
    match kv_type {
        KvType::F32 => {
            for (column, x) in page.chunks_exact_mut(KV_BLOCK * 4).zip(x) {
                column[slot * 4..][..4].copy_from_slice(&x.to_ne_bytes());
            }
        }
        KvType::F16 => {
            let mut halves = [0u16; MAX_HEAD_DIM];
            let halves = &mut halves[..x.len()];
            kernels.to_f16(x, halves);
            put_halves(halves, page, slot, KV_BLOCK);
        }
        KvType::Q8_0 => quantized(kernels, x, page, GROUP_Q8_0, slot, |block, codes| {
            for (column, &q) in codes.chunks_exact_mut(KV_BLOCK).zip(&block.q) {
                column[slot] = q as u8;
            }
        }),
        KvType::Q4_0 => nibbles(x, page, slot, |packed, codes| {
            for (column, &byte) in codes.chunks_exact_mut(KV_BLOCK).zip(packed) {
                column[slot] = byte;
            }
        }),
    }
}

/// Writes value `x` to slot `slot` of a page.
///
/// # Panics
/// If the page is shorter than [`KvType::page_bytes`] of [`value_dim`], or `slot` is not below
/// [`KV_BLOCK`].
pub fn write_value(kernels: &KernelSet, kv_type: KvType, x: &[f32], page: &mut [u8], slot: usize) {
    let width = value_dim(x.len());
    assert!(
        slot < KV_BLOCK && page.len() >= kv_type.page_bytes(width),
        "write_value: page or slot"
    );
    match kv_type {
        KvType::F32 => {
            for (place, x) in page[slot * width * 4..].chunks_exact_mut(4).zip(x) {
                place.copy_from_slice(&x.to_ne_bytes());
            }
        }
        KvType::F16 => {
            let mut halves = [0u16; MAX_HEAD_DIM];
            let halves = &mut halves[..x.len()];
            kernels.to_f16(x, halves);
            put_halves(halves, page, slot * width, 1);
        }
        KvType::Q8_0 => quantized(kernels, x, page, GROUP_Q8_0, slot, |block, codes| {
            for (place, &q) in codes[slot * QK..].iter_mut().zip(&block.q) {
                *place = q as u8;
            }
        }),
        KvType::Q4_0 => nibbles(x, page, slot, |packed, codes| {
            codes[slot * QK / 2..][..QK / 2].copy_from_slice(packed);
        }),
    }
}

/// Writes `halves` to every `step`-th 16-bit place of `page` from the place `first` on.
///
/// By plain assignment: a token has thousands of these, and two bytes by `copy_from_slice` through
/// `chunks_exact_mut` were four calls.
fn put_halves(halves: &[u16], page: &mut [u8], first: usize, step: usize) {
    let (places, _) = page.as_chunks_mut::<2>();
    for (i, half) in halves.iter().enumerate() {
        places[first + i * step] = half.to_ne_bytes();
    }
}

/// Quantizes `x` as activations are, and hands each group's codes to `store` after writing its
/// scale.
fn quantized(
    kernels: &KernelSet,
    x: &[f32],
    page: &mut [u8],
    group_bytes: usize,
    slot: usize,
    store: impl Fn(&ActBlock, &mut [u8]),
) {
    let mut padded = [0.0f32; MAX_HEAD_DIM];
    padded[..x.len()].copy_from_slice(x);
    let mut blocks = [ActBlock::ZERO; MAX_HEAD_DIM / QK];
    let blocks = &mut blocks[..x.len().div_ceil(QK)];
    kernels.quantize(&padded[..blocks.len() * QK], blocks);
    for (group, block) in page.chunks_exact_mut(group_bytes).zip(blocks) {
        let (scales, codes) = group.split_at_mut(SCALES);
        scales[slot * 2..][..2]
            .copy_from_slice(&f16::from_f32(block.scale).to_bits().to_ne_bytes());
        store(block, codes);
    }
}

/// Quantizes `x` to Q4_0 by its specification, and hands each group's packed nibbles to `store`
/// after writing its scale.
fn nibbles(x: &[f32], page: &mut [u8], slot: usize, store: impl Fn(&[u8], &mut [u8])) {
    let quantize = DType::Q4_0.info().quantize;
    for (group, x) in page.chunks_exact_mut(GROUP_Q4_0).zip(x.chunks(QK)) {
        let mut padded = [0.0f32; QK];
        padded[..x.len()].copy_from_slice(x);
        let mut block = [0u8; 2 + QK / 2];
        quantize(&padded, &mut block);
        let (scales, codes) = group.split_at_mut(SCALES);
        let scale = u16::from_le_bytes([block[0], block[1]]);
        scales[slot * 2..][..2].copy_from_slice(&scale.to_ne_bytes());
        store(&block[2..], codes);
    }
}
