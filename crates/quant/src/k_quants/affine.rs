//! Types with a scale and a minimum for each sub-block: `w = d * scale * q - dmin * min`.
//!
//! Q4_K and Q5_K have eight sub-blocks of 32 with 6-bit scales and minimums, Q2_K sixteen of 16
//! with 4-bit ones.

use super::{QK_K, group, half_at, put_half, row};
use crate::search::{self, Grid, code, sum};
use crate::{DType, DTypeInfo};

/// 16 bytes of scales (low nibble) and minimums (high), 64 bytes of bit pairs, d, dmin. 2.625 bits
/// per weight.
pub(crate) const Q2_K: DTypeInfo = row(
    DType::Q2K,
    "Q2_K",
    10,
    16 + 64 + 4,
    |b, out| {
        let (d, dmin) = (half_at(b, 80), half_at(b, 82));
        for (i, out) in out.iter_mut().enumerate() {
            let (half, shift) = (i / 128, i % 128 / 32 * 2);
            let q = b[16 + half * 32 + i % 32] >> shift & 3;
            let scales = b[i / 16];
            *out = d * f32::from(scales & 15) * f32::from(q) - dmin * f32::from(scales >> 4);
        }
    },
    |x, b| {
        let grid = Grid { levels: 3.0, from: -0.5, steps: 15 };
        let fit = Fit::<16, 16>::of(x, &grid, 15.0, |_, v| v.abs());
        put_half(b, 80, fit.d);
        put_half(b, 82, fit.dmin);
        for (b, (scale, min)) in b.iter_mut().zip(fit.scales.iter().zip(fit.mins)) {
            *b = scale | min << 4;
        }
        for (at, b) in b[16..80].iter_mut().enumerate() {
            let first = at / 32 * 128 + at % 32;
            *b = (0..4)
                .fold(0, |pairs, quarter| pairs | fit.codes[first + 32 * quarter] << (2 * quarter));
        }
    },
    0.35,
);

/// d, dmin, 12 bytes of 6-bit scales, 128 bytes of nibbles. 4.5 bits per weight.
pub(crate) const Q4_K: DTypeInfo = row(
    DType::Q4K,
    "Q4_K",
    12,
    4 + 12 + 128,
    |b, out| {
        for (pair, out) in out.chunks_exact_mut(64).enumerate() {
            let low = &b[16 + pair * 32..][..32];
            five_or_four(b, pair, low, None, out);
        }
    },
    |x, b| {
        let grid = Grid { levels: 15.0, from: -1.0, steps: 20 };
        let fit = Fit::<32, 8>::of(x, &grid, 63.0, |rms, v| rms + v.abs());
        let (head, low) = b.split_at_mut(16);
        fit.put_head(head);
        fit.put_nibbles(low);
    },
    0.085,
);

/// As Q4_K with 32 bytes of fifth bits between scales and nibbles. 5.5 bits per weight.
pub(crate) const Q5_K: DTypeInfo = row(
    DType::Q5K,
    "Q5_K",
    13,
    4 + 12 + 32 + 128,
    |b, out| {
        for (pair, out) in out.chunks_exact_mut(64).enumerate() {
            let low = &b[48 + pair * 32..][..32];
            five_or_four(b, pair, low, Some(&b[16..48]), out);
        }
    },
    |x, b| {
        let grid = Grid { levels: 31.0, from: -0.5, steps: 15 };
        let fit = Fit::<32, 8>::of(x, &grid, 63.0, |rms, v| rms + v.abs());
        let (head, rest) = b.split_at_mut(16);
        let (high, low) = rest.split_at_mut(32);
        fit.put_head(head);
        fit.put_nibbles(low);
        for (l, b) in high.iter_mut().enumerate() {
            *b = (0..8).fold(0, |bits, j| bits | (fit.codes[32 * j + l] >> 4) << j);
        }
    },
    0.04,
);

/// The 6-bit scale and minimum of sub-block `j` (0..8) from the twelve packed bytes (ggml's
/// `get_scale_min_k4`).
pub fn scale_min(j: usize, packed: &[u8]) -> (u8, u8) {
    if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | (packed[j - 4] >> 6) << 4, packed[j + 4] >> 4 | (packed[j] >> 6) << 4)
    }
}

/// The inverse of [`scale_min`]: twelve bytes from eight scales and minimums.
fn pack_scale_min(scales: &[u8], mins: &[u8], packed: &mut [u8]) {
    for j in 0..4 {
        packed[j] = scales[j] | (scales[j + 4] >> 4) << 6;
        packed[j + 4] = mins[j] | (mins[j + 4] >> 4) << 6;
        packed[j + 8] = scales[j + 4] & 15 | (mins[j + 4] & 15) << 4;
    }
}

