//! Reading panels in registers: the compile-time mirror of `pack.rs`.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: pointers into a panel made by pack.rs"
)]

use super::ScaleKind;
use crate::simd::Int8;
use pacemark_quant::{IQ4_VALUES, MXFP4_VALUES};

/// How a block's quants are stored.
pub(crate) trait Quants {
    /// Bits of a quant in the panel.
    const BITS: u32;
    /// Bits of a slice's bytes in the product; signed ones have half of that range added.
    const CODE_BITS: u32 = Self::BITS;
    /// A slice is a part of one vector: decoding it is a shift and a mask.
    const PLAIN: bool = false;

    /// Slice `g` of the block at `p`, unsigned.
    unsafe fn slice<V: Int8>(p: *const u8, g: usize) -> V::W;

    /// The eight slices of the block at `p`.
    #[inline(always)]
    unsafe fn slices<V: Int8>(p: *const u8) -> [V::W; 8] {
        [
            Self::slice::<V>(p, 0),
            Self::slice::<V>(p, 1),
            Self::slice::<V>(p, 2),
            Self::slice::<V>(p, 3),
            Self::slice::<V>(p, 4),
            Self::slice::<V>(p, 5),
            Self::slice::<V>(p, 6),
            Self::slice::<V>(p, 7),
        ]
    }
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
    const PLAIN: bool = true;

    #[inline(always)]
    unsafe fn slice<V: Int8>(p: *const u8, g: usize) -> V::W {
        let pairs = V::load_w(p.add(g / 4 * 4 * V::LANES));
        match g % 4 {
            0 => V::bit_pair::<0>(pairs),
            1 => V::bit_pair::<1>(pairs),
            2 => V::bit_pair::<2>(pairs),
            _ => V::bit_pair::<3>(pairs),
        }
    }
}

impl Quants for Bits3 {
    const BITS: u32 = 3;

    #[inline(always)]
    unsafe fn slice<V: Int8>(p: *const u8, g: usize) -> V::W {
        V::add_third_bit(Bits2::slice::<V>(p, g), p.add(8 * V::LANES + g * V::LANES / 2))
    }
}

impl Quants for Bits4 {
    const BITS: u32 = 4;
    const PLAIN: bool = true;

