//! Vectors as plain arrays: works everywhere, and is what Miri and Valgrind check.
//!
//! The compiler turns these loops to whatever the build target has, more or less well; x86-64 has
//! `sse2` instead. Eight lanes, so that its panels are those of AVX2.

use crate::simd::{Int8, Simd, slices_within_16_bits};
use half::f16;

const N: usize = 8;

/// Eight floats.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; N]);

/// Eight lanes, each the expression with `i` its number. Written out and without a closure: what
/// the compiler does not inline or unroll, it does not vectorize either.
macro_rules! lanes {
    ($i:ident => $lane:expr) => {
        [lane!($i 0 $lane), lane!($i 1 $lane), lane!($i 2 $lane), lane!($i 3 $lane),
         lane!($i 4 $lane), lane!($i 5 $lane), lane!($i 6 $lane), lane!($i 7 $lane)]
    };
}

macro_rules! lane {
    ($i:ident $number:literal $lane:expr) => {{
        let $i: usize = $number;
        $lane
    }};
}

/// Every byte through `f(index, byte)`. A loop: `array::map` of 32 elements is not inlined.
#[inline(always)]
fn bytes(mut w: [u8; 4 * N], f: impl Fn(usize, u8) -> u8) -> [u8; 4 * N] {
    for (i, b) in w.iter_mut().enumerate() {
        *b = f(i, *b);
    }
    w
}

/// A half as a float without a branch, so that eight of them are one vector: the exponent is
/// rebased by a multiplication, which normalizes subnormals on the way (Giesen, "Half to float done
/// quic", 2012).
#[inline(always)]
fn half_to_single(bits: u16) -> f32 {
    let wide = u32::from(bits);
    let magnitude = f32::from_bits((wide & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
    let special = if wide & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(magnitude.to_bits() | special | ((wide & 0x8000) << 16))
}

/// Reads `M` items. SAFETY of callers: `p` is valid for `M` items, as the trait's contract demands.
#[inline(always)]
unsafe fn read<T: Copy, const M: usize>(p: *const T) -> [T; M] {
    // SAFETY: the caller's contract.
    unsafe { p.cast::<[T; M]>().read_unaligned() }
}

/// Writes `M` items. SAFETY of callers: `p` is valid for `M` items, as the trait's contract
/// demands.
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
        let bits: [u16; N] = read(p);
        Portable(lanes!(i => half_to_single(bits[i])))
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Self {
        let bits: [u16; N] = read(p);
        Portable(lanes!(i => f32::from_bits(u32::from(bits[i]) << 16)))
    }
    #[inline(always)]
    unsafe fn store_f16(self, p: *mut u16) {
        write(p, lanes!(i => f16::from_f32_const(self.0[i]).to_bits()))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Portable(lanes!(i => self.0[i] + b.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Portable(lanes!(i => self.0[i] - b.0[i]))
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        Portable(lanes!(i => self.0[i] * b.0[i]))
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        Portable(lanes!(i => self.0[i] / b.0[i]))
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        // Not mul_add: without FMA instructions that is a call per lane.
        Portable(lanes!(i => self.0[i] * b.0[i] + c.0[i]))
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        Portable(lanes!(i => if self.0[i] > b.0[i] { self.0[i] } else { b.0[i] }))
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        Portable(lanes!(i => if self.0[i] < b.0[i] { self.0[i] } else { b.0[i] }))
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        Portable(lanes!(i => self.0[i].abs()))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // Adding and taking away 1.5 * 2^23 rounds to nearest even in the default rounding mode,
        // for |x| < 2^22.
        const MAGIC: f32 = 12_582_912.0;
        Portable(
            lanes!(i => if self.0[i].abs() < 4_194_304.0 { (self.0[i] + MAGIC) - MAGIC } else { self.0[i] }),
        )
    }
    #[inline(always)]
    unsafe fn exp2i(self) -> Self {
        Portable(lanes!(i => f32::from_bits(((self.0[i] as i32 + 127) as u32) << 23)))
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
        let rounded = self.round().0;
        write(p, lanes!(i => rounded[i] as i8))
    }
}

/// [`Int8::dot`]. Not inlined: on its own it is vectorized.
///
/// Even and odd bytes of a slice as 16-bit lanes, two a row: products of small weights are summed
/// there before they are widened, because that is what the baseline of every target multiplies
/// eight at a time.
#[inline(never)]
fn dot<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
    w: &[[u8; 4 * N]; 8],
    q: &[i8; 32],
    neg_sum: i32,
) -> [f32; N] {
    let start = if SIGNED && BITS < 8 { neg_sum << (BITS - 1) } else { 0 };
    let mut sum = [start; N];
    let mut g = FROM;
    while g < TO {
        let mut narrow = [0i16; 2 * N];
        let until = (g + slices_within_16_bits(BITS)).min(TO);
        while g < until {
            let q = [q[4 * g], q[4 * g + 1], q[4 * g + 2], q[4 * g + 3]].map(i16::from);
            for (j, narrow) in narrow.iter_mut().enumerate() {
                let (even, odd) = (q[j % 2 * 2], q[j % 2 * 2 + 1]);
                let offset = if BITS == 8 { 128 } else { 0 };
                let (low, high) =
                    (i16::from(w[g][2 * j]) - offset, i16::from(w[g][2 * j + 1]) - offset);
                *narrow = narrow
                    .wrapping_add(low.wrapping_mul(even))
                    .wrapping_add(high.wrapping_mul(odd));
            }
            g += 1;
        }
        for (sum, pair) in sum.iter_mut().zip(narrow.chunks_exact(2)) {
            *sum += i32::from(pair[0]) + i32::from(pair[1]);
        }
    }
    lanes!(i => sum[i] as f32)
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
    unsafe fn bit_pair<const J: usize>(pairs: Self::W) -> Self::W {
        bytes(pairs, |_, b| b >> (2 * J) & 3)
    }
    #[inline(always)]
    unsafe fn add_third_bit(w: Self::W, bits: *const u8) -> Self::W {
        let bits = u32::from_le_bytes(read(bits));
        bytes(w, |i, b| b + ((bits >> i & 1) as u8) * 4)
    }
    #[inline(always)]
    unsafe fn look_up(w: Self::W, table: &[u8; 16]) -> Self::W {
        bytes(w, |_, b| table[usize::from(b & 15)])
    }
    #[inline(always)]
    unsafe fn dot<const BITS: u32, const SIGNED: bool, const FROM: usize, const TO: usize>(
        w: &[Self::W; 8],
        q: *const i8,
        neg_sum: i32,
    ) -> Self {
        Portable(dot::<BITS, SIGNED, FROM, TO>(w, &read(q), neg_sum))
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> Self {
        let items: [u8; N] = read(p);
        Portable(lanes!(i => f32::from(items[i])))
    }
    #[inline(always)]
    unsafe fn load_nibbles(p: *const u8) -> (Self, Self) {
        let items: [u8; N] = read(p);
        (
            Portable(lanes!(i => f32::from(items[i] & 15))),
            Portable(lanes!(i => f32::from(items[i] >> 4))),
        )
    }
    #[inline(always)]
    unsafe fn load_i8(p: *const i8) -> Self {
        let items: [i8; N] = read(p);
        Portable(lanes!(i => f32::from(items[i])))
    }
}

crate::generic::instantiate_kernels!(Portable, crate::Isa::Portable);