/// Sub-blocks `2 * pair` (low nibbles) and `2 * pair + 1` (high nibbles) of a Q4_K or Q5_K block.
fn five_or_four(b: &[u8], pair: usize, low: &[u8], high: Option<&[u8]>, out: &mut [f32]) {
    let (d, dmin) = (half_at(b, 0), half_at(b, 2));
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

/// A block's parameters: `G` groups of `N` weights.
struct Fit<const N: usize, const G: usize> {
    d: f32,
    dmin: f32,
    scales: [u8; G],
    mins: [u8; G],
    codes: [u8; QK_K],
}

impl<const N: usize, const G: usize> Fit<N, G> {
    /// Fits `x`. Scales and minimums are at most `most`; `weight(rms of the group, value)` says how
    /// much a value counts.
    fn of(x: &[f32], grid: &Grid, most: f32, weight: impl Fn(f32, f32) -> f32) -> Fit<N, G> {
        let weights: [[f32; N]; G] = std::array::from_fn(|j| {
            let x = group::<N>(x, j);
            let rms = (sum::<N>(|i| x[i] * x[i]) / N as f32).sqrt();
            x.map(|v| weight(rms, v))
        });
        let fits: [(f32, f32); G] =
            std::array::from_fn(|j| search::affine(group::<N>(x, j), &weights[j], grid));
        let largest = |of: fn(&(f32, f32)) -> f32| fits.iter().map(of).fold(0.0, f32::max);
        let (d, dmin) = (largest(|fit| fit.0) / most, largest(|fit| fit.1) / most);
        // What the file will hold, not what was wished for, is what scales and codes are chosen by.
        let (d, dmin) = (half::f16::from_f32(d).to_f32(), half::f16::from_f32(dmin).to_f32());
        let mut fit = Fit { d, dmin, scales: [0; G], mins: [0; G], codes: [0; QK_K] };
        for (j, &(scale, min)) in fits.iter().enumerate() {
            let (x, weights) = (group::<N>(x, j), &weights[j]);
            let steps = |value: f32, unit: f32| {
                if unit > 0.0 { code(value / unit, 0.0, most) } else { 0.0 }
            };
            let (scale, min) =
                best_near((steps(scale, d), steps(min, dmin)), most, |scale, min| {
                    error(x, weights, d * scale, dmin * min, grid.levels)
                });
            (fit.scales[j], fit.mins[j]) = (scale as u8, min as u8);
            let inverse = inverse(d * scale);
            for (code, &x) in fit.codes[j * N..].iter_mut().zip(x) {
                *code = self::code((x + dmin * min) * inverse, 0.0, grid.levels) as u8;
            }
        }
        fit
    }

    /// d, dmin and the twelve bytes of 6-bit scales.
    fn put_head(&self, b: &mut [u8]) {
        put_half(b, 0, self.d);
        put_half(b, 2, self.dmin);
        pack_scale_min(&self.scales, &self.mins, &mut b[4..16]);
    }

    /// The low four bits of all codes, two sub-blocks to 32 bytes.
    fn put_nibbles(&self, b: &mut [u8]) {
        for (at, b) in b.iter_mut().enumerate() {
            let first = at / 32 * 64 + at % 32;
            *b = self.codes[first] & 15 | (self.codes[first + 32] & 15) << 4;
        }
    }
}

fn inverse(d: f32) -> f32 {
    if d > 0.0 { 1.0 / d } else { 0.0 }
}

/// Weighted squared error of a group whose codes are chosen by these very parameters.
fn error<const N: usize>(x: &[f32; N], weights: &[f32; N], d: f32, m: f32, levels: f32) -> f32 {
    let inverse = inverse(d);
    sum::<N>(|i| {
        let e = d * code((x[i] + m) * inverse, 0.0, levels) - m - x[i];
        weights[i] * e * e
    })
}

/// Rounding a scale and a minimum to integers one by one is not the best pair of integers: looks
/// one step around.
fn best_near(start: (f32, f32), most: f32, error: impl Fn(f32, f32) -> f32) -> (f32, f32) {
    let mut best = (f32::INFINITY, start);
    for (scale, min) in [-1.0, 0.0, 1.0]
        .into_iter()
        .flat_map(|s| [-1.0, 0.0, 1.0].map(|m| (start.0 + s, start.1 + m)))
    {
        if (0.0..=most).contains(&scale) && (0.0..=most).contains(&min) {
            let error = error(scale, min);
            if error < best.0 {
                best = (error, (scale, min));
            }
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bit_scales_unpack_as_they_were_packed() {
        let (scales, mins) = ([1u8, 63, 17, 32, 48, 5, 60, 33], [2u8, 62, 16, 31, 47, 6, 59, 34]);
        let mut packed = [0u8; 12];
        pack_scale_min(&scales, &mins, &mut packed);
        for j in 0..8 {
            assert_eq!(scale_min(j, &packed), (scales[j], mins[j]), "sub-block {j}");
        }
    }
}