    #[inline(always)]
    unsafe fn slice<V: Int8>(p: *const u8, g: usize) -> V::W {
        let w = V::load_w(p.add(g % 4 * 4 * V::LANES));
        if g < 4 { V::low_nibbles(w) } else { V::high_nibbles(w) }
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

impl Quants for Iq4 {
    const BITS: u32 = 4;
    const CODE_BITS: u32 = 8;

    #[inline(always)]
    unsafe fn slice<V: Int8>(p: *const u8, g: usize) -> V::W {
        V::look_up(Bits4::slice::<V>(p, g), const { &biased(&IQ4_VALUES, 8) })
    }
}

impl Quants for Fp4 {
    const BITS: u32 = 4;
    // -12..=12 fit five, for which AVX2 has a shorter way.
    const CODE_BITS: u32 = 5;

    #[inline(always)]
    unsafe fn slice<V: Int8>(p: *const u8, g: usize) -> V::W {
        V::look_up(Bits4::slice::<V>(p, g), const { &biased(&MXFP4_VALUES, 5) })
    }
}

impl Quants for Bits5 {
    const BITS: u32 = 5;

    #[inline(always)]
    unsafe fn slice<V: Int8>(p: *const u8, g: usize) -> V::W {
        V::add_fifth_bit(Bits4::slice::<V>(p, g), p.add(16 * V::LANES + g * V::LANES / 2))
    }
}

impl Quants for Bits6 {
    const BITS: u32 = 6;

    #[inline(always)]
    unsafe fn slice<V: Int8>(p: *const u8, g: usize) -> V::W {
        let pairs = V::load_w(p.add((16 + g / 4 * 4) * V::LANES));
        V::add_bit_pair(Bits4::slice::<V>(p, g), pairs, g % 4)
    }
}

impl Quants for Bits8 {
    const BITS: u32 = 8;

    #[inline(always)]
    unsafe fn slice<V: Int8>(p: *const u8, g: usize) -> V::W {
        V::load_w(p.add(g * 4 * V::LANES))
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
    /// What one unit of activation of the second half adds; `min` then is of the first. Used where
    /// [`Scales::HALVES`].
    pub second_min: V,
}

/// How the scales of a panel's groups are stored.
pub(crate) trait Scales {
    /// The same, as a value.
    const KIND: ScaleKind;
    /// Quants carry an offset of half their range instead of a minimum.
    const SIGNED: bool;
    /// Two scales a block.
    const HALVES: bool;

    /// What the blocks of the group at `p` share: scale and, where there are minimums, what they
    /// are multiplied with.
    unsafe fn shared<V: Int8>(p: *const u8) -> [V; 2];

    /// The scales of block `b` of the group at `p`.
    unsafe fn block<V: Int8>(shared: [V; 2], p: *const u8, b: usize) -> BlockScales<V>;
}

pub(crate) struct Plain;
pub(crate) struct Affine;
pub(crate) struct Super;
pub(crate) struct SuperSigned;
pub(crate) struct Super16;
pub(crate) struct SuperMin16;
pub(crate) struct Exponent;

/// One scale for the whole block, and its minimum if it has one.
#[inline(always)]
fn whole<V: Copy>([scale, min]: [V; 2]) -> BlockScales<V> {
    BlockScales { scale, second: scale, min, second_min: min }
}

/// An f16 for each row at `p`.
#[inline(always)]
unsafe fn one<V: Int8>(p: *const u8) -> [V; 2] {
    let d = V::load_f16(p.cast());
    [d, d]
}

/// Two f16 for each row at `p`, the second negated: minimums are subtracted.
#[inline(always)]
unsafe fn scale_and_min<V: Int8>(p: *const u8) -> [V; 2] {
    [V::load_f16(p.cast()), V::splat(0.0).sub(V::load_f16(p.add(V::LANES * 2).cast()))]
}

impl Scales for Plain {
    const KIND: ScaleKind = ScaleKind::Plain;
    const SIGNED: bool = true;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn shared<V: Int8>(p: *const u8) -> [V; 2] {
        one(p)
    }
    #[inline(always)]
    unsafe fn block<V: Int8>(shared: [V; 2], _: *const u8, _: usize) -> BlockScales<V> {
        whole(shared)
    }
}

impl Scales for Affine {
    const KIND: ScaleKind = ScaleKind::Affine;
    const SIGNED: bool = false;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn shared<V: Int8>(p: *const u8) -> [V; 2] {
        [V::load_f16(p.cast()), V::load_f16(p.add(V::LANES * 2).cast())]
    }
    #[inline(always)]
    unsafe fn block<V: Int8>(shared: [V; 2], _: *const u8, _: usize) -> BlockScales<V> {
        whole(shared)
    }
}

impl Scales for Super {
    const KIND: ScaleKind = ScaleKind::Super;
    const SIGNED: bool = false;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn shared<V: Int8>(p: *const u8) -> [V; 2] {
        scale_and_min(p)
    }
    #[inline(always)]
    unsafe fn block<V: Int8>([d, dmin]: [V; 2], p: *const u8, b: usize) -> BlockScales<V> {
        let small = p.add(V::LANES * (4 + b * 2));
        whole([d.mul(V::load_u8(small)), dmin.mul(V::load_u8(small.add(V::LANES)))])
    }
}

impl Scales for SuperSigned {
    const KIND: ScaleKind = ScaleKind::SuperSigned;
    const SIGNED: bool = true;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn shared<V: Int8>(p: *const u8) -> [V; 2] {
        one(p)
    }
    #[inline(always)]
    unsafe fn block<V: Int8>([d, _]: [V; 2], p: *const u8, b: usize) -> BlockScales<V> {
        let scale = d.mul(V::load_i8(p.add(V::LANES * (2 + b)).cast()));
        whole([scale, scale])
    }
}

impl Scales for SuperMin16 {
    const KIND: ScaleKind = ScaleKind::SuperMin16;
    const SIGNED: bool = false;
    const HALVES: bool = true;

    #[inline(always)]
    unsafe fn shared<V: Int8>(p: *const u8) -> [V; 2] {
        scale_and_min(p)
    }
    #[inline(always)]
    unsafe fn block<V: Int8>([d, dmin]: [V; 2], p: *const u8, b: usize) -> BlockScales<V> {
        let small = p.add(V::LANES * (4 + b * 2));
        let (scale, min) = V::load_nibbles(small);
        let (second, second_min) = V::load_nibbles(small.add(V::LANES));
        BlockScales {
            scale: d.mul(scale),
            second: d.mul(second),
            min: dmin.mul(min),
            second_min: dmin.mul(second_min),
        }
    }
}

impl Scales for Exponent {
    const KIND: ScaleKind = ScaleKind::Exponent;
    const SIGNED: bool = true;
    const HALVES: bool = false;

    #[inline(always)]
    unsafe fn shared<V: Int8>(p: *const u8) -> [V; 2] {
        // Half of 2^(e - 127). The two exponents below the normal numbers are taken for the
        // smallest normal one.
        let scale = V::load_u8(p).sub(V::splat(128.0)).max(V::splat(-126.0)).exp2i();
        [scale, scale]
    }
    #[inline(always)]
    unsafe fn block<V: Int8>(shared: [V; 2], _: *const u8, _: usize) -> BlockScales<V> {
        whole(shared)
    }
}

impl Scales for Super16 {
    const KIND: ScaleKind = ScaleKind::Super16;
    const SIGNED: bool = true;
    const HALVES: bool = true;

    #[inline(always)]
    unsafe fn shared<V: Int8>(p: *const u8) -> [V; 2] {
        one(p)
    }
    #[inline(always)]
    unsafe fn block<V: Int8>([d, _]: [V; 2], p: *const u8, b: usize) -> BlockScales<V> {
        let small = p.add(V::LANES * (2 + b * 2)).cast::<i8>();
        let (scale, second) = (d.mul(V::load_i8(small)), d.mul(V::load_i8(small.add(V::LANES))));
        BlockScales { scale, second, min: scale, second_min: scale }
    }
}
