//! The two ways in which NEON multiplies weight bytes with activation bytes. Both are exact.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the Safety section of simd.rs"
)]

use super::Slice;
use crate::simd::slices_within_16_bits;
use std::arch::aarch64::*;

/// Weights of eight rows against activations.
pub(crate) trait Product {
    /// Adds to `start`, for every row, the products of slices `FROM..TO` with the block's 32
    /// activations at `q`; rows 0..4 and 4..8. Weights of eight `BITS` come with 128 added, which
    /// is taken off here.
    unsafe fn products<const BITS: u32, const FROM: usize, const TO: usize>(
        w: &[Slice; 8],
        q: *const i8,
        start: int32x4_t,
    ) -> [int32x4_t; 2];
}

/// The weights as signed bytes.
#[inline(always)]
unsafe fn signed<const BITS: u32>(w: uint8x16_t) -> int8x16_t {
    vreinterpretq_s8_u8(if BITS == 8 { veorq_u8(w, vdupq_n_u8(128)) } else { w })
}

/// By 16 bits: each of their lanes takes one product a slice, as long as they cannot overflow.
pub(super) struct Widening;

impl Product for Widening {
    #[inline(always)]
    unsafe fn products<const BITS: u32, const FROM: usize, const TO: usize>(
        w: &[Slice; 8],
        q: *const i8,
        start: int32x4_t,
    ) -> [int32x4_t; 2] {
        // That bound is for two products a lane and slice.
        let at_once = 2 * slices_within_16_bits(BITS);
        let mut sums = [start; 2];
        let mut g = FROM;
        while g < TO {
            let until = if g + at_once < TO { g + at_once } else { TO };
            // Rows 0 and 1, 2 and 3, 4 and 5, 6 and 7.
            let mut narrow = [vdupq_n_s16(0); 4];
            while g < until {
                let four =
                    vreinterpretq_s8_s32(vdupq_n_s32(q.add(4 * g).cast::<i32>().read_unaligned()));
                let (low, high) = (signed::<BITS>(w[g][0]), signed::<BITS>(w[g][1]));
                narrow[0] = vmlal_s8(narrow[0], vget_low_s8(low), vget_low_s8(four));
                narrow[1] = vmlal_high_s8(narrow[1], low, four);
                narrow[2] = vmlal_s8(narrow[2], vget_low_s8(high), vget_low_s8(four));
                narrow[3] = vmlal_high_s8(narrow[3], high, four);
                g += 1;
            }
            let low = vpaddq_s32(vpaddlq_s16(narrow[0]), vpaddlq_s16(narrow[1]));
            let high = vpaddq_s32(vpaddlq_s16(narrow[2]), vpaddlq_s16(narrow[3]));
            sums = [vaddq_s32(sums[0], low), vaddq_s32(sums[1], high)];
        }
        sums
    }
}

/// By `sdot`, which sums four products in 32 bits.
pub(super) struct Dotprod;

/// Adds to each of four rows its four products with the four activations number `I` of `q`.
#[inline(always)]
unsafe fn sdot<const I: usize>(mut sum: int32x4_t, w: int8x16_t, q: int8x16_t) -> int32x4_t {
    // The intrinsic (`vdotq_laneq_s32`) is not stable.
    std::arch::asm!(
        "sdot {sum:v}.4s, {w:v}.16b, {q:v}.4b[{i}]",
        sum = inout(vreg) sum,
        w = in(vreg) w,
        q = in(vreg) q,
        i = const I,
        options(pure, nomem, nostack, preserves_flags),
    );
    sum
}

impl Product for Dotprod {
    #[inline(always)]
    unsafe fn products<const BITS: u32, const FROM: usize, const TO: usize>(
        w: &[Slice; 8],
        q: *const i8,
        start: int32x4_t,
    ) -> [int32x4_t; 2] {
        const { assert!(FROM.is_multiple_of(4) && TO.is_multiple_of(4)) };
        let mut sums = [start; 2];
        let mut g = FROM;
        while g < TO {
            let q = vld1q_s8(q.add(4 * g));
            for (half, sum) in sums.iter_mut().enumerate() {
                *sum = sdot::<0>(*sum, signed::<BITS>(w[g][half]), q);
                *sum = sdot::<1>(*sum, signed::<BITS>(w[g + 1][half]), q);
                *sum = sdot::<2>(*sum, signed::<BITS>(w[g + 2][half]), q);
                *sum = sdot::<3>(*sum, signed::<BITS>(w[g + 3][half]), q);
            }
            g += 4;
        }
        sums
    }
}
