//! AVX2 with FMA and F16C: eight rows a panel, `maddubs` on unsigned weights and broadcast
//! activations.
//!
//! `maddubs` saturates at 16 bits. Weights of up to six bits cannot reach that for as many slices
//! as are summed before widening (`slices_within_16_bits`); eight-bit weights go by sign and
//! magnitude, where |w| <= 128 and |q| <= 127.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the Safety section of simd.rs"
)]

mod products;

use crate::panel::decode::Quants;
use crate::simd::{EIGHT, FOUR, Int8, Simd, slices_within_16_bits};
use crate::unrolled::unrolled;
use pacemark_quant::ActBlock;
use products::{Sums, add_narrow, add_wide};
use std::arch::x86_64::*;

/// Eight floats.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

impl Simd for Avx2 {
    const LANES: usize = 8;
    const MAX_TILE: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Avx2(_mm256_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Avx2(_mm256_loadu_ps(p))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        _mm256_storeu_ps(p, self.0)
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Self {
        Avx2(_mm256_cvtph_ps(_mm_loadu_si128(p.cast())))
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Self {
        let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(p.cast()));
        Avx2(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide)))
    }
    #[inline(always)]
    unsafe fn store_f16(self, p: *mut u16) {
        _mm_storeu_si128(p.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Avx2(_mm256_add_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Avx2(_mm256_sub_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        Avx2(_mm256_mul_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        Avx2(_mm256_div_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Avx2(_mm256_fmadd_ps(self.0, b.0, c.0))
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        Avx2(_mm256_max_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        Avx2(_mm256_min_ps(self.0, b.0))
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        Avx2(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        Avx2(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0))
    }
    #[inline(always)]
    unsafe fn exp2i(self) -> Self {
        let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
        Avx2(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
    }
    #[inline(always)]
    unsafe fn reduce_add(self) -> f32 {
        let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }
    #[inline(always)]
    unsafe fn reduce_max(self) -> f32 {
        let four = _mm_max_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
        let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
    }
    #[inline(always)]
    unsafe fn prefetch(p: *const u8) {
        _mm_prefetch::<_MM_HINT_T1>(p.cast())
    }
    #[inline(always)]
    unsafe fn store_i8(self, p: *mut i8) {
        let wide = _mm256_cvtps_epi32(self.0);
        let half =
            _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256::<1>(wide));
        _mm_storel_epi64(p.cast(), _mm_packs_epi16(half, half))
    }
}

/// Adds `VALUE`, a power of two above all of `w`, to byte `i` where bit `i` of the four bytes at
/// `bits` is set.
#[inline(always)]
unsafe fn add_bit<const VALUE: i8>(w: __m256i, bits: *const u8) -> __m256i {
    // Byte i gets the mask byte i / 8 (the shuffle works within 128-bit lanes, each of which holds
    // all four), then keeps bit i % 8 of it.
    let all = _mm256_set1_epi32(bits.cast::<i32>().read_unaligned());
    let spread = _mm256_setr_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3,
        3, 3,
    );
    let select = _mm256_set1_epi64x(0x8040_2010_0804_0201u64 as i64);
    let bytes = _mm256_and_si256(_mm256_shuffle_epi8(all, spread), select);
    let set = _mm256_cmpeq_epi8(bytes, select);
    _mm256_or_si256(w, _mm256_and_si256(set, _mm256_set1_epi8(VALUE)))
}

/// Sums of slices `FROM..TO` for the four tokens at `acts`; weights of up to six `BITS`.
#[inline(always)]
unsafe fn narrow_sums<const BITS: u32, const FROM: usize, const TO: usize>(
    w: &[[__m256i; 8]; 2],
    acts: *const ActBlock,
    start: [i32; FOUR],
) -> Sums {
    let (at_once, ones) = (slices_within_16_bits(BITS), _mm256_set1_epi16(1));
    let (q, zeros) = (acts.cast::<i8>(), [[_mm256_setzero_si256(); FOUR]; 2]);
    let (mut sums, mut narrow) = (zeros, zeros);
    unrolled!(t in FOUR => {
        let start = _mm256_set1_epi32(start[t]);
        (sums[0][t], sums[1][t]) = (start, start);
    });
    unrolled!(g in SLICES => {
        if FROM <= g && g < TO {
            if g.is_multiple_of(at_once) {
                narrow = zeros;
            }
            add_narrow([w[0][g], w[1][g]], q.add(4 * g), &mut narrow);
            if (g + 1).is_multiple_of(at_once) || g + 1 == TO {
                unrolled!(t in FOUR => {
                    sums[0][t] = _mm256_add_epi32(sums[0][t], _mm256_madd_epi16(narrow[0][t], ones));
                    sums[1][t] = _mm256_add_epi32(sums[1][t], _mm256_madd_epi16(narrow[1][t], ones));
                });
            }
        }
    });
    sums
}

/// [`narrow_sums`] of weights of eight bits, signed, with their magnitudes.
#[inline(always)]
unsafe fn wide_sums<const FROM: usize, const TO: usize>(
    w: &[[__m256i; 8]; 2],
    size: &[[__m256i; 8]; 2],
    acts: *const ActBlock,
) -> Sums {
    let mut sums = [[_mm256_setzero_si256(); FOUR]; 2];
    let q = acts.cast::<i8>();
    unrolled!(g in SLICES => {
        if FROM <= g && g < TO {
            add_wide([&w[0][g], &w[1][g]], [size[0][g], size[1][g]], q.add(4 * g), &mut sums);
        }
    });
    sums
}

/// Slices of a block, and halves of everything else.
const SLICES: usize = 8;
const PAIR: usize = 2;

impl Int8 for Avx2 {
    type W = __m256i;

    #[inline(always)]
    unsafe fn load_w(p: *const u8) -> Self::W {
        _mm256_loadu_si256(p.cast())
    }
    #[inline(always)]
    unsafe fn low_nibbles(w: Self::W) -> Self::W {
        _mm256_and_si256(w, _mm256_set1_epi8(15))
    }
    #[inline(always)]
    unsafe fn high_nibbles(w: Self::W) -> Self::W {
        _mm256_and_si256(_mm256_srli_epi16::<4>(w), _mm256_set1_epi8(15))
    }
    #[inline(always)]
    unsafe fn add_fifth_bit(w: Self::W, bits: *const u8) -> Self::W {
        add_bit::<16>(w, bits)
    }
    #[inline(always)]
    unsafe fn add_bit_pair(w: Self::W, pairs: Self::W, j: usize) -> Self::W {
        let moved = match j {
            0 => _mm256_slli_epi16::<4>(pairs),
            1 => _mm256_slli_epi16::<2>(pairs),
            2 => pairs,
            _ => _mm256_srli_epi16::<2>(pairs),
        };
        _mm256_or_si256(w, _mm256_and_si256(moved, _mm256_set1_epi8(0x30)))
    }
    #[inline(always)]
    unsafe fn bit_pair<const J: usize>(pairs: Self::W) -> Self::W {
        let moved = match J {
            0 => pairs,
            1 => _mm256_srli_epi16::<2>(pairs),
            2 => _mm256_srli_epi16::<4>(pairs),
            _ => _mm256_srli_epi16::<6>(pairs),
        };
        _mm256_and_si256(moved, _mm256_set1_epi8(3))
    }
    #[inline(always)]
    unsafe fn add_third_bit(w: Self::W, bits: *const u8) -> Self::W {
        add_bit::<4>(w, bits)
    }
    #[inline(always)]
    unsafe fn look_up(w: Self::W, table: &[u8; 16]) -> Self::W {
        let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
        _mm256_shuffle_epi8(table, w)
    }
    #[inline(always)]
    unsafe fn dot<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
        w: &[Self::W; 8],
        q: *const i8,
        neg_sum: i32,
    ) -> Self {
        let q = q.cast::<i32>();
        let ones = _mm256_set1_epi16(1);
        let start = if SIGNED && BITS < 8 { neg_sum << (BITS - 1) } else { 0 };
        let mut sum = _mm256_set1_epi32(start);
        let mut g = FROM;
        while g < TO {
            let mut narrow = _mm256_setzero_si256();
            let until = if g + slices_within_16_bits(BITS) < TO {
                g + slices_within_16_bits(BITS)
            } else {
                TO
            };
            while g < until {
                let q = _mm256_set1_epi32(q.add(g).read_unaligned());
                let product = if BITS == 8 {
                    let signed = _mm256_xor_si256(w[g], _mm256_set1_epi8(-128));
                    _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(q, signed))
                } else {
                    _mm256_maddubs_epi16(w[g], q)
                };
                narrow = _mm256_add_epi16(narrow, product);
                g += 1;
            }
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(narrow, ones));
        }
        Avx2(_mm256_cvtepi32_ps(sum))
    }
    const PAIRED: bool = true;
    // What a pair saves is decoding: without it prompts of SmolLM2 (Q4_1) lost 8 %.
    const PAIRED_PLAIN: bool = false;

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
        let mut w = [Q::slices::<Self>(quants[0]), Q::slices::<Self>(quants[1])];
        let mut size = w;
        if BITS == 8 {
            unrolled!(g in SLICES => {
                unrolled!(panel in PAIR => {
                    w[panel][g] = _mm256_xor_si256(w[panel][g], _mm256_set1_epi8(-128));
                    size[panel][g] = _mm256_abs_epi8(w[panel][g]);
                });
            });
        }
        let mut dots = [[Self::splat(0.0); EIGHT]; 2];
        unrolled!(half in PAIR => {
            let acts = acts.add(half * FOUR);
            let sums = if BITS == 8 {
                wide_sums::<FROM, TO>(&w, &size, acts)
            } else {
                let mut start = [0; FOUR];
                if SIGNED {
                    unrolled!(t in FOUR => { start[t] = neg_sums[half * FOUR + t] << (BITS - 1); });
                }
                narrow_sums::<BITS, FROM, TO>(&w, acts, start)
            };
            unrolled!(t in FOUR => {
                dots[0][half * FOUR + t] = Avx2(_mm256_cvtepi32_ps(sums[0][t]));
                dots[1][half * FOUR + t] = Avx2(_mm256_cvtepi32_ps(sums[1][t]));
            });
        });
        dots
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> Self {
        Avx2(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()))))
    }
    #[inline(always)]
    unsafe fn load_nibbles(p: *const u8) -> (Self, Self) {
        let wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()));
        let low = _mm256_and_si256(wide, _mm256_set1_epi32(15));
        (Avx2(_mm256_cvtepi32_ps(low)), Avx2(_mm256_cvtepi32_ps(_mm256_srli_epi32::<4>(wide))))
    }
    #[inline(always)]
    unsafe fn load_i8(p: *const i8) -> Self {
        Avx2(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p.cast()))))
    }
}

crate::generic::instantiate_kernels!(Avx2, crate::Isa::Avx2, "avx2,fma,f16c");
