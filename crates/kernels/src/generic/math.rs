//! Vector exponential and what is built on it.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the Safety section of simd.rs"
)]

use crate::simd::Simd;

/// `e^x` to about two units in the last place, for any x: below -87.3 it gives the smallest
/// normals, above 88 a huge finite number.
///
/// Cody–Waite reduction to `2^n * e^r`, |r| <= ln 2 / 2, and the polynomial of the Cephes library
/// (`expf`).
#[inline(always)]
pub(crate) unsafe fn exp<V: Simd>(x: V) -> V {
    const LN2_HI: f32 = 0.693_359_4;
    const LN2_LO: f32 = -2.121_944_4e-4;
    let x = x.min(V::splat(88.0)).max(V::splat(-87.3));
    let n = x.mul(V::splat(std::f32::consts::LOG2_E)).round();
    let r = n.fma(V::splat(-LN2_HI), x);
    let r = n.fma(V::splat(-LN2_LO), r);
    let mut p = V::splat(1.987_569_1e-4);
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p.fma(r, V::splat(c));
    }
    let p = p.fma(r.mul(r), r).add(V::splat(1.0));
    p.mul(n.exp2i())
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) unsafe fn sigmoid<V: Simd>(x: V) -> V {
    let one = V::splat(1.0);
    one.div(one.add(exp(V::splat(0.0).sub(x))))
}
