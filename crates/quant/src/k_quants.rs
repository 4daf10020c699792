//! The 256-element types: two levels of scales.
//!
//! Q4_K and Q5_K: eight sub-blocks of 32 with 6-bit scale and minimum; Q6_K: sixteen sub-blocks of 16 with an int8 scale.

use crate::{Activation, DType, DTypeInfo};
use half::f16;

const QK_K: usize = 256;

/// d, dmin, 12 bytes of 6-bit scales, 128 bytes of nibbles. 4.5 bits per weight.
pub const Q4_K: DTypeInfo = row(DType::Q4K, "Q4_K", 12, 4 + 12 + 128, |b, out| {
    for (pair, out) in out.chunks_exact_mut(64).enumerate() {
        let low = &b[16 + pair * 32..][..32];
        five_or_four(b, pair, low, None, out);
    }
});

/// As Q4_K with 32 bytes of fifth bits between scales and nibbles. 5.5 bits per weight.
pub const Q5_K: DTypeInfo = row(DType::Q5K, "Q5_K", 13, 4 + 12 + 32 + 128, |b, out| {
    for (pair, out) in out.chunks_exact_mut(64).enumerate() {
        let low = &b[48 + pair * 32..][..32];
        five_or_four(b, pair, low, Some(&b[16..48]), out);
    }
});

/// 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, d. 6.5625 bits per weight.
pub const Q6_K: DTypeInfo = row(DType::Q6K, "Q6_K", 14, 128 + 64 + 16 + 2, |b, out| {
    let d = f16::from_le_bytes([b[208], b[209]]).to_f32();
    for (half, out) in out.chunks_exact_mut(128).enumerate() {
        let low = &b[half * 64..][..64];
        let high = &b[128 + half * 32..][..32];
        let scales = &b[192 + half * 8..][..8];
        for (i, out) in out.iter_mut().enumerate() {
            let (quarter, l) = (i / 32, i % 32);
            let nibble = low[l + 32 * (quarter % 2)] >> (4 * (quarter / 2)) & 15;
            let q = i32::from(nibble | (high[l] >> (2 * quarter) & 3) << 4) - 32;
            *out = d * f32::from(scales[i / 16] as i8) * q as f32;
        }
    }
});

const fn row(
    dtype: DType,
    name: &'static str,
    ggml_id: u32,
    block_bytes: usize,
    dequantize: fn(&[u8], &mut [f32]),
) -> DTypeInfo {
    let activation = Activation::Int8;
    DTypeInfo {
        dtype,
        name,
        ggml_id,
        block_len: QK_K,
        block_bytes,
        activation,
        dequantize,
        quantize: None,
        max_roundtrip_err: 0.0,
    }
}

/// The 6-bit scale and minimum of sub-block `j` (0..8) from the twelve packed bytes (ggml's `get_scale_min_k4`).
pub fn scale_min(j: usize, packed: &[u8]) -> (u8, u8) {
    if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | (packed[j - 4] >> 6) << 4, packed[j + 4] >> 4 | (packed[j] >> 6) << 4)
    }
}

/// Sub-blocks `2 * pair` (low nibbles) and `2 * pair + 1` (high nibbles) of a Q4_K or Q5_K block.
fn five_or_four(b: &[u8], pair: usize, low: &[u8], high: Option<&[u8]>, out: &mut [f32]) {
    let d = f16::from_le_bytes([b[0], b[1]]).to_f32();
    let dmin = f16::from_le_bytes([b[2], b[3]]).to_f32();
    for (side, out) in out.chunks_exact_mut(32).enumerate() {
        let (scale, min) = scale_min(2 * pair + side, &b[4..16]);
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        for (l, out) in out.iter_mut().enumerate() {
            let fifth = high.map_or(0, |h| h[l] >> (2 * pair + side) & 1);
            let q = (low[l] >> (4 * side) & 15) | fifth << 4;
            *out = scale * f32::from(q) - min;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bit_scales_unpack_as_they_were_packed() {
        let (scales, mins) = ([1u8, 63, 17, 32, 48, 5, 60, 33], [2u8, 62, 16, 31, 47, 6, 59, 34]);
        let mut packed = [0u8; 12];
        for j in 0..4 {
            packed[j] = scales[j] | (scales[j + 4] >> 4) << 6;
            packed[j + 4] = mins[j] | (mins[j + 4] >> 4) << 6;
            packed[j + 8] = scales[j + 4] & 15 | (mins[j + 4] & 15) << 4;
        }
        for j in 0..8 {
            assert_eq!(scale_min(j, &packed), (scales[j], mins[j]), "sub-block {j}");
        }
    }
}
