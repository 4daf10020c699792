//! The 4-bit types whose codes are indices of a table instead of steps of a ruler.
//!
//! IQ4_NL and IQ4_XS share ggml's table, which is denser around zero, where most weights are; MXFP4
//! is the microscaling float of the Open Compute Project: four-bit floats (E2M1) with a power of
//! two for every 32 (E8M0). Nibbles of weights `j` and `j + 16` of 32 share a byte.

use crate::k_quants::{QK_K, group, half_at, put_half};
use crate::search::{TINY, better, code, extreme, sum};
use crate::{Activation, DType, DTypeInfo};

const QK: usize = 32;

/// What the codes of IQ4_NL and IQ4_XS stand for.
pub const IQ4_VALUES: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// What the codes of MXFP4 stand for, doubled so that they are integers; `mxfp4_scale` is halved
/// to match.
pub const MXFP4_VALUES: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// d, then 16 bytes of nibbles; `w = d * IQ4_VALUES[q]`. 4.5 bits per weight.
pub(crate) const IQ4_NL: DTypeInfo = DTypeInfo {
    dtype: DType::IQ4NL,
    name: "IQ4_NL",
    ggml_id: 20,
    block_len: QK,
    block_bytes: 2 + 16,
    activation: Activation::Int8,
    dequantize: |b, out| expand(half_at(b, 0), &IQ4_VALUES, &b[2..18], out),
    quantize: |x, b| {
        let x = group::<QK>(x, 0);
        let d = put_half(b, 0, fit_iq4(x));
        put_iq4(x, d, &mut b[2..18]);
    },
    max_roundtrip_err: 0.13,
};

/// d, two high bits of eight 6-bit scales (u16), their low nibbles (4 bytes), 128 bytes of nibbles.
/// 4.25 bits per weight.
pub(crate) const IQ4_XS: DTypeInfo = DTypeInfo {
    dtype: DType::IQ4XS,
    name: "IQ4_XS",
    ggml_id: 23,
    block_len: QK_K,
    block_bytes: 2 + 2 + 4 + 128,
    activation: Activation::Int8,
    dequantize: |b, out| {
        for (j, out) in out.chunks_exact_mut(QK).enumerate() {
            let scale = half_at(b, 0) * f32::from(iq4_xs_scale(j, b));
            expand(scale, &IQ4_VALUES, &b[8 + j * 16..][..16], out);
        }
    },
    quantize: |x, b| {
        let wished: [f32; 8] = std::array::from_fn(|j| fit_iq4(group::<QK>(x, j)));
        let d = put_half(b, 0, -extreme(&wished) / 32.0);
        b[2..8].fill(0);
        for (j, &scale) in wished.iter().enumerate() {
            let x = group::<QK>(x, j);
            let start = if d == 0.0 { 0.0 } else { code(scale / d, -32.0, 31.0) };
            let scale = best_near(x, d, start);
            let stored = (scale + 32.0) as u8;
            b[4 + j / 2] |= (stored & 15) << (j % 2 * 4);
            b[2 + j / 4] |= (stored >> 4) << (j % 4 * 2);
            put_iq4(x, d * scale, &mut b[8 + j * 16..][..16]);
        }
    },
    max_roundtrip_err: 0.13,
};

/// The exponent, then 16 bytes of nibbles; `w = 2^(e - 128) * MXFP4_VALUES[q]`. 4.25 bits per
/// weight.
pub(crate) const MXFP4: DTypeInfo = DTypeInfo {
    dtype: DType::MXFP4,
    name: "MXFP4",
    ggml_id: 39,
    block_len: QK,
    block_bytes: 1 + 16,
    activation: Activation::Int8,
    dequantize: |b, out| expand(mxfp4_scale(b[0]), &MXFP4_VALUES, &b[1..17], out),
    quantize: |x, b| {
        let x = group::<QK>(x, 0);
        let exponent = fit_mxfp4(x);
        b[0] = exponent;
        let inverse = if exponent == 0 { 0.0 } else { 1.0 / mxfp4_scale(exponent) };
        put_nibbles(&mut b[1..17], |i| {
            let scaled = x[i] * inverse;
            mxfp4_index(scaled) | u8::from(scaled < 0.0) << 3
        });
    },
    max_roundtrip_err: 0.26,
};

/// Half of the power of two that an E8M0 exponent stands for.
pub(crate) fn mxfp4_scale(exponent: u8) -> f32 {
    match exponent {
        0 | 1 => f32::from_bits(0x0020_0000 << exponent), // below the smallest normal number
        _ => f32::from_bits(u32::from(exponent - 1) << 23),
    }
}

/// The 6-bit scale (-32..32) of the 32 weights `j` (0..8) of an IQ4_XS block.
pub fn iq4_xs_scale(j: usize, block: &[u8]) -> i8 {
    let low = block[4 + j / 2] >> (j % 2 * 4) & 15;
    let high = block[2 + j / 4] >> (j % 4 * 2) & 3;
    (low | high << 4) as i8 - 32
}

