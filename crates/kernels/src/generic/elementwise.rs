//! Kernels that treat every element (or pair) alike.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the argument structs describe valid memory"
)]

use super::math::{exp, sigmoid};
use crate::kernel_set::{MulArgs, RopeArgs, ToF16Args};
use crate::simd::Simd;

/// A function of two elements. A trait and not a closure: a closure would not be compiled for the
/// ISA of the kernel around it.
trait Zip {
    unsafe fn apply<V: Simd>(a: V, b: V) -> V;
}

/// Runs `F` over `n` elements of two inputs, in vectors and then, for what is left, in a padded
/// vector.
#[inline(always)]
unsafe fn zip<V: Simd, F: Zip>(args: MulArgs) {
    let MulArgs { a, b, out, n } = args;
    let mut i = 0;
    while i + V::LANES <= n {
        F::apply(V::load(a.add(i)), V::load(b.add(i))).store(out.add(i));
        i += V::LANES;
    }
    if i < n {
        let (mut x, mut y) = ([0.0f32; 16], [0.0f32; 16]);
        std::ptr::copy_nonoverlapping(a.add(i), x.as_mut_ptr(), n - i);
        std::ptr::copy_nonoverlapping(b.add(i), y.as_mut_ptr(), n - i);
        F::apply(V::load(x.as_ptr()), V::load(y.as_ptr())).store(x.as_mut_ptr());
        std::ptr::copy_nonoverlapping(x.as_ptr(), out.add(i), n - i);
    }
}

/// An activation function.
pub(crate) trait Activation {
    unsafe fn apply<V: Simd>(x: V) -> V;
}

pub(crate) struct Silu;
pub(crate) struct GeluTanh;
pub(crate) struct GeluErf;

impl Activation for Silu {
    #[inline(always)]
    unsafe fn apply<V: Simd>(x: V) -> V {
        x.mul(sigmoid(x))
    }
}

impl Activation for GeluTanh {
    /// `x/2 (1 + tanh u) = x sigmoid(2u)` with `u = sqrt(2/pi) (x + 0.044715 x^3)` (Hendrycks and
    /// Gimpel, 2016).
    #[inline(always)]
    unsafe fn apply<V: Simd>(x: V) -> V {
        const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769_2;
        let cubic = x.mul(x).fma(V::splat(0.044_715), V::splat(1.0));
        x.mul(sigmoid(x.mul(cubic).mul(V::splat(TWICE_SQRT_2_OVER_PI))))
    }
}

impl Activation for GeluErf {
    /// `x/2 (1 + erf(x / sqrt 2))`: with `q = 1 - erf(|x| / sqrt 2)` it is `max(x, 0) - |x| q / 2`
    /// on both sides of zero. `q` by formula 7.1.26 of Abramowitz and Stegun, whose error is at
    /// most 1.5e-7.
    #[inline(always)]
    unsafe fn apply<V: Simd>(x: V) -> V {
        let size = x.abs();
        let z = size.mul(V::splat(std::f32::consts::FRAC_1_SQRT_2));
        let t = V::splat(1.0).div(z.fma(V::splat(0.327_591_1), V::splat(1.0)));
        let mut p = V::splat(1.061_405_4);
        for c in [-1.453_152, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
            p = p.fma(t, V::splat(c));
        }
        let q = p.mul(t).mul(exp(V::splat(0.0).sub(z.mul(z))));
        x.max(V::splat(0.0)).sub(size.mul(q).mul(V::splat(0.5)))
    }
}

struct Gated<A>(std::marker::PhantomData<A>);
struct Alone<A>(std::marker::PhantomData<A>);
struct Add;

impl<A: Activation> Zip for Gated<A> {
    #[inline(always)]
    unsafe fn apply<V: Simd>(a: V, b: V) -> V {
        A::apply(a).mul(b)
    }
}

impl<A: Activation> Zip for Alone<A> {
    #[inline(always)]
    unsafe fn apply<V: Simd>(a: V, _: V) -> V {
        A::apply(a)
    }
}

impl Zip for Add {
    #[inline(always)]
    unsafe fn apply<V: Simd>(a: V, b: V) -> V {
        a.add(b)
    }
}

/// `out = activation(a) * b`.
#[inline(always)]
pub(crate) unsafe fn gated<V: Simd, A: Activation>(args: MulArgs) {
    zip::<V, Gated<A>>(args);
}

/// `out = activation(a)`; `b` is not looked at, but points to as many elements.
#[inline(always)]
pub(crate) unsafe fn plain<V: Simd, A: Activation>(args: MulArgs) {
    zip::<V, Alone<A>>(args);
}

/// `out = a + b`.
#[inline(always)]
pub(crate) unsafe fn add<V: Simd>(args: MulArgs) {
    zip::<V, Add>(args);
}

/// Rotates the pairs `(x[i], x[i + half])` of one head by the angles whose cosines and sines are
/// given.
#[inline(always)]
pub(crate) unsafe fn rope_half<V: Simd>(args: RopeArgs) {
    let (first, second) = (args.x, args.x.add(args.half));
    let mut i = 0;
    while i + V::LANES <= args.half {
        let (cos, sin) = (V::load(args.cos.add(i)), V::load(args.sin.add(i)));
        let (a, b) = (V::load(first.add(i)), V::load(second.add(i)));
        a.mul(cos).sub(b.mul(sin)).store(first.add(i));
        a.mul(sin).add(b.mul(cos)).store(second.add(i));
        i += V::LANES;
    }
    while i < args.half {
        let (cos, sin, a, b) = (*args.cos.add(i), *args.sin.add(i), *first.add(i), *second.add(i));
        *first.add(i) = a * cos - b * sin;
        *second.add(i) = a * sin + b * cos;
        i += 1;
    }
}

/// Converts to halves.
#[inline(always)]
pub(crate) unsafe fn to_f16<V: Simd>(args: ToF16Args) {
    let mut i = 0;
    while i + V::LANES <= args.n {
        V::load(args.x.add(i)).store_f16(args.out.add(i));
        i += V::LANES;
    }
    if i < args.n {
        let (mut x, mut halves) = ([0.0f32; 16], [0u16; 16]);
        std::ptr::copy_nonoverlapping(args.x.add(i), x.as_mut_ptr(), args.n - i);
        V::load(x.as_ptr()).store_f16(halves.as_mut_ptr());
        std::ptr::copy_nonoverlapping(halves.as_ptr(), args.out.add(i), args.n - i);
    }
}
