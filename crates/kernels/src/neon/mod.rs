//! NEON, which every 64-bit ARM has: eight rows a panel in two registers. Two sets of kernels
//! differ in the product alone.
//!
//! `neon` multiplies bytes to 16 bits and widens their sums; `neon-dotprod` uses `sdot` of the dot
//! product extension (ARMv8.2, and all of ARMv8.4). Both multiply signed bytes: codes of up to
//! seven bits are the same number signed, and eight-bit ones, which panels store plus 128, become
//! signed again by a flipped top bit. The products are in `product.rs`.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the Safety section of simd.rs"
)]

mod product;

use crate::simd::{Int8, Simd};
use product::{Dotprod, Product, Widening};
use std::arch::aarch64::*;
use std::marker::PhantomData;

/// Eight floats, the lower four first; `P` is how bytes are multiplied.
pub(crate) struct Neon<P>(float32x4_t, float32x4_t, PhantomData<P>);

// Not derived: `P` is only a name and need not be `Copy`.
impl<P> Clone for Neon<P> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Neon<P> {}

/// Applies an intrinsic to both halves.
macro_rules! halves {
    ($intrinsic:ident, $a:expr) => {
        Neon($intrinsic($a.0), $intrinsic($a.1), PhantomData)
    };
    ($intrinsic:ident, $a:expr, $b:expr) => {
        Neon($intrinsic($a.0, $b.0), $intrinsic($a.1, $b.1), PhantomData)
    };
}

#[inline(always)]
unsafe fn half_to_single(bits: uint16x4_t) -> float32x4_t {
    vcvt_f32_f16(vreinterpret_f16_u16(bits))
}

#[inline(always)]
unsafe fn single_to_half(x: float32x4_t) -> uint16x4_t {
    vreinterpret_u16_f16(vcvt_f16_f32(x))
}

#[inline(always)]
unsafe fn exp2i(x: float32x4_t) -> float32x4_t {
    let exponent = vaddq_s32(vcvtnq_s32_f32(x), vdupq_n_s32(127));
    vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
}

/// Eight 16-bit integers as floats.
#[inline(always)]
unsafe fn floats_from_u16<P>(x: uint16x8_t) -> Neon<P> {
    Neon(vcvtq_f32_u32(vmovl_u16(vget_low_u16(x))), vcvtq_f32_u32(vmovl_high_u16(x)), PhantomData)
}

impl<P> Simd for Neon<P> {
    const LANES: usize = 8;
    const MAX_TILE: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Neon(vdupq_n_f32(x), vdupq_n_f32(x), PhantomData)
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Neon(vld1q_f32(p), vld1q_f32(p.add(4)), PhantomData)
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        vst1q_f32(p, self.0);
        vst1q_f32(p.add(4), self.1)
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Self {
        Neon(half_to_single(vld1_u16(p)), half_to_single(vld1_u16(p.add(4))), PhantomData)
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Self {
        let wide = [vshll_n_u16::<16>(vld1_u16(p)), vshll_n_u16::<16>(vld1_u16(p.add(4)))];
        Neon(vreinterpretq_f32_u32(wide[0]), vreinterpretq_f32_u32(wide[1]), PhantomData)
    }
    #[inline(always)]
    unsafe fn store_f16(self, p: *mut u16) {
        vst1_u16(p, single_to_half(self.0));
        vst1_u16(p.add(4), single_to_half(self.1))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        halves!(vaddq_f32, self, b)
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        halves!(vsubq_f32, self, b)
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        halves!(vmulq_f32, self, b)
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        halves!(vdivq_f32, self, b)
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Neon(vfmaq_f32(c.0, self.0, b.0), vfmaq_f32(c.1, self.1, b.1), PhantomData)
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        Neon(
            vbslq_f32(vcgtq_f32(self.0, b.0), self.0, b.0),
            vbslq_f32(vcgtq_f32(self.1, b.1), self.1, b.1),
            PhantomData,
        )
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        Neon(
            vbslq_f32(vcltq_f32(self.0, b.0), self.0, b.0),
            vbslq_f32(vcltq_f32(self.1, b.1), self.1, b.1),
            PhantomData,
        )
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        halves!(vabsq_f32, self)
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        halves!(vrndnq_f32, self)
    }
    #[inline(always)]
    unsafe fn exp2i(self) -> Self {
        halves!(exp2i, self)
    }
    #[inline(always)]
    unsafe fn reduce_add(self) -> f32 {
        vaddvq_f32(vaddq_f32(self.0, self.1))
    }
    #[inline(always)]
    unsafe fn reduce_max(self) -> f32 {
        vmaxvq_f32(vmaxq_f32(self.0, self.1))
    }
    #[inline(always)]
    unsafe fn prefetch(p: *const u8) {
        // The intrinsic is not stable. The instruction is a hint: an address without memory behind
        // it is ignored.
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) p, options(readonly, nostack, preserves_flags));
    }
    #[inline(always)]
    unsafe fn store_i8(self, p: *mut i8) {
        let low = vqmovn_s32(vcvtnq_s32_f32(self.0));
        vst1_s8(p, vqmovn_s16(vqmovn_high_s32(low, vcvtnq_s32_f32(self.1))))
    }
}

