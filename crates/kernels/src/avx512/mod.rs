//! AVX-512 with VNNI: sixteen rows a panel, `vpdpbusd` on unsigned weights and broadcast
//! activations.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the Safety section of simd.rs"
)]

pub(crate) mod bf16;

use crate::simd::{FOUR, Int8, Simd};
use crate::unrolled::unrolled;
use pacemark_quant::ActBlock;
use std::arch::x86_64::*;

/// What a sum starts from, so that it ends without the offset of signed weights.
#[inline(always)]
unsafe fn start<const BITS: u32, const SIGNED: bool>(neg_sum: i32) -> __m512i {
    if !SIGNED {
        return _mm512_setzero_si512();
    }
    let start = _mm512_set1_epi32(neg_sum);
    match BITS {
        3 => _mm512_slli_epi32::<2>(start),
        4 => _mm512_slli_epi32::<3>(start),
        5 => _mm512_slli_epi32::<4>(start),
        6 => _mm512_slli_epi32::<5>(start),
        _ => _mm512_slli_epi32::<7>(start),
    }
}

/// Defines a function that adds the products of four slices with the activations of four tokens.
///
/// In assembly because it has to be in this order, the weights in registers and the activations
/// broadcast by the instruction that uses them: left to itself, the compiler interleaves all tokens
/// of a tile, for which there are not registers enough, or loads the weights again for each.
macro_rules! products {
    ($name:ident, $g0:literal $g1:literal $g2:literal $g3:literal) => {
        #[inline]
        #[target_feature(enable = "avx512f,avx512vnni")]
        unsafe fn $name(w: &[__m512i; 8], acts: *const ActBlock, sums: [__m512i; 4]) -> [__m512i; 4] {
            let [mut a, mut b, mut c, mut d] = sums;
            std::arch::asm!(
                "vpdpbusd {a}, {w0}, dword ptr [{q} + {o0}]{{1to16}}",
                "vpdpbusd {b}, {w0}, dword ptr [{q} + {block} + {o0}]{{1to16}}",
                "vpdpbusd {c}, {w0}, dword ptr [{q} + 2 * {block} + {o0}]{{1to16}}",
                "vpdpbusd {d}, {w0}, dword ptr [{q} + 3 * {block} + {o0}]{{1to16}}",
                "vpdpbusd {a}, {w1}, dword ptr [{q} + {o1}]{{1to16}}",
                "vpdpbusd {b}, {w1}, dword ptr [{q} + {block} + {o1}]{{1to16}}",
                "vpdpbusd {c}, {w1}, dword ptr [{q} + 2 * {block} + {o1}]{{1to16}}",
                "vpdpbusd {d}, {w1}, dword ptr [{q} + 3 * {block} + {o1}]{{1to16}}",
                "vpdpbusd {a}, {w2}, dword ptr [{q} + {o2}]{{1to16}}",
                "vpdpbusd {b}, {w2}, dword ptr [{q} + {block} + {o2}]{{1to16}}",
                "vpdpbusd {c}, {w2}, dword ptr [{q} + 2 * {block} + {o2}]{{1to16}}",
                "vpdpbusd {d}, {w2}, dword ptr [{q} + 3 * {block} + {o2}]{{1to16}}",
                "vpdpbusd {a}, {w3}, dword ptr [{q} + {o3}]{{1to16}}",
                "vpdpbusd {b}, {w3}, dword ptr [{q} + {block} + {o3}]{{1to16}}",
                "vpdpbusd {c}, {w3}, dword ptr [{q} + 2 * {block} + {o3}]{{1to16}}",
                "vpdpbusd {d}, {w3}, dword ptr [{q} + 3 * {block} + {o3}]{{1to16}}",
                a = inout(zmm_reg) a,
                b = inout(zmm_reg) b,
                c = inout(zmm_reg) c,
                d = inout(zmm_reg) d,
                w0 = in(zmm_reg) w[$g0],
                w1 = in(zmm_reg) w[$g1],
                w2 = in(zmm_reg) w[$g2],
                w3 = in(zmm_reg) w[$g3],
                q = in(reg) acts,
                o0 = const 4 * $g0,
                o1 = const 4 * $g1,
                o2 = const 4 * $g2,
                o3 = const 4 * $g3,
                block = const size_of::<ActBlock>(),
                options(pure, readonly, nostack, preserves_flags)
            );
            [a, b, c, d]
        }
    };
}
products!(first_products, 0 1 2 3);
products!(last_products, 4 5 6 7);

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
