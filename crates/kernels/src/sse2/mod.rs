//! SSE2, which every x86-64 has: eight rows a panel in two registers, `pmaddwd` on 16-bit halves.
//!
//! For machines without AVX2. It could be left to the compiler and `portable`, but whether that is
//! vectorized hangs on details of inlining, with a factor of five between the outcomes.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the Safety section of simd.rs"
)]

use crate::simd::{Int8, Simd};
use std::arch::x86_64::*;

/// Eight floats, the lower four first.
#[derive(Clone, Copy)]
pub(crate) struct Sse2(__m128, __m128);

/// Applies an intrinsic to both halves.
macro_rules! halves {
    ($intrinsic:ident, $a:expr) => {
        Sse2($intrinsic($a.0), $intrinsic($a.1))
    };
    ($intrinsic:ident, $a:expr, $b:expr) => {
        Sse2($intrinsic($a.0, $b.0), $intrinsic($a.1, $b.1))
    };
}

/// Four halves, zero-extended to 32 bits, as floats: the exponent is rebased by a multiplication,
/// which normalizes subnormals on the way (Giesen, "Half to float done quic", 2012); infinities and
/// NaN get theirs back.
#[inline(always)]
unsafe fn half_to_single(wide: __m128i) -> __m128 {
    let magnitude = _mm_slli_epi32::<13>(_mm_and_si128(wide, _mm_set1_epi32(0x7fff)));
    let rebased = _mm_mul_ps(
        _mm_castsi128_ps(magnitude),
        _mm_castsi128_ps(_mm_set1_epi32((127 + 112) << 23)),
    );
    let exponent = _mm_set1_epi32(0x7c00);
    let special = _mm_and_si128(
        _mm_cmpeq_epi32(_mm_and_si128(wide, exponent), exponent),
        _mm_set1_epi32(0x7f80_0000),
    );
    let sign = _mm_slli_epi32::<16>(_mm_and_si128(wide, _mm_set1_epi32(0x8000)));
    _mm_or_ps(rebased, _mm_castsi128_ps(_mm_or_si128(special, sign)))
}

#[inline(always)]
unsafe fn exp2i(x: __m128) -> __m128 {
    let exponent = _mm_add_epi32(_mm_cvtps_epi32(x), _mm_set1_epi32(127));
    _mm_castsi128_ps(_mm_slli_epi32::<23>(exponent))
}

#[inline(always)]
unsafe fn abs(x: __m128) -> __m128 {
    _mm_andnot_ps(_mm_set1_ps(-0.0), x)
}

/// Adding and taking away 1.5 * 2^23 rounds to nearest even for |x| < 2^22; larger values and NaN
/// pass as they are.
#[inline(always)]
unsafe fn round(x: __m128) -> __m128 {
    let magic = _mm_set1_ps(12_582_912.0);
    let rounded = _mm_sub_ps(_mm_add_ps(x, magic), magic);
    let small = _mm_cmplt_ps(abs(x), _mm_set1_ps(4_194_304.0));
    _mm_or_ps(_mm_and_ps(small, rounded), _mm_andnot_ps(small, x))
}

/// Eight 16-bit integers as floats, zero-extended.
#[inline(always)]
unsafe fn floats_from_u16(x: __m128i) -> Sse2 {
    let zero = _mm_setzero_si128();
    Sse2(_mm_cvtepi32_ps(_mm_unpacklo_epi16(x, zero)), _mm_cvtepi32_ps(_mm_unpackhi_epi16(x, zero)))
}

