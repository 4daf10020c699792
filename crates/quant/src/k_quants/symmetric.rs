//! Types with a signed scale for every 16 weights: `w = d * scale * q`, `q` around zero.
//!
//! Q3_K has 3-bit codes and 6-bit scales, Q6_K 6-bit codes and 8-bit scales.

use super::{QK_K, group, half_at, put_half, row};
use crate::search::{self, TINY, code, extreme, sum};
use crate::{DType, DTypeInfo};

/// 32 bytes of third bits, 64 bytes of low bit pairs, 12 bytes of 6-bit scales, d. 3.4375 bits per
/// weight.
pub(crate) const Q3_K: DTypeInfo = row(
    DType::Q3K,
    "Q3_K",
    11,
    32 + 64 + 12 + 2,
    |b, out| {
        let d = half_at(b, 108);
        for (i, out) in out.iter_mut().enumerate() {
            let (half, sub) = (i / 128, i / 32);
            let low = b[32 + half * 32 + i % 32] >> (sub % 4 * 2) & 3;
            let q = i32::from(low | (b[i % 32] >> sub & 1) << 2) - 4;
            *out = d * f32::from(q3_scale(i / 16, &b[96..108])) * q as f32;
        }
    },
    |x, b| {
        let fit = Fit::of(x, 4.0, 32.0);
        put_half(b, 108, fit.d);
        pack_q3_scales(&fit.scales, &mut b[96..108]);
        for (l, b) in b[..32].iter_mut().enumerate() {
            *b = (0..8).fold(0, |bits, sub| bits | (fit.codes[32 * sub + l] >> 2) << sub);
        }
        for (at, b) in b[32..96].iter_mut().enumerate() {
            *b = fit.pairs(at / 32, at % 32, 0);
        }
    },
    0.26,
);

/// 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, d. 6.5625 bits per
/// weight.
pub(crate) const Q6_K: DTypeInfo = row(
    DType::Q6K,
    "Q6_K",
    14,
    128 + 64 + 16 + 2,
    |b, out| {
        let d = half_at(b, 208);
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
    },
    |x, b| {
        let fit = Fit::of(x, 32.0, 128.0);
        put_half(b, 208, fit.d);
        for (b, scale) in b[192..208].iter_mut().zip(fit.scales) {
            *b = scale as u8;
        }
        for (at, b) in b[..128].iter_mut().enumerate() {
            let first = at / 64 * 128 + at % 64;
            *b = fit.codes[first] & 15 | (fit.codes[first + 64] & 15) << 4;
        }
        for (at, b) in b[128..192].iter_mut().enumerate() {
            *b = fit.pairs(at / 32, at % 32, 4);
        }
    },
    0.02,
);

/// The 6-bit scale (-32..32) of the sixteen weights `j` (0..16) from a Q3_K block's twelve packed
/// bytes.
pub fn q3_scale(j: usize, packed: &[u8]) -> i8 {
    let low = packed[j % 8] >> (j / 8 * 4) & 15;
    let high = packed[8 + j % 4] >> (j / 4 * 2) & 3;
    (low | high << 4) as i8 - 32
}

/// The inverse of [`q3_scale`].
fn pack_q3_scales(scales: &[i8; 16], packed: &mut [u8]) {
    packed.fill(0);
    for (j, &scale) in scales.iter().enumerate() {
        let scale = (scale + 32) as u8;
        packed[j % 8] |= (scale & 15) << (j / 8 * 4);
        packed[8 + j % 4] |= (scale >> 4) << (j / 4 * 2);
    }
}

/// A block's parameters: sixteen groups of sixteen weights. Codes are stored with their offset
/// added.
struct Fit {
    d: f32,
    scales: [i8; 16],
    codes: [u8; QK_K],
}

impl Fit {
    /// Fits `x` with codes in `-half..half` and scales in `-most..most`.
    fn of(x: &[f32], half: f32, most: f32) -> Fit {
        let mut fit = Fit { d: 0.0, scales: [0; 16], codes: [half as u8; QK_K] };
        let wished: [f32; 16] = std::array::from_fn(|j| search::symmetric(group::<16>(x, j), half));
        let largest = extreme(&wished);
        if largest.abs() < TINY {
            return fit;
        }
        // As with codes, the extreme scale takes the end that reaches further.
        fit.d = half::f16::from_f32(-largest / most).to_f32();
        if fit.d == 0.0 {
            return fit;
        }
        for (j, &scale) in wished.iter().enumerate() {
            let x = group::<16>(x, j);
            let start = code(scale / fit.d, -most, most - 1.0);
            let scale = best_near(x, fit.d, start, half, most);
            fit.scales[j] = scale as i8;
            let inverse = inverse(fit.d * scale);
            for (stored, &x) in fit.codes[j * 16..].iter_mut().zip(x) {
                *stored = (code(x * inverse, -half, half - 1.0) + half) as u8;
            }
        }
        fit
    }

    /// Bits `at` and `at + 1` of four codes that share a byte: `l` of each quarter of the given
    /// half.
    fn pairs(&self, half: usize, l: usize, at: u32) -> u8 {
        (0..4).fold(0, |pairs, quarter| {
            pairs | (self.codes[half * 128 + quarter * 32 + l] >> at & 3) << (2 * quarter)
        })
    }
}

fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// The integer scale with the least weighted error among `start` and its neighbours.
fn best_near(x: &[f32; 16], d: f32, start: f32, half: f32, most: f32) -> f32 {
    let mut best = (f32::INFINITY, start);
    for scale in [start, start - 1.0, start + 1.0] {
        if !(-most..=most - 1.0).contains(&scale) {
            continue;
        }
        let inverse = inverse(d * scale);
        let error = sum::<16>(|i| {
            let e = d * scale * code(x[i] * inverse, -half, half - 1.0) - x[i];
            x[i] * x[i] * e * e
        });
        if error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q3_scales_unpack_as_they_were_packed() {
        let scales: [i8; 16] = std::array::from_fn(|j| (j * 13 % 64) as i8 - 32);
        let mut packed = [0u8; 12];
        pack_q3_scales(&scales, &mut packed);
        for (j, &scale) in scales.iter().enumerate() {
            assert_eq!(q3_scale(j, &packed), scale, "group {j}");
        }
    }
}
