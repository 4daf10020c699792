//! Reading panels in registers: the compile-time mirror of `pack.rs`.

#![allow(unsafe_op_in_unsafe_fn, reason = "one contract for the whole file: pointers into a panel made by pack.rs")]

use super::{quants_bytes, super_bytes, super_min_bytes, super_signed_bytes, super16_bytes};
use crate::simd::Int8;
use pacemark_quant::{IQ4_VALUES, MXFP4_VALUES};

/// How a block's quants are stored.
pub(crate) trait Quants {
    /// Bits of a quant in the panel.
    const BITS: u32;
    /// Bits of a slice's bytes in the product; signed ones have half of that range added.
    const CODE_BITS: u32 = Self::BITS;

    /// The eight slices of the block at `p`, unsigned.
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8];
}

pub(crate) struct Bits2;
pub(crate) struct Bits3;
pub(crate) struct Bits4;
/// Four bits that index a table: IQ4_NL's and IQ4_XS's.
pub(crate) struct Iq4;
/// Four bits that are a float: MXFP4's.
pub(crate) struct Fp4;
pub(crate) struct Bits5;
pub(crate) struct Bits6;
pub(crate) struct Bits8;

impl Quants for Bits2 {
    const BITS: u32 = 2;

    #[inline(always)]
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8] {
        let (first, second) = (V::load_w(p), V::load_w(p.add(4 * V::LANES)));
        [
            V::bit_pair::<0>(first),
            V::bit_pair::<1>(first),
            V::bit_pair::<2>(first),
            V::bit_pair::<3>(first),
            V::bit_pair::<0>(second),
            V::bit_pair::<1>(second),
            V::bit_pair::<2>(second),
            V::bit_pair::<3>(second),
        ]
    }
}

impl Quants for Bits3 {
    const BITS: u32 = 3;

    #[inline(always)]
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8] {
        let mut w = Bits2::slices::<V>(p);
        let bits = p.add(8 * V::LANES);
        for (g, w) in w.iter_mut().enumerate() {
            *w = V::add_third_bit(*w, bits.add(g * V::LANES / 2));
        }
        w
    }
}

impl Quants for Bits4 {
    const BITS: u32 = 4;

    #[inline(always)]
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8] {
        let slice = 4 * V::LANES;
        let w = [V::load_w(p), V::load_w(p.add(slice)), V::load_w(p.add(2 * slice)), V::load_w(p.add(3 * slice))];
        [
            V::low_nibbles(w[0]),
            V::low_nibbles(w[1]),
            V::low_nibbles(w[2]),
            V::low_nibbles(w[3]),
            V::high_nibbles(w[0]),
            V::high_nibbles(w[1]),
            V::high_nibbles(w[2]),
            V::high_nibbles(w[3]),
        ]
    }
}

/// `values` with half the range of `1 << bits` added, so that they are unsigned.
const fn biased(values: &[i8; 16], bits: u32) -> [u8; 16] {
    let mut table = [0; 16];
    let mut i = 0;
    while i < 16 {
        table[i] = (values[i] as i16 + (1 << (bits - 1))) as u8;
        i += 1;
    }
    table
}

/// Nibbles looked up in a table of sixteen.
#[inline(always)]
unsafe fn looked_up<V: Int8>(p: *const u8, table: &[u8; 16]) -> [V::W; 8] {
    let mut w = Bits4::slices::<V>(p);
    for w in &mut w {
        *w = V::look_up(*w, table);
    }
    w
}

impl Quants for Iq4 {
    const BITS: u32 = 4;
    const CODE_BITS: u32 = 8;

    #[inline(always)]
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8] {
        looked_up::<V>(p, const { &biased(&IQ4_VALUES, 8) })
    }
}

impl Quants for Fp4 {
    const BITS: u32 = 4;
    // -12..=12 fit five, for which AVX2 has a shorter way.
    const CODE_BITS: u32 = 5;

    #[inline(always)]
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8] {
        looked_up::<V>(p, const { &biased(&MXFP4_VALUES, 5) })
    }
}

impl Quants for Bits5 {
    const BITS: u32 = 5;

    #[inline(always)]
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8] {
        let mut w = Bits4::slices::<V>(p);
        let bits = p.add(16 * V::LANES);
        for (g, w) in w.iter_mut().enumerate() {
            *w = V::add_fifth_bit(*w, bits.add(g * V::LANES / 2));
        }
        w
    }
}

impl Quants for Bits6 {
    const BITS: u32 = 6;

    #[inline(always)]
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8] {
        let mut w = Bits4::slices::<V>(p);
        let (first, second) = (V::load_w(p.add(16 * V::LANES)), V::load_w(p.add(20 * V::LANES)));
        for j in 0..4 {
            w[j] = V::add_bit_pair(w[j], first, j);
            w[j + 4] = V::add_bit_pair(w[j + 4], second, j);
        }
        w
    }
}

impl Quants for Bits8 {
    const BITS: u32 = 8;

    #[inline(always)]
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8] {
        let slice = 4 * V::LANES;
        let mut w = [V::load_w(p); 8];
        for (g, w) in w.iter_mut().enumerate().skip(1) {
            *w = V::load_w(p.add(g * slice));
        }
        w
    }
}

