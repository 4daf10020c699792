//! Weight panels: rows interleaved so that one register holds four consecutive k of every row of
//! the panel.
//!
//! A panel is `R` rows (the vector length of the ISA) over the whole row length. Its bytes are
//!
//! ```text
//! [ scales of a group | quants of its block 0 | block 1 | … ]  [ the next group ] …   padded to 64 bytes
//! ```
//!
//! where a block is 32 consecutive k of all rows, and a group the blocks that are scaled together
//! (one, or the eight of a superblock): a product reads the panel from one end to the other. Within
//! a block's quants, slice `g` (k = 4g..4g+4) stores row after row:
//!
//! - **2 bits**: bit pairs: slices 0..4 in `4 * R` bytes, slices 4..8 in `4 * R` more,
//! - **3 bits**: those, then for each slice one bit for each byte (`R / 2` bytes),
//! - **4 bits**: slices 0..4 in low nibbles and 4..8 in high nibbles of `16 * R` bytes,
//! - **5 bits**: those, then for each slice one bit for each byte (`R / 2` bytes),
//! - **6 bits**: the 4-bit layout, then the 2-bit one,
//! - **8 bits**: `4 * R` bytes a slice, signed values stored plus 128.
//!
//! A file's type maps to a width and a kind of scales ([`format()`]); decode reads no more than a few
//! per cent over the file's bytes. Per weight: Q2_K 2.625 bits, as in the file; Q3_K 3.5625 for
//! 3.4375 (its 6-bit scales become bytes); Q4_K 4.625 for 4.5; Q5_K 5.625 for 5.5; IQ4_XS 4.3125
//! for 4.25; all others as in the file. Codes that index a table (IQ4_NL, IQ4_XS, MXFP4) stay four
//! bits: a shuffle looks them up when they are in registers. Packing is in [`pack`], reading in
//! [`decode`]; the arithmetic is in `generic/gemm.rs`.

pub(crate) mod decode;
pub(crate) mod pack;

use pacemark_quant::DType;

/// How a panel scales its quants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScaleKind {
    /// One f16 a row and block; weights are signed (an offset of half the range).
    Plain,
    /// f16 scale and minimum a row and block.
    Affine,
    /// A superblock of 256: f16 d and dmin a row, then 6-bit scales and minimums (as bytes) of its
    /// eight blocks.
    Super,
    /// A superblock of 256: f16 d a row, then sixteen int8 scales, one for every 16 k; weights are
    /// signed.
    Super16,
    /// A superblock of 256: f16 d a row, then an int8 scale for each of its eight blocks; weights
    /// are signed.
    SuperSigned,
    /// A superblock of 256: f16 d and dmin a row, then for every 16 k a byte with a 4-bit scale and
    /// minimum.
    SuperMin16,
    /// One byte a row and block: the exponent of a power of two; weights are signed.
    Exponent,
}

/// Width and scales of a quantized type's panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub bits: u32,
    pub scales: ScaleKind,
}

/// The panel format of a quantized type; `None` for float types, whose panels hold plain elements
/// `[k][R]`.
pub(crate) const fn format(dtype: DType) -> Option<Format> {
    let (bits, scales) = match dtype {
        DType::F32 | DType::F16 | DType::BF16 => return None,
        DType::Q4_0 => (4, ScaleKind::Plain),
        DType::Q4_1 => (4, ScaleKind::Affine),
        DType::Q5_0 => (5, ScaleKind::Plain),
        DType::Q5_1 => (5, ScaleKind::Affine),
        DType::Q8_0 => (8, ScaleKind::Plain),
        DType::Q2K => (2, ScaleKind::SuperMin16),
        DType::Q3K => (3, ScaleKind::Super16),
        DType::Q4K => (4, ScaleKind::Super),
        DType::Q5K => (5, ScaleKind::Super),
        DType::Q6K => (6, ScaleKind::Super16),
        DType::IQ4NL => (4, ScaleKind::Plain),
        DType::IQ4XS => (4, ScaleKind::SuperSigned),
        DType::MXFP4 => (4, ScaleKind::Exponent),
    };
    Some(Format { bits, scales })
}

/// Bytes of one block's quants.
pub(crate) const fn quants_bytes(bits: u32, rows: usize) -> usize {
    rows * 4 * bits as usize
}

impl ScaleKind {
    /// Blocks that are scaled together.
    pub(crate) const fn group(self) -> usize {
        match self {
            ScaleKind::Plain | ScaleKind::Affine | ScaleKind::Exponent => 1,
            ScaleKind::Super
            | ScaleKind::Super16
            | ScaleKind::SuperSigned
            | ScaleKind::SuperMin16 => 8,
        }
    }

    /// Bytes of a group's scales. What all of its blocks share comes first, then a row or two of
    /// bytes for each block.
    pub(crate) const fn bytes(self, rows: usize) -> usize {
        match self {
            ScaleKind::Plain => rows * 2,
            ScaleKind::Affine => rows * 4,
            ScaleKind::Super | ScaleKind::SuperMin16 => rows * (4 + 16),
            ScaleKind::Super16 => rows * (2 + 16),
            ScaleKind::SuperSigned => rows * (2 + 8),
            ScaleKind::Exponent => rows,
        }
    }
}

impl Format {
    /// Bytes of a group: its scales and the quants of its blocks.
    pub(crate) const fn group_bytes(self, rows: usize) -> usize {
        self.scales.bytes(rows) + self.scales.group() * quants_bytes(self.bits, rows)
    }
}

/// Bytes of one panel of `rows` rows with `k` elements each; `None` on overflow.
pub(crate) fn panel_bytes(dtype: DType, k: usize, rows: usize) -> Option<usize> {
    // A weight takes four bytes at most; the margin covers scales and padding.
    k.checked_mul(rows)?.checked_mul(8)?.checked_add(64)?;
    let bytes = match format(dtype) {
        Some(f) => k / 32 / f.scales.group() * f.group_bytes(rows),
        None => k * rows * dtype.info().block_bytes,
    };
    Some(bytes.next_multiple_of(64))
}
