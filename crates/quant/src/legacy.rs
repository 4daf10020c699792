//! The 32-element types: one scale (and for the `_1` types one minimum) for every 32 weights.
//!
//! Nibbles of block `j` and `j + 16` share byte `j`; the fifth bits of Q5 types form one
//! little-endian u32.

use crate::{Activation, DType, DTypeInfo};
use half::f16;

const QK: usize = 32;

/// d, then 16 bytes of nibbles; `w = d * (q - 8)`. 4.5 bits per weight.
pub(crate) const Q4_0: DTypeInfo = row(
    DType::Q4_0,
    "Q4_0",
    2,
    2 + 16,
    |b, out| nibbles(f(b, 0), -8.0 * f(b, 0), &b[2..], None, out),
    |x, b| {
        let d = symmetric(x, 4);
        b[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
        pack(x, inverse(d), 8.5, 15, 0.0, &mut b[2..], None);
    },
    0.135,
);

/// d, m, then 16 bytes of nibbles; `w = d * q + m`. 5 bits per weight.
pub(crate) const Q4_1: DTypeInfo = row(
    DType::Q4_1,
    "Q4_1",
    3,
    4 + 16,
    |b, out| nibbles(f(b, 0), f(b, 2), &b[4..], None, out),
    |x, b| {
        let (d, m) = affine(x, 4);
        put_affine(d, m, b);
        pack(x, inverse(d), 0.5, 15, m, &mut b[4..], None);
    },
    0.07,
);

/// d, 4 bytes of fifth bits, then nibbles; `w = d * (q - 16)`. 5.5 bits per weight.
pub(crate) const Q5_0: DTypeInfo = row(
    DType::Q5_0,
    "Q5_0",
    6,
    2 + 4 + 16,
    |b, out| nibbles(f(b, 0), -16.0 * f(b, 0), &b[6..], Some(&b[2..6]), out),
    |x, b| {
        let d = symmetric(x, 5);
        b[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
        let (high, low) = b[2..].split_at_mut(4);
        pack(x, inverse(d), 16.5, 31, 0.0, low, Some(high));
    },
    0.066,
);

/// d, m, 4 bytes of fifth bits, then nibbles; `w = d * q + m`. 6 bits per weight.
pub(crate) const Q5_1: DTypeInfo = row(
    DType::Q5_1,
    "Q5_1",
    7,
    4 + 4 + 16,
    |b, out| nibbles(f(b, 0), f(b, 2), &b[8..], Some(&b[4..8]), out),
    |x, b| {
        let (d, m) = affine(x, 5);
        put_affine(d, m, b);
        let (high, low) = b[4..].split_at_mut(4);
        pack(x, inverse(d), 0.5, 31, m, low, Some(high));
    },
    0.034,
);

/// d, then 32 signed bytes; `w = d * q`. 8.5 bits per weight.
pub(crate) const Q8_0: DTypeInfo = row(
    DType::Q8_0,
    "Q8_0",
    8,
    2 + 32,
    |b, out| {
        let d = f(b, 0);
        for (out, &q) in out.iter_mut().zip(&b[2..]) {
            *out = d * f32::from(q as i8);
        }
    },
    |x, b| {
        let d = x.iter().fold(0.0f32, |m, v| m.max(v.abs())) / 127.0;
        b[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
        let inverse = inverse(d);
        for (q, v) in b[2..].iter_mut().zip(x) {
            *q = (v * inverse).round() as i8 as u8;
        }
    },
    0.0045,
);

const fn row(
    dtype: DType,
    name: &'static str,
    ggml_id: u32,
    block_bytes: usize,
    dequantize: fn(&[u8], &mut [f32]),
    quantize: fn(&[f32], &mut [u8]),
    max_roundtrip_err: f32,
) -> DTypeInfo {
    DTypeInfo {
        dtype,
        name,
        ggml_id,
        block_len: QK,
        block_bytes,
        activation: Activation::Int8,
        dequantize,
        quantize,
        max_roundtrip_err,
    }
}

/// The f16 at byte `at`, as f32.
fn f(b: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([b[at], b[at + 1]]).to_f32()
}

/// `out = d * q + m` for 16 bytes of nibbles and optional fifth bits.
fn nibbles(d: f32, m: f32, low: &[u8], high: Option<&[u8]>, out: &mut [f32]) {
    let high = high.map_or(0, |h| u32::from_le_bytes([h[0], h[1], h[2], h[3]]));
    for j in 0..QK / 2 {
        let first = u32::from(low[j] & 15) | (high >> j & 1) << 4;
        let second = u32::from(low[j] >> 4) | (high >> (j + 16) & 1) << 4;
        out[j] = d * first as f32 + m;
        out[j + QK / 2] = d * second as f32 + m;
    }
}

/// The scale of a symmetric type: the value of largest magnitude maps to the most negative code.
fn symmetric(x: &[f32], bits: u32) -> f32 {
    let extreme = x.iter().fold(0.0f32, |m, &v| if v.abs() > m.abs() { v } else { m });
    extreme / -((1i32 << (bits - 1)) as f32)
}

/// Scale and minimum of a type with an offset.
fn affine(x: &[f32], bits: u32) -> (f32, f32) {
    let low = x.iter().copied().fold(f32::INFINITY, f32::min);
    let high = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    ((high - low) / ((1u32 << bits) - 1) as f32, low)
}

fn put_affine(d: f32, m: f32, b: &mut [u8]) {
    b[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    b[2..4].copy_from_slice(&f16::from_f32(m).to_le_bytes());
}

fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// Codes `(x - m) * inverse + bias`, truncated, at most `max`; low four bits to nibbles, the fifth
/// to `high`.
fn pack(
    x: &[f32],
    inverse: f32,
    bias: f32,
    max: u32,
    m: f32,
    low: &mut [u8],
    high: Option<&mut [u8]>,
) {
    let code = |v: f32| (((v - m) * inverse + bias) as u32).min(max);
    let mut bits = 0u32;
    for j in 0..QK / 2 {
        let (first, second) = (code(x[j]), code(x[j + QK / 2]));
        low[j] = (first & 15 | (second & 15) << 4) as u8;
        bits |= (first >> 4) << j | (second >> 4) << (j + 16);
    }
    if let Some(high) = high {
        high.copy_from_slice(&bits.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hand-computed from the layout, independently of the quantizer.
    #[test]
    fn q4_1_block_by_hand() {
        let mut block = [0u8; 20];
        block[..2].copy_from_slice(&f16::from_f32(0.5).to_le_bytes());
        block[2..4].copy_from_slice(&f16::from_f32(-1.0).to_le_bytes());
        block[4] = 0xf2; // element 0 is 2, element 16 is 15
        let mut out = [0.0; 32];
        (Q4_1.dequantize)(&block, &mut out);
        assert_eq!((out[0], out[1], out[16]), (0.0, -1.0, 6.5));
    }

    #[test]
    fn q5_0_takes_its_fifth_bit_from_the_mask() {
        let mut block = [0u8; 22];
        block[..2].copy_from_slice(&f16::from_f32(1.0).to_le_bytes());
        block[2..6].copy_from_slice(&(1u32 | 1 << 31).to_le_bytes());
        block[6] = 0x03;
        let mut out = [0.0; 32];
        (Q5_0.dequantize)(&block, &mut out);
        assert_eq!((out[0], out[1], out[16], out[31]), (3.0, -16.0, -16.0, 0.0));
    }
}
