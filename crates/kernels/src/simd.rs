//! The few vector operations that the generic kernels are written in: one implementation per ISA
//! folder.
//!
//! A kernel is written once, generic over [`Simd`] (floats) or [`Int8`] (weight panels); an ISA
//! folder implements the traits in terms of its intrinsics and instantiates every kernel inside a
//! `#[target_feature]` function. All methods are `#[inline(always)]` so that they end up inside
//! that function.
//!
//! # Safety
//! Every method requires that the CPU has the implementation's instructions. It is true because
//! kernels are reached only through a [`crate::KernelSet`], and `isa.rs` hands out a set only after
//! detecting its features. Pointer arguments must be valid for the lanes they name; no alignment is
//! required.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the module's Safety section"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "one contract for all methods: the module's Safety section"
)]

use crate::panel::decode::Quants;
use crate::unrolled::unrolled;
use pacemark_quant::ActBlock;

/// Tokens of [`Int8::dot4`].
pub(crate) const FOUR: usize = 4;

/// Tokens of [`Int8::dot_pair`].
pub(crate) const EIGHT: usize = 8;

/// A vector of [`Simd::LANES`] floats.
pub(crate) trait Simd: Copy {
    /// Floats in a vector; also the rows of a weight panel.
    const LANES: usize;
    /// Token rows that one pass of a matrix kernel keeps in registers.
    const MAX_TILE: usize;

    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    unsafe fn store(self, p: *mut f32);
    /// Loads `LANES` halves.
    unsafe fn load_f16(p: *const u16) -> Self;
    /// Loads `LANES` bfloat16.
    unsafe fn load_bf16(p: *const u16) -> Self;
    /// Stores `LANES` halves, rounded to nearest even.
    unsafe fn store_f16(self, p: *mut u16);
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn sub(self, b: Self) -> Self;
    unsafe fn mul(self, b: Self) -> Self;
    unsafe fn div(self, b: Self) -> Self;
    /// `self * b + c`.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// `b` unless `self > b`, so also where `self` is NaN.
    unsafe fn max(self, b: Self) -> Self;
    /// `b` unless `self < b`.
    unsafe fn min(self, b: Self) -> Self;
    unsafe fn abs(self) -> Self;
    /// Nearest integer, ties to even.
    unsafe fn round(self) -> Self;
    /// `2^self` for integer-valued lanes in -126..=127.
    unsafe fn exp2i(self) -> Self;
    unsafe fn reduce_add(self) -> f32;
    unsafe fn reduce_max(self) -> f32;
    /// Asks for the cache line at `p`, which need not be valid memory, into the second level of
    /// cache: the first has too few misses in flight for the memory's latency (Q8_0 at one token:
    /// 18-20 GB/s asked into the first, 27-33 into the second).
    unsafe fn prefetch(p: *const u8) {
        let _ = p;
    }
    /// Rounds to the nearest integer, ties to even, and stores `LANES` signed bytes.
    unsafe fn store_i8(self, p: *mut i8);
}

/// Unsigned weight bytes against signed activation bytes, `LANES` rows at a time.
///
/// A weight vector [`Int8::W`] holds one *slice*: four consecutive k of every row, row after row.
pub(crate) trait Int8: Simd {
    /// `4 * LANES` unsigned bytes.
    type W: Copy;

    /// Loads one slice.
    unsafe fn load_w(p: *const u8) -> Self::W;
    /// The low nibble of every byte.
    unsafe fn low_nibbles(w: Self::W) -> Self::W;
    /// The high nibble of every byte.
    unsafe fn high_nibbles(w: Self::W) -> Self::W;
    /// Adds 16 to byte `i` where bit `i` of the `LANES / 2` bytes at `bits` is set.
    unsafe fn add_fifth_bit(w: Self::W, bits: *const u8) -> Self::W;
    /// Adds sixteen times bits `2 * j` and `2 * j + 1` of every byte of `pairs`, `j` in 0..4.
    unsafe fn add_bit_pair(w: Self::W, pairs: Self::W, j: usize) -> Self::W;
    /// Bits `2 * J` and `2 * J + 1` of every byte.
    unsafe fn bit_pair<const J: usize>(pairs: Self::W) -> Self::W;
    /// Adds 4 to byte `i` where bit `i` of the `LANES / 2` bytes at `bits` is set.
    unsafe fn add_third_bit(w: Self::W, bits: *const u8) -> Self::W;
    /// Every byte, which is below 16, replaced by that entry of `table`.
    unsafe fn look_up(w: Self::W, table: &[u8; 16]) -> Self::W;
    /// Per row: `Σ (w - offset) * q` over slices `FROM..TO`, as floats.
    ///
    /// `q` are the 32 activations of the block. The weights use `BITS` bits; `SIGNED` types have
    /// the offset `2^(BITS - 1)`, the others none. `neg_sum` is `-Σ q` over the same slices.
    unsafe fn dot<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
        w: &[Self::W; 8],
        q: *const i8,
        neg_sum: i32,
    ) -> Self;
    /// [`Int8::dot`] for the blocks of four tokens that lie side by side at `acts`.
    #[inline(always)]
    unsafe fn dot4<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
        w: &[Self::W; 8],
        acts: *const ActBlock,
        neg_sums: [i32; 4],
    ) -> [Self; 4] {
        let mut sums = [Self::splat(0.0); 4];
        unrolled!(t in FOUR => {
            sums[t] = Self::dot::<BITS, SIGNED, FROM, TO>(w, acts.add(t).cast(), neg_sums[t]);
        });
        sums
    }
    /// Whether prompts take two panels at a time ([`Int8::dot_pair`]).
    const PAIRED: bool = false;
    /// [`Self::PAIRED`] of weights that are decoded by a shift and a mask.
    const PAIRED_PLAIN: bool = Self::PAIRED;
    /// [`Self::PAIRED`] of signed weights with two scales a block (Q6_K, Q3_K).
    const PAIRED_HALVES: bool = Self::PAIRED;

    /// [`Int8::dot`] of the blocks at `quants`, of two panels, for the blocks of eight tokens that
    /// lie side by side at `acts`: each activation is loaded once for both.
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
        let mut dots = [[Self::splat(0.0); EIGHT]; 2];
        for (dots, quants) in dots.iter_mut().zip(quants) {
            let w = Q::slices::<Self>(quants);
            unrolled!(t in EIGHT => {
                dots[t] = Self::dot::<BITS, SIGNED, FROM, TO>(&w, acts.add(t).cast(), neg_sums[t]);
            });
        }
        dots
    }
    /// Loads `LANES` unsigned bytes as floats.
    unsafe fn load_u8(p: *const u8) -> Self;
    /// Loads `LANES` bytes: their low and their high nibbles as floats.
    unsafe fn load_nibbles(p: *const u8) -> (Self, Self);
    /// Loads `LANES` signed bytes as floats.
    unsafe fn load_i8(p: *const i8) -> Self;
}

/// How many slices of `bits`-bit weights times activations can be summed in 16 bits, two products a
/// lane and slice: `slices * 2 * (2^bits - 1) * 127 <= 32767`. Eight-bit weights are signed, `2 *
/// 128 * 127`.
pub(crate) const fn slices_within_16_bits(bits: u32) -> usize {
    match bits {
        2..=4 => 8,
        5 => 4,
        6 => 2,
        _ => 1,
    }
}
