//! Vectors as plain arrays: works everywhere, and is what Miri and Valgrind check.
//!
//! The compiler turns these loops to whatever the build target has (SSE2 on x86-64). Eight lanes, so that its panels are
//! those of AVX2.

use crate::simd::{Int8, Simd};
use half::{bf16, f16};

const N: usize = 8;

/// Eight floats.
#[derive(Clone, Copy)]
pub struct Portable([f32; N]);

#[inline(always)]
fn zip(a: Portable, b: Portable, f: impl Fn(f32, f32) -> f32) -> Portable {
    Portable(std::array::from_fn(|i| f(a.0[i], b.0[i])))
}

#[inline(always)]
fn map(a: Portable, f: impl Fn(f32) -> f32) -> Portable {
    Portable(a.0.map(f))
}

/// Every byte through `f(index, byte)`. A loop: `array::map` of 32 elements is not inlined.
#[inline(always)]
fn bytes(mut w: [u8; 4 * N], f: impl Fn(usize, u8) -> u8) -> [u8; 4 * N] {
    for (i, b) in w.iter_mut().enumerate() {
        *b = f(i, *b);
    }
    w
}

/// Reads `M` items. SAFETY of callers: `p` is valid for `M` items, as the trait's contract demands.
#[inline(always)]
unsafe fn read<T: Copy, const M: usize>(p: *const T) -> [T; M] {
    // SAFETY: the caller's contract.
    unsafe { p.cast::<[T; M]>().read_unaligned() }
}

/// Writes `M` items. SAFETY of callers: `p` is valid for `M` items, as the trait's contract demands.
#[inline(always)]
unsafe fn write<T: Copy, const M: usize>(p: *mut T, items: [T; M]) {
    // SAFETY: the caller's contract.
    unsafe { p.cast::<[T; M]>().write_unaligned(items) }
}

#[allow(unsafe_op_in_unsafe_fn, reason = "the trait's contract covers each pointer")]
impl Simd for Portable {
    const LANES: usize = N;
    const MAX_TILE: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Portable([x; N])
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Portable(read(p))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        write(p, self.0)
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Self {
        Portable(read::<u16, N>(p).map(|bits| f16::from_bits(bits).to_f32_const()))
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Self {
        Portable(read::<u16, N>(p).map(|bits| bf16::from_bits(bits).to_f32_const()))
    }
    #[inline(always)]
    unsafe fn store_f16(self, p: *mut u16) {
        write(p, self.0.map(|x| f16::from_f32_const(x).to_bits()))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        zip(self, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        zip(self, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        zip(self, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        zip(self, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        // Not mul_add: without FMA instructions that is a call per lane.
        zip(zip(self, b, |a, b| a * b), c, |ab, c| ab + c)
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        zip(self, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        zip(self, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        map(self, f32::abs)
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // Adding and taking away 1.5 * 2^23 rounds to nearest even in the default rounding mode, for |x| < 2^22.
        const MAGIC: f32 = 12_582_912.0;
        map(self, |x| if x.abs() < 4_194_304.0 { (x + MAGIC) - MAGIC } else { x })
    }
    #[inline(always)]
    unsafe fn exp2i(self) -> Self {
        map(self, |x| f32::from_bits(((x as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn reduce_add(self) -> f32 {
        self.0.iter().sum()
    }
    #[inline(always)]
    unsafe fn reduce_max(self) -> f32 {
        self.0.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }
    #[inline(always)]
    unsafe fn store_i8(self, p: *mut i8) {
        write(p, self.round().0.map(|x| x as i8))
    }
}

#[allow(unsafe_op_in_unsafe_fn, reason = "the trait's contract covers each pointer")]
impl Int8 for Portable {
    type W = [u8; 4 * N];

    #[inline(always)]
    unsafe fn load_w(p: *const u8) -> Self::W {
        read(p)
    }
    #[inline(always)]
    unsafe fn low_nibbles(w: Self::W) -> Self::W {
        bytes(w, |_, b| b & 15)
    }
    #[inline(always)]
    unsafe fn high_nibbles(w: Self::W) -> Self::W {
        bytes(w, |_, b| b >> 4)
    }
    #[inline(always)]
    unsafe fn add_fifth_bit(w: Self::W, bits: *const u8) -> Self::W {
        let bits = u32::from_le_bytes(read(bits));
        bytes(w, |i, b| b + ((bits >> i & 1) as u8) * 16)
    }
    #[inline(always)]
    unsafe fn add_bit_pair(w: Self::W, pairs: Self::W, j: usize) -> Self::W {
        bytes(w, |i, b| b + (pairs[i] >> (2 * j) & 3) * 16)
    }
    #[inline(always)]
    unsafe fn dot<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
        w: &[Self::W; 8],
        q: *const i8,
        neg_sum: i32,
    ) -> Self {
        let start = if SIGNED { neg_sum << (BITS - 1) } else { 0 };
        let mut sum = [start; N];
        for (g, w) in w.iter().enumerate().take(TO).skip(FROM) {
            let q = read::<i8, 4>(q.add(4 * g)).map(i32::from);
            for r in 0..N {
                for i in 0..4 {
                    sum[r] += i32::from(w[4 * r + i]) * q[i];
                }
            }
        }
        Portable(sum.map(|s| s as f32))
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> Self {
        Portable(read::<u8, N>(p).map(f32::from))
    }
    #[inline(always)]
    unsafe fn load_i8(p: *const i8) -> Self {
        Portable(read::<i8, N>(p).map(f32::from))
    }
}

crate::generic::instantiate_kernels!(Portable, crate::Isa::Portable);
