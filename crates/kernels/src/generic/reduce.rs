//! Kernels that reduce a row: normalization, quantization, log-sum-exp.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the argument structs describe valid memory"
)]

use super::math::exp;
use crate::kernel_set::{ArgmaxArgs, LayerNormArgs, LogSumExpArgs, QuantizeArgs, RmsNormArgs};
use crate::simd::Simd;
use pacemark_quant::{ActBlock, QK};

/// `out = x / sqrt(mean(x²) + eps) * weight`. Rows need not be whole vectors.
#[inline(always)]
pub(crate) unsafe fn rms_norm<V: Simd>(a: RmsNormArgs) {
    let whole = a.n / V::LANES * V::LANES;
    let mut sums = [V::splat(0.0); 2];
    let mut i = 0;
    while i < whole {
        let x = V::load(a.x.add(i));
        sums[i / V::LANES % 2] = x.fma(x, sums[i / V::LANES % 2]);
        i += V::LANES;
    }
    let mut sum = sums[0].add(sums[1]).reduce_add();
    for i in whole..a.n {
        sum += *a.x.add(i) * *a.x.add(i);
    }
    let scale = 1.0 / (sum / a.n as f32 + a.eps).sqrt();
    let mut i = 0;
    while i < whole {
        V::load(a.x.add(i)).mul(V::splat(scale)).mul(V::load(a.weight.add(i))).store(a.out.add(i));
        i += V::LANES;
    }
    for i in whole..a.n {
        *a.out.add(i) = *a.x.add(i) * scale * *a.weight.add(i);
    }
}

/// Sums `F` of every element: in vectors, then what is left one by one.
trait Term {
    unsafe fn of<V: Simd>(x: V, center: V) -> V;
}

struct Itself;
struct SquaredDistance;

impl Term for Itself {
    #[inline(always)]
    unsafe fn of<V: Simd>(x: V, _: V) -> V {
        x
    }
}

impl Term for SquaredDistance {
    #[inline(always)]
    unsafe fn of<V: Simd>(x: V, center: V) -> V {
        let distance = x.sub(center);
        distance.mul(distance)
    }
}

#[inline(always)]
unsafe fn sum<V: Simd, F: Term>(x: *const f32, n: usize, center: f32) -> f32 {
    let whole = n / V::LANES * V::LANES;
    let center_lanes = V::splat(center);
    let mut sums = [V::splat(0.0); 2];
    let mut i = 0;
    while i < whole {
        sums[i / V::LANES % 2] = sums[i / V::LANES % 2].add(F::of(V::load(x.add(i)), center_lanes));
        i += V::LANES;
    }
    let mut total = sums[0].add(sums[1]).reduce_add();
    if whole < n {
        // Lanes beyond the row hold the center, whose distance is zero; a center of zero adds
        // nothing to a sum either.
        let mut rest = [center; 16];
        std::ptr::copy_nonoverlapping(x.add(whole), rest.as_mut_ptr(), n - whole);
        total += F::of(V::load(rest.as_ptr()), center_lanes).reduce_add();
    }
    total
}

/// `out = (x - mean) / sqrt(variance + eps) * weight + bias`. Rows need not be whole vectors.
#[inline(always)]
pub(crate) unsafe fn layer_norm<V: Simd>(a: LayerNormArgs) {
    let mean = sum::<V, Itself>(a.x, a.n, 0.0) / a.n as f32;
    let variance = sum::<V, SquaredDistance>(a.x, a.n, mean) / a.n as f32;
    let scale = 1.0 / (variance + a.eps).sqrt();
    let whole = a.n / V::LANES * V::LANES;
    let mut i = 0;
    while i < whole {
        let x = V::load(a.x.add(i)).sub(V::splat(mean)).mul(V::splat(scale));
        x.fma(V::load(a.weight.add(i)), V::load(a.bias.add(i))).store(a.out.add(i));
        i += V::LANES;
    }
    for i in whole..a.n {
        *a.out.add(i) = (*a.x.add(i) - mean) * scale * *a.weight.add(i) + *a.bias.add(i);
    }
}