/// The scales of one block, a lane a row.
pub(crate) struct BlockScales<V> {
    /// Scale of the block; of its first half where [`Scales::HALVES`].
    pub scale: V,
    /// Scale of the second half; unused elsewhere.
    pub second: V,
    /// What one unit of activation adds; unused where [`Scales::SIGNED`].
    pub min: V,
    /// What one unit of activation of the second half adds; `min` then is of the first. Used where [`Scales::HALVES`].
    pub second_min: V,
}

/// How a panel's scales are stored.
pub(crate) trait Scales {
    /// Quants carry an offset of half their range instead of a minimum.
    const SIGNED: bool;
    /// Two scales a block.
    const HALVES: bool;

    /// The scales of block `b`; `p` is the start of the panel's scales.
    unsafe fn load<V: Int8>(p: *const u8, b: usize) -> BlockScales<V>;
}

pub(crate) struct Plain;
pub(crate) struct Affine;
pub(crate) struct Super;
pub(crate) struct SuperSigned;
pub(crate) struct Super16;
pub(crate) struct SuperMin16;
pub(crate) struct Exponent;

impl Scales for Plain {
    const SIGNED: bool = true;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn load<V: Int8>(p: *const u8, b: usize) -> BlockScales<V> {
        let scale = V::load_f16(p.add(b * V::LANES * 2).cast());
        BlockScales { scale, second: scale, min: scale, second_min: scale }
    }
}

impl Scales for Affine {
    const SIGNED: bool = false;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn load<V: Int8>(p: *const u8, b: usize) -> BlockScales<V> {
        let p = p.add(b * V::LANES * 4);
        let scale = V::load_f16(p.cast());
        let min = V::load_f16(p.add(V::LANES * 2).cast());
        BlockScales { scale, second: scale, min, second_min: min }
    }
}

impl Scales for Super {
    const SIGNED: bool = false;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn load<V: Int8>(p: *const u8, b: usize) -> BlockScales<V> {
        let p = p.add(b / 8 * super_bytes(V::LANES));
        let (d, dmin) = (V::load_f16(p.cast()), V::load_f16(p.add(V::LANES * 2).cast()));
        let small = p.add(V::LANES * (4 + b % 8 * 2));
        let scale = d.mul(V::load_u8(small));
        let min = V::splat(0.0).sub(dmin.mul(V::load_u8(small.add(V::LANES))));
        BlockScales { scale, second: scale, min, second_min: min }
    }
}

impl Scales for SuperSigned {
    const SIGNED: bool = true;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn load<V: Int8>(p: *const u8, b: usize) -> BlockScales<V> {
        let p = p.add(b / 8 * super_signed_bytes(V::LANES));
        let small = p.add(V::LANES * (2 + b % 8)).cast::<i8>();
        let scale = V::load_f16(p.cast()).mul(V::load_i8(small));
        BlockScales { scale, second: scale, min: scale, second_min: scale }
    }
}

impl Scales for SuperMin16 {
    const SIGNED: bool = false;
    const HALVES: bool = true;

    #[inline(always)]
    unsafe fn load<V: Int8>(p: *const u8, b: usize) -> BlockScales<V> {
        let p = p.add(b / 8 * super_min_bytes(V::LANES));
        let (d, dmin) = (V::load_f16(p.cast()), V::load_f16(p.add(V::LANES * 2).cast()));
        let dmin = V::splat(0.0).sub(dmin);
        let small = p.add(V::LANES * (4 + b % 8 * 2));
        let (scale, min) = V::load_nibbles(small);
        let (second, second_min) = V::load_nibbles(small.add(V::LANES));
        BlockScales { scale: d.mul(scale), second: d.mul(second), min: dmin.mul(min), second_min: dmin.mul(second_min) }
    }
}

impl Scales for Exponent {
    const SIGNED: bool = true;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn load<V: Int8>(p: *const u8, b: usize) -> BlockScales<V> {
        // Half of 2^(e - 127). The two exponents below the normal numbers are taken for the smallest normal one.
        let exponent = V::load_u8(p.add(b * V::LANES)).sub(V::splat(128.0));
        let scale = exponent.max(V::splat(-126.0)).exp2i();
        BlockScales { scale, second: scale, min: scale, second_min: scale }
    }
}

impl Scales for Super16 {
    const SIGNED: bool = true;
    const HALVES: bool = true;

    #[inline(always)]
    unsafe fn load<V: Int8>(p: *const u8, b: usize) -> BlockScales<V> {
        let p = p.add(b / 8 * super16_bytes(V::LANES));
        let d = V::load_f16(p.cast());
        let small = p.add(V::LANES * (2 + b % 8 * 2)).cast::<i8>();
        let scale = d.mul(V::load_i8(small));
        BlockScales { scale, second: d.mul(V::load_i8(small.add(V::LANES))), min: scale, second_min: scale }
    }
}

/// Start of a panel's scales.
pub(crate) const fn scales_at<Q: Quants>(n_blocks: usize, rows: usize) -> usize {
    n_blocks * quants_bytes(Q::BITS, rows)
}
