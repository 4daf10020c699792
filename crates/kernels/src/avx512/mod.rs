//! AVX-512 with VNNI: sixteen rows a panel, `vpdpbusd` on unsigned weights and broadcast
//! activations.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the Safety section of simd.rs"
)]

pub(crate) mod bf16;
mod products;

use crate::panel::decode::Quants;
use crate::simd::{EIGHT, FOUR, Int8, Simd};
use crate::unrolled::unrolled;
use pacemark_quant::ActBlock;
use products::{add_slice, first_products, last_products, start};
use std::arch::x86_64::*;

/// Sixteen floats.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

impl Simd for Avx512 {
    const LANES: usize = 16;
    const MAX_TILE: usize = 16;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Avx512(_mm512_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Avx512(_mm512_loadu_ps(p))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        _mm512_storeu_ps(p, self.0)
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Self {
        Avx512(_mm512_cvtph_ps(_mm256_loadu_si256(p.cast())))
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Self {
        let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
        Avx512(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
    }
    #[inline(always)]
    unsafe fn store_f16(self, p: *mut u16) {
        _mm256_storeu_si256(p.cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Avx512(_mm512_add_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Avx512(_mm512_sub_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        Avx512(_mm512_mul_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        Avx512(_mm512_div_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Avx512(_mm512_fmadd_ps(self.0, b.0, c.0))
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        Avx512(_mm512_max_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        Avx512(_mm512_min_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        Avx512(_mm512_abs_ps(self.0))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        Avx512(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0))
    }
    #[inline(always)]
    unsafe fn exp2i(self) -> Self {
        let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
        Avx512(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent)))
    }
    #[inline(always)]
    unsafe fn reduce_add(self) -> f32 {
        _mm512_reduce_add_ps(self.0)
    }
    #[inline(always)]
    unsafe fn reduce_max(self) -> f32 {
        _mm512_reduce_max_ps(self.0)
    }
    #[inline(always)]
    unsafe fn prefetch(p: *const u8) {
        _mm_prefetch::<_MM_HINT_T1>(p.cast())
    }
    #[inline(always)]
    unsafe fn store_i8(self, p: *mut i8) {
        _mm_storeu_si128(p.cast(), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(self.0)))
    }
}

impl Int8 for Avx512 {
    type W = __m512i;

    #[inline(always)]
    unsafe fn load_w(p: *const u8) -> Self::W {
        _mm512_loadu_si512(p.cast())
    }
    #[inline(always)]
    unsafe fn low_nibbles(w: Self::W) -> Self::W {
        _mm512_and_si512(w, _mm512_set1_epi8(15))
    }
    #[inline(always)]
    unsafe fn high_nibbles(w: Self::W) -> Self::W {
        _mm512_and_si512(_mm512_srli_epi16::<4>(w), _mm512_set1_epi8(15))
    }
    #[inline(always)]
    unsafe fn add_fifth_bit(w: Self::W, bits: *const u8) -> Self::W {
        let mask = bits.cast::<u64>().read_unaligned();
        _mm512_mask_add_epi8(w, mask, w, _mm512_set1_epi8(16))
    }
    #[inline(always)]
    unsafe fn add_bit_pair(w: Self::W, pairs: Self::W, j: usize) -> Self::W {
        // A byte's pair j moves to bits 4 and 5; the bits that 16-bit shifts carry over from its
        // neighbour are masked.
        let moved = match j {
            0 => _mm512_slli_epi16::<4>(pairs),
            1 => _mm512_slli_epi16::<2>(pairs),
            2 => pairs,
            _ => _mm512_srli_epi16::<2>(pairs),
        };
        // Ternary logic 0xF8: w | (moved & 0x30).
        _mm512_ternarylogic_epi32::<0xF8>(w, moved, _mm512_set1_epi8(0x30))
    }
    #[inline(always)]
    unsafe fn bit_pair<const J: usize>(pairs: Self::W) -> Self::W {
        let moved = match J {
            0 => pairs,
            1 => _mm512_srli_epi16::<2>(pairs),
            2 => _mm512_srli_epi16::<4>(pairs),
            _ => _mm512_srli_epi16::<6>(pairs),
        };
        _mm512_and_si512(moved, _mm512_set1_epi8(3))
    }
    #[inline(always)]
    unsafe fn add_third_bit(w: Self::W, bits: *const u8) -> Self::W {
        let mask = bits.cast::<u64>().read_unaligned();
        _mm512_mask_add_epi8(w, mask, w, _mm512_set1_epi8(4))
    }
    #[inline(always)]
    unsafe fn look_up(w: Self::W, table: &[u8; 16]) -> Self::W {
        let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
        _mm512_shuffle_epi8(table, w)
    }
    #[inline(always)]
    unsafe fn dot<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
        w: &[Self::W; 8],
        q: *const i8,
        neg_sum: i32,
    ) -> Self {
        let mut sum = start::<BITS, SIGNED>(neg_sum);
        let q = q.cast::<i32>();
        let mut g = FROM;
        while g < TO {
            sum = _mm512_dpbusd_epi32(sum, w[g], _mm512_set1_epi32(q.add(g).read_unaligned()));
            g += 1;
        }
        Avx512(_mm512_cvtepi32_ps(sum))
    }
    #[inline(always)]
    unsafe fn dot4<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
        w: &[Self::W; 8],
        acts: *const ActBlock,
        neg_sums: [i32; 4],
    ) -> [Self; 4] {
        let mut sums = [_mm512_setzero_si512(); FOUR];
        unrolled!(t in FOUR => { sums[t] = start::<BITS, SIGNED>(neg_sums[t]); });
        if FROM == 0 {
            sums = first_products(w, acts, sums);
        }
        if TO == 8 {
            sums = last_products(w, acts, sums);
        }
        let mut dots = [Self::splat(0.0); FOUR];
        unrolled!(t in FOUR => { dots[t] = Avx512(_mm512_cvtepi32_ps(sums[t])); });
        dots
    }
    const PAIRED: bool = true;
    // There are too many sums for the registers: it loses a tenth.
    const PAIRED_HALVES: bool = false;

    #[inline(always)]
    unsafe fn dot_pair<
        Q: Quants,
        const BITS: u32,
        const SIGNED: bool,
        const FROM: usize,
        const TO: usize,
    >(
        quants: [*const u8; 2],
        acts: *const ActBlock,
        neg_sums: [i32; EIGHT],
    ) -> [[Self; EIGHT]; 2] {
        let mut sums = [[_mm512_setzero_si512(); EIGHT]; 2];
        unrolled!(t in EIGHT => {
            let start = start::<BITS, SIGNED>(neg_sums[t]);
            (sums[0][t], sums[1][t]) = (start, start);
        });
        macro_rules! slices {
            ($($g:literal)*) => {
                $(if FROM <= $g && $g < TO {
                    let w = [Q::slice::<Self>(quants[0], $g), Q::slice::<Self>(quants[1], $g)];
                    add_slice::<$g>(w, acts, &mut sums);
                })*
            };
        }
        slices!(0 4 1 5 2 6 3 7);
        let mut dots = [[Self::splat(0.0); EIGHT]; 2];
        unrolled!(t in EIGHT => {
            dots[0][t] = Avx512(_mm512_cvtepi32_ps(sums[0][t]));
            dots[1][t] = Avx512(_mm512_cvtepi32_ps(sums[1][t]));
        });
        dots
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> Self {
        Avx512(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast()))))
    }
    #[inline(always)]
    unsafe fn load_nibbles(p: *const u8) -> (Self, Self) {
        let wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast()));
        let low = _mm512_and_si512(wide, _mm512_set1_epi32(15));
        (Avx512(_mm512_cvtepi32_ps(low)), Avx512(_mm512_cvtepi32_ps(_mm512_srli_epi32::<4>(wide))))
    }
    #[inline(always)]
    unsafe fn load_i8(p: *const i8) -> Self {
        Avx512(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p.cast()))))
    }
}

crate::generic::instantiate_kernels!(
    Avx512,
    crate::Isa::Avx512,
    "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"
);