/// A slice: rows 0..4 and 4..8.
type Slice = [uint8x16_t; 2];

/// Adds `VALUE`, a power of two above all of `w`, to byte `i` where bit `i` of the two bytes at
/// `bits` is set.
#[inline(always)]
unsafe fn add_bit<const VALUE: u8>(w: uint8x16_t, bits: *const u8) -> uint8x16_t {
    let select = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
    let set = vtstq_u8(vcombine_u8(vld1_dup_u8(bits), vld1_dup_u8(bits.add(1))), select);
    vorrq_u8(w, vandq_u8(set, vdupq_n_u8(VALUE)))
}

#[inline(always)]
unsafe fn add_pair(w: uint8x16_t, pairs: uint8x16_t, j: usize) -> uint8x16_t {
    let moved = match j {
        0 => vshlq_n_u8::<4>(pairs),
        1 => vshlq_n_u8::<2>(pairs),
        2 => pairs,
        _ => vshrq_n_u8::<2>(pairs),
    };
    vorrq_u8(w, vandq_u8(moved, vdupq_n_u8(0x30)))
}

#[inline(always)]
unsafe fn low_pair<const J: usize>(pairs: uint8x16_t) -> uint8x16_t {
    let moved = match J {
        0 => pairs,
        1 => vshrq_n_u8::<2>(pairs),
        2 => vshrq_n_u8::<4>(pairs),
        _ => vshrq_n_u8::<6>(pairs),
    };
    vandq_u8(moved, vdupq_n_u8(3))
}

impl<P: Product> Int8 for Neon<P> {
    type W = Slice;

    #[inline(always)]
    unsafe fn load_w(p: *const u8) -> Self::W {
        [vld1q_u8(p), vld1q_u8(p.add(16))]
    }
    #[inline(always)]
    unsafe fn low_nibbles(w: Self::W) -> Self::W {
        [vandq_u8(w[0], vdupq_n_u8(15)), vandq_u8(w[1], vdupq_n_u8(15))]
    }
    #[inline(always)]
    unsafe fn high_nibbles(w: Self::W) -> Self::W {
        [vshrq_n_u8::<4>(w[0]), vshrq_n_u8::<4>(w[1])]
    }
    #[inline(always)]
    unsafe fn add_fifth_bit(w: Self::W, bits: *const u8) -> Self::W {
        [add_bit::<16>(w[0], bits), add_bit::<16>(w[1], bits.add(2))]
    }
    #[inline(always)]
    unsafe fn add_bit_pair(w: Self::W, pairs: Self::W, j: usize) -> Self::W {
        [add_pair(w[0], pairs[0], j), add_pair(w[1], pairs[1], j)]
    }
    #[inline(always)]
    unsafe fn bit_pair<const J: usize>(pairs: Self::W) -> Self::W {
        [low_pair::<J>(pairs[0]), low_pair::<J>(pairs[1])]
    }
    #[inline(always)]
    unsafe fn add_third_bit(w: Self::W, bits: *const u8) -> Self::W {
        [add_bit::<4>(w[0], bits), add_bit::<4>(w[1], bits.add(2))]
    }
    #[inline(always)]
    unsafe fn look_up(w: Self::W, table: &[u8; 16]) -> Self::W {
        let table = vld1q_u8(table.as_ptr());
        [vqtbl1q_u8(table, w[0]), vqtbl1q_u8(table, w[1])]
    }
    #[inline(always)]
    unsafe fn dot<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
        w: &[Self::W; 8],
        q: *const i8,
        neg_sum: i32,
    ) -> Self {
        let start = vdupq_n_s32(if SIGNED && BITS < 8 { neg_sum << (BITS - 1) } else { 0 });
        let sums = P::products::<BITS, FROM, TO>(w, q, start);
        Neon(vcvtq_f32_s32(sums[0]), vcvtq_f32_s32(sums[1]), PhantomData)
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> Self {
        floats_from_u16(vmovl_u8(vld1_u8(p)))
    }
    #[inline(always)]
    unsafe fn load_nibbles(p: *const u8) -> (Self, Self) {
        let bytes = vld1_u8(p);
        (
            floats_from_u16(vmovl_u8(vand_u8(bytes, vdup_n_u8(15)))),
            floats_from_u16(vmovl_u8(vshr_n_u8::<4>(bytes))),
        )
    }
    #[inline(always)]
    unsafe fn load_i8(p: *const i8) -> Self {
        let words = vmovl_s8(vld1_s8(p));
        Neon(
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))),
            vcvtq_f32_s32(vmovl_high_s16(words)),
            PhantomData,
        )
    }
}

/// The kernels of plain ARMv8.
pub(crate) mod plain {
    use super::{Neon, Widening};
    crate::generic::instantiate_kernels!(Neon<Widening>, crate::Isa::Neon, "neon");
}

/// The kernels of ARMv8 with the dot product extension.
pub(crate) mod dotprod {
    use super::{Dotprod, Neon};
    crate::generic::instantiate_kernels!(Neon<Dotprod>, crate::Isa::NeonDotprod, "neon,dotprod");
}