fn expand(scale: f32, values: &[i8; 16], nibbles: &[u8], out: &mut [f32]) {
    let (first, second) = out.split_at_mut(QK / 2);
    for ((first, second), &b) in first.iter_mut().zip(second).zip(nibbles) {
        *first = scale * f32::from(values[usize::from(b & 15)]);
        *second = scale * f32::from(values[usize::from(b >> 4)]);
    }
}

fn put_nibbles(out: &mut [u8], index: impl Fn(usize) -> u8) {
    for (j, b) in out.iter_mut().enumerate() {
        *b = index(j) | index(j + QK / 2) << 4;
    }
}

/// Halfway between neighbours of [`IQ4_VALUES`], and how far apart they are.
const IQ4_STEPS: [(f32, f32); 15] = {
    let mut steps = [(0.0, 0.0); 15];
    let mut i = 0;
    while i < 15 {
        let (low, high) = (IQ4_VALUES[i] as f32, IQ4_VALUES[i + 1] as f32);
        steps[i] = ((low + high) / 2.0, high - low);
        i += 1;
    }
    steps
};

/// The value of [`IQ4_VALUES`] nearest to `x`, found by adding up the steps below it: branch-free,
/// so that it vectorizes.
#[inline(always)]
fn nearest_iq4(x: f32) -> f32 {
    IQ4_STEPS.iter().fold(f32::from(IQ4_VALUES[0]), |at, &(middle, step)| {
        at + if x >= middle { step } else { 0.0 }
    })
}

/// The best scale for 32 weights, each counting by its square: grids on which the extreme weight
/// meets a value near either end of the table.
fn fit_iq4(x: &[f32; QK]) -> f32 {
    let largest = extreme(x);
    if largest.abs() < TINY {
        return 0.0;
    }
    let mut best = (0.0, 0.0);
    let first = f32::from(IQ4_VALUES[0]);
    for target in (-7..=7).map(|step| first + step as f32).chain([-first]) {
        let inverse = target / largest;
        let codes = x.map(|x| nearest_iq4(x * inverse));
        better(&mut best, x, &codes);
    }
    best.1
}

/// Stores the indices of the values nearest to `x / d`.
fn put_iq4(x: &[f32; QK], d: f32, out: &mut [u8]) {
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    put_nibbles(out, |i| {
        IQ4_STEPS.iter().map(|&(middle, _)| u8::from(x[i] * inverse >= middle)).sum()
    });
}

/// The integer scale with the least weighted error among `start` and its neighbours.
fn best_near(x: &[f32; QK], d: f32, start: f32) -> f32 {
    let mut best = (f32::INFINITY, start);
    for scale in [start, start - 1.0, start + 1.0] {
        let unit = d * scale;
        let inverse = if unit == 0.0 { 0.0 } else { 1.0 / unit };
        let error = sum::<QK>(|i| {
            let e = unit * nearest_iq4(x[i] * inverse) - x[i];
            x[i] * x[i] * e * e
        });
        if error < best.0 && (-32.0..=31.0).contains(&scale) {
            best = (error, scale);
        }
    }
    best.1
}

/// Index of the magnitude in [`MXFP4_VALUES`] nearest to `x`'s.
fn mxfp4_index(x: f32) -> u8 {
    [0.5, 1.5, 2.5, 3.5, 5.0, 7.0, 10.0].iter().map(|&middle| u8::from(x.abs() > middle)).sum()
}

/// The exponent with the least squared error: that with which the largest weight is in the table's
/// last octave, or the next one, which does not clip it.
fn fit_mxfp4(x: &[f32; QK]) -> u8 {
    let largest = extreme(x).abs();
    let octave = (largest.to_bits() >> 23) as i32; // biased as the exponent of the block is
    if octave < 3 {
        return 0;
    }
    let first = (octave - 2).clamp(1, 253) as u8;
    let error = |exponent: u8| {
        let (scale, inverse) = (mxfp4_scale(exponent), 1.0 / mxfp4_scale(exponent));
        sum::<QK>(|i| {
            let e = scale * f32::from(MXFP4_VALUES[usize::from(mxfp4_index(x[i] * inverse))])
                - x[i].abs();
            e * e
        })
    };
    if error(first + 1) < error(first) { first + 1 } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_value_is_found_for_every_value_and_between() {
        for (i, &value) in IQ4_VALUES.iter().enumerate() {
            assert_eq!(nearest_iq4(f32::from(value) + 0.4), f32::from(value), "{i}");
        }
        assert_eq!((nearest_iq4(-1e9), nearest_iq4(1e9)), (-127.0, 113.0));
        for (i, &value) in MXFP4_VALUES[..8].iter().enumerate() {
            assert_eq!(usize::from(mxfp4_index(f32::from(value))), i);
        }
    }

    #[test]
    fn exponents_are_powers_of_two() {
        assert_eq!((mxfp4_scale(128), mxfp4_scale(127), mxfp4_scale(129)), (1.0, 0.5, 2.0));
        assert_eq!((mxfp4_scale(2), mxfp4_scale(1) * 2.0), (f32::MIN_POSITIVE, f32::MIN_POSITIVE));
        assert!(mxfp4_scale(255).is_finite());
    }
}