impl Simd for Sse2 {
    const LANES: usize = 8;
    const MAX_TILE: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Sse2(_mm_set1_ps(x), _mm_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Sse2(_mm_loadu_ps(p), _mm_loadu_ps(p.add(4)))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        _mm_storeu_ps(p, self.0);
        _mm_storeu_ps(p.add(4), self.1)
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Self {
        let (bits, zero) = (_mm_loadu_si128(p.cast()), _mm_setzero_si128());
        Sse2(
            half_to_single(_mm_unpacklo_epi16(bits, zero)),
            half_to_single(_mm_unpackhi_epi16(bits, zero)),
        )
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Self {
        let (bits, zero) = (_mm_loadu_si128(p.cast()), _mm_setzero_si128());
        Sse2(
            _mm_castsi128_ps(_mm_unpacklo_epi16(zero, bits)),
            _mm_castsi128_ps(_mm_unpackhi_epi16(zero, bits)),
        )
    }
    #[inline(always)]
    unsafe fn store_f16(self, p: *mut u16) {
        // Rounding to half in integers is long and this is not a hot loop: one lane after the
        // other.
        let mut lanes = [0.0f32; 8];
        self.store(lanes.as_mut_ptr());
        p.cast::<[u16; 8]>().write_unaligned(lanes.map(|x| half::f16::from_f32_const(x).to_bits()))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        halves!(_mm_add_ps, self, b)
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        halves!(_mm_sub_ps, self, b)
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        halves!(_mm_mul_ps, self, b)
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        halves!(_mm_div_ps, self, b)
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        self.mul(b).add(c)
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        halves!(_mm_max_ps, self, b)
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        halves!(_mm_min_ps, self, b)
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        halves!(abs, self)
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        halves!(round, self)
    }
    #[inline(always)]
    unsafe fn exp2i(self) -> Self {
        halves!(exp2i, self)
    }
    #[inline(always)]
    unsafe fn reduce_add(self) -> f32 {
        let four = _mm_add_ps(self.0, self.1);
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }
    #[inline(always)]
    unsafe fn reduce_max(self) -> f32 {
        let four = _mm_max_ps(self.0, self.1);
        let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }
    #[inline(always)]
    unsafe fn prefetch(p: *const u8) {
        _mm_prefetch::<_MM_HINT_T1>(p.cast())
    }
    #[inline(always)]
    unsafe fn store_i8(self, p: *mut i8) {
        let words = _mm_packs_epi32(_mm_cvtps_epi32(self.0), _mm_cvtps_epi32(self.1));
        _mm_storel_epi64(p.cast(), _mm_packs_epi16(words, words))
    }
}

/// A slice: rows 0..4 and 4..8.
type Slice = [__m128i; 2];

#[inline(always)]
unsafe fn low(w: __m128i) -> __m128i {
    _mm_and_si128(w, _mm_set1_epi8(15))
}

#[inline(always)]
unsafe fn high(w: __m128i) -> __m128i {
    _mm_and_si128(_mm_srli_epi16::<4>(w), _mm_set1_epi8(15))
}

/// `VALUE` in byte `i` where bit `i` of the two bytes in `mask` is set.
#[inline(always)]
unsafe fn spread<const VALUE: i8>(mask: u16) -> __m128i {
    // Each of the two bytes eight times, then bit i % 8 of it.
    let twice =
        _mm_cvtsi32_si128((i32::from(mask & 255) * 0x101) | ((i32::from(mask >> 8) * 0x101) << 16));
    let first = _mm_shufflelo_epi16::<0>(twice);
    let second = _mm_shufflelo_epi16::<0b01_01_01_01>(twice);
    let select = _mm_set1_epi64x(0x8040_2010_0804_0201u64 as i64);
    let set = _mm_cmpeq_epi8(_mm_and_si128(_mm_unpacklo_epi64(first, second), select), select);
    _mm_and_si128(set, _mm_set1_epi8(VALUE))
}

#[inline(always)]
unsafe fn pair(pairs: __m128i, j: usize) -> __m128i {
    let moved = match j {
        0 => _mm_slli_epi16::<4>(pairs),
        1 => _mm_slli_epi16::<2>(pairs),
        2 => pairs,
        _ => _mm_srli_epi16::<2>(pairs),
    };
    _mm_and_si128(moved, _mm_set1_epi8(0x30))
}

#[inline(always)]
unsafe fn low_pair<const J: usize>(pairs: __m128i) -> __m128i {
    let moved = match J {
        0 => pairs,
        1 => _mm_srli_epi16::<2>(pairs),
        2 => _mm_srli_epi16::<4>(pairs),
        _ => _mm_srli_epi16::<6>(pairs),
    };
    _mm_and_si128(moved, _mm_set1_epi8(3))
}

/// Adds four rows' products of one slice to `sum`; `even` and `odd` are the activations of even and
/// odd bytes.
#[inline(always)]
unsafe fn products<const SIGNED_BYTES: bool>(
    w: __m128i,
    even: __m128i,
    odd: __m128i,
    sum: __m128i,
) -> __m128i {
    let (low, high) = if SIGNED_BYTES {
        let w = _mm_xor_si128(w, _mm_set1_epi8(-128));
        (_mm_srai_epi16::<8>(_mm_slli_epi16::<8>(w)), _mm_srai_epi16::<8>(w))
    } else {
        (_mm_and_si128(w, _mm_set1_epi16(255)), _mm_srli_epi16::<8>(w))
    };
    _mm_add_epi32(sum, _mm_add_epi32(_mm_madd_epi16(low, even), _mm_madd_epi16(high, odd)))
}

impl Int8 for Sse2 {
    type W = Slice;

    #[inline(always)]
    unsafe fn load_w(p: *const u8) -> Self::W {
        [_mm_loadu_si128(p.cast()), _mm_loadu_si128(p.add(16).cast())]
    }
    #[inline(always)]
    unsafe fn low_nibbles(w: Self::W) -> Self::W {
        [low(w[0]), low(w[1])]
    }
    #[inline(always)]
    unsafe fn high_nibbles(w: Self::W) -> Self::W {
        [high(w[0]), high(w[1])]
    }
    #[inline(always)]
    unsafe fn add_fifth_bit(w: Self::W, bits: *const u8) -> Self::W {
        let bits = bits.cast::<u32>().read_unaligned();
        [
            _mm_or_si128(w[0], spread::<16>(bits as u16)),
            _mm_or_si128(w[1], spread::<16>((bits >> 16) as u16)),
        ]
    }
    #[inline(always)]
    unsafe fn add_bit_pair(w: Self::W, pairs: Self::W, j: usize) -> Self::W {
        [_mm_or_si128(w[0], pair(pairs[0], j)), _mm_or_si128(w[1], pair(pairs[1], j))]
    }
    #[inline(always)]
    unsafe fn bit_pair<const J: usize>(pairs: Self::W) -> Self::W {
        [low_pair::<J>(pairs[0]), low_pair::<J>(pairs[1])]
    }
    #[inline(always)]
    unsafe fn add_third_bit(w: Self::W, bits: *const u8) -> Self::W {
        let bits = bits.cast::<u32>().read_unaligned();
        [
            _mm_or_si128(w[0], spread::<4>(bits as u16)),
            _mm_or_si128(w[1], spread::<4>((bits >> 16) as u16)),
        ]
    }
    #[inline(always)]
    unsafe fn look_up(w: Self::W, table: &[u8; 16]) -> Self::W {
        // No byte shuffle before SSSE3: every entry goes where its number stands.
        let mut found = [_mm_setzero_si128(); 2];
        for (number, &entry) in table.iter().enumerate() {
            let (number, entry) = (_mm_set1_epi8(number as i8), _mm_set1_epi8(entry as i8));
            for (found, w) in found.iter_mut().zip(w) {
                *found = _mm_or_si128(*found, _mm_and_si128(_mm_cmpeq_epi8(w, number), entry));
            }
        }
        found
    }
    #[inline(always)]
    unsafe fn dot<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
        w: &[Self::W; 8],
        q: *const i8,
        neg_sum: i32,
    ) -> Self {
        let start = _mm_set1_epi32(if SIGNED && BITS < 8 { neg_sum << (BITS - 1) } else { 0 });
        let mut sums = [start; 2];
        let mut g = FROM;
        while g < TO {
            let four = _mm_set1_epi32(q.add(4 * g).cast::<i32>().read_unaligned());
            let even = _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(four));
            let odd = _mm_srai_epi16::<8>(four);
            if BITS == 8 {
                sums = [
                    products::<true>(w[g][0], even, odd, sums[0]),
                    products::<true>(w[g][1], even, odd, sums[1]),
                ];
            } else {
                sums = [
                    products::<false>(w[g][0], even, odd, sums[0]),
                    products::<false>(w[g][1], even, odd, sums[1]),
                ];
            }
            g += 1;
        }
        Sse2(_mm_cvtepi32_ps(sums[0]), _mm_cvtepi32_ps(sums[1]))
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> Self {
        floats_from_u16(_mm_unpacklo_epi8(_mm_loadl_epi64(p.cast()), _mm_setzero_si128()))
    }
    #[inline(always)]
    unsafe fn load_nibbles(p: *const u8) -> (Self, Self) {
        let bytes = _mm_loadl_epi64(p.cast());
        let zero = _mm_setzero_si128();
        (
            floats_from_u16(_mm_unpacklo_epi8(low(bytes), zero)),
            floats_from_u16(_mm_unpacklo_epi8(high(bytes), zero)),
        )
    }
    #[inline(always)]
    unsafe fn load_i8(p: *const i8) -> Self {
        // Each byte twice, then shifted down with its sign: the same in 16 and in 32 bits.
        let bytes = _mm_loadl_epi64(p.cast());
        let words = _mm_unpacklo_epi8(bytes, bytes);
        let low = _mm_srai_epi32::<24>(_mm_unpacklo_epi16(words, words));
        let high = _mm_srai_epi32::<24>(_mm_unpackhi_epi16(words, words));
        Sse2(_mm_cvtepi32_ps(low), _mm_cvtepi32_ps(high))
    }
}

crate::generic::instantiate_kernels!(Sse2, crate::Isa::Sse2, "sse2");
