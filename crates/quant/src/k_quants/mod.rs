//! The 256-element types: two levels of scales.
//!
//! Q2_K, Q4_K and Q5_K ([`affine`]) have a scale and a minimum for each sub-block, Q3_K and Q6_K
//! ([`symmetric`]) a signed scale. What sub-blocks share is a half-precision unit in which these
//! are small integers.

mod affine;
mod symmetric;

pub use affine::scale_min;
pub(crate) use affine::{Q2_K, Q4_K, Q5_K};
pub use symmetric::q3_scale;
pub(crate) use symmetric::{Q3_K, Q6_K};

use crate::{Activation, DType, DTypeInfo, Quantize};
use half::f16;

pub(crate) const QK_K: usize = 256;

pub(crate) const fn row(
    dtype: DType,
    name: &'static str,
    ggml_id: u32,
    block_bytes: usize,
    dequantize: fn(&[u8], &mut [f32]),
    quantize: Quantize,
    max_roundtrip_err: f32,
) -> DTypeInfo {
    DTypeInfo {
        dtype,
        name,
        ggml_id,
        block_len: QK_K,
        block_bytes,
        activation: Activation::Int8,
        dequantize,
        quantize,
        max_roundtrip_err,
    }
}

/// The f16 at byte `at`, as f32.
pub(crate) fn half_at(b: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([b[at], b[at + 1]]).to_f32()
}

/// Stores `value` as f16 at byte `at`, and gives back what was stored.
pub(crate) fn put_half(b: &mut [u8], at: usize, value: f32) -> f32 {
    let half = f16::from_f32(value);
    b[at..at + 2].copy_from_slice(&half.to_le_bytes());
    half.to_f32()
}

/// Sub-block `j` of `N` weights.
pub(crate) fn group<const N: usize>(x: &[f32], j: usize) -> &[f32; N] {
    let (groups, _) = x.as_chunks::<N>();
    &groups[j]
}