/// Activations to [`ActBlock`]s; the scalar twin is `quant::quantize_activations` (which breaks
/// ties away from zero, this to even: both are within half a step).
#[inline(always)]
pub(crate) unsafe fn quantize<V: Simd>(a: QuantizeArgs) {
    for b in 0..a.n_blocks {
        let (x, out) = (a.x.add(b * QK), a.out.add(b * a.stride));
        let mut largest = V::splat(0.0);
        let mut i = 0;
        while i < QK {
            largest = largest.max(V::load(x.add(i)).abs());
            i += V::LANES;
        }
        let scale = largest.reduce_max() / 127.0;
        let inverse = V::splat(if scale > 0.0 { 1.0 / scale } else { 0.0 });
        let q = (&raw mut (*out).q).cast::<i8>();
        let mut halves = [V::splat(0.0); 2];
        let mut i = 0;
        while i < QK {
            let code =
                V::load(x.add(i)).mul(inverse).round().min(V::splat(127.0)).max(V::splat(-127.0));
            code.store_i8(q.add(i));
            halves[i / (QK / 2)] = halves[i / (QK / 2)].add(code);
            i += V::LANES;
        }
        let (lo, hi) = (halves[0].reduce_add() as i32, halves[1].reduce_add() as i32);
        (*out).scale = scale;
        (*out).scaled_sum = scale * (lo + hi) as f32;
        (*out).neg_sum = -(lo + hi);
        (*out).neg_sum_lo = -lo;
    }
}

/// `log Σ e^x`, shifted by the maximum.
#[inline(always)]
pub(crate) unsafe fn log_sum_exp<V: Simd>(a: &mut LogSumExpArgs) {
    let whole = a.n / V::LANES * V::LANES;
    let mut largest = V::splat(f32::NEG_INFINITY);
    let mut i = 0;
    while i < whole {
        largest = largest.max(V::load(a.x.add(i)));
        i += V::LANES;
    }
    let mut max = largest.reduce_max();
    for i in whole..a.n {
        max = max.max(*a.x.add(i));
    }
    // Partial sums are widened every 512 vectors: a quarter of a million addends would cost single
    // precision two digits.
    let (mut sum, mut i) = (0.0f64, 0);
    while i < whole {
        let until = (i + 512 * V::LANES).min(whole);
        let mut part = V::splat(0.0);
        while i < until {
            part = part.add(exp(V::load(a.x.add(i)).sub(V::splat(max))));
            i += V::LANES;
        }
        sum += f64::from(part.reduce_add());
    }
    for i in whole..a.n {
        sum += f64::from(*a.x.add(i) - max).exp();
    }
    a.result = f64::from(max) + sum.ln();
}

/// The first of the largest elements: which block of vectors has it, then where it is there.
#[inline(always)]
pub(crate) unsafe fn argmax<V: Simd>(a: &mut ArgmaxArgs) {
    // Four chains of maxima hide their latency; a block is long enough to pay for the reduction at
    // its end.
    let block = 32 * V::LANES;
    let (mut max, mut found, mut start) = (f32::NEG_INFINITY, 0..0, 0);
    while start + block <= a.n {
        let mut largest = [V::splat(f32::NEG_INFINITY); 4];
        let mut i = start;
        while i < start + block {
            for (lane, largest) in largest.iter_mut().enumerate() {
                *largest = V::load(a.x.add(i + lane * V::LANES)).max(*largest);
            }
            i += 4 * V::LANES;
        }
        let largest = largest[0].max(largest[1]).max(largest[2].max(largest[3])).reduce_max();
        if largest > max {
            (max, found) = (largest, start..start + block);
        }
        start += block;
    }
    for i in start..a.n {
        if *a.x.add(i) > max {
            (max, found) = (*a.x.add(i), i..i + 1);
        }
    }
    a.result = found.clone().find(|&i| *a.x.add(i) == max).unwrap_or(0);
}

const _: () = assert!(size_of::<ActBlock>() == 48);
