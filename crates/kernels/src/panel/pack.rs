//! Making panels from the rows of a model file. Safe code: speed comes from working on words of
//! four codes.
//!
//! The library's iterator adaptors and `array::from_fn` are not inlined across the crate's units of
//! compilation (there is no link-time optimization): in the innermost loops here that would be a
//! call for each word, so they count and index.

use super::{Format, ScaleKind, format, quants_bytes};
use pacemark_quant::{DType, iq4_xs_scale, q3_scale, scale_min};

/// Widest panel of any ISA.
pub(crate) const MAX_ROWS: usize = 16;

/// Fills `out`, `panel_bytes` long, with `rows`, each the file's bytes of one weight row of `k`
/// elements.
///
/// `n_lanes` is the panel's width; what lanes without a row hold is not defined, for their output
/// is not stored.
pub(crate) fn panel(dtype: DType, k: usize, rows: &[&[u8]], n_lanes: usize, out: &mut [u8]) {
    match format(dtype) {
        Some(format) => quantized(dtype, format, k, rows, n_lanes, out),
        None if dtype == DType::F32 => floats::<4>(k, rows, n_lanes, out),
        None => floats::<2>(k, rows, n_lanes, out),
    }
}

fn floats<const SIZE: usize>(k: usize, rows: &[&[u8]], n_lanes: usize, out: &mut [u8]) {
    for i in 0..k {
        let out = &mut out[i * n_lanes * SIZE..][..n_lanes * SIZE];
        for lane in 0..rows.len() {
            let element = &rows[lane][i * SIZE..][..SIZE];
            for byte in 0..SIZE {
                out[lane * SIZE + byte] = element[byte];
            }
        }
    }
}

fn quantized(
    dtype: DType,
    format: Format,
    k: usize,
    rows: &[&[u8]],
    n_lanes: usize,
    out: &mut [u8],
) {
    let n_blocks = k / 32;
    let block_quants = quants_bytes(format.bits, n_lanes);
    let info = dtype.info();
    let per_file_block = info.block_len / 32;
    // Lanes without a row hold the code of weight zero or have a zero scale; either way their
    // output is not stored.
    let mut codes = [[0u32; 8]; MAX_ROWS];
    let (group, group_bytes) = (format.scales.group(), format.group_bytes(n_lanes));
    for b in 0..n_blocks {
        let out = &mut out[b / group * group_bytes..][..group_bytes];
        let (scales, quants) = out.split_at_mut(format.scales.bytes(n_lanes));
        let (file_block, sub) = (b / per_file_block, b % per_file_block);
        for (lane, row) in rows.iter().enumerate() {
            let bytes = &row[file_block * info.block_bytes..][..info.block_bytes];
            codes[lane] = unpack(dtype, bytes, sub);
            put_scales(dtype, format.scales, bytes, b % group, lane, n_lanes, scales);
        }
        interleave(
            format.bits,
            &codes[..n_lanes],
            &mut quants[b % group * block_quants..][..block_quants],
        );
    }
}

/// A bit, two and four of each byte of a word.
const ONES: u32 = 0x0101_0101;
const PAIRS: u32 = 0x0303_0303;
const NIBBLES: u32 = 0x0f0f_0f0f;

/// The four bytes at `at`, as a word.
#[inline(always)]
fn word(b: &[u8], at: usize) -> u32 {
    let b = &b[at..at + 4];
    u32::from_le_bytes([b[0], b[1], b[2], b[3]])
}

/// A word for each slice.
#[inline(always)]
fn slices(of: impl Fn(usize) -> u32) -> [u32; 8] {
    [of(0), of(1), of(2), of(3), of(4), of(5), of(6), of(7)]
}

/// The unsigned codes of 32 weights, sub-block `sub` of a file block: slice `g` is a word with a
/// byte for each of 4g..4g+4.
fn unpack(dtype: DType, b: &[u8], sub: usize) -> [u32; 8] {
    match dtype {
        DType::Q4_0 | DType::IQ4NL => nibbles(b, 2),
        DType::IQ4XS => nibbles(b, 8 + sub * 16),
        DType::MXFP4 => nibbles(b, 1),
        DType::Q4_1 => nibbles(b, 4),
        DType::Q5_0 => fives(word(b, 2), nibbles(b, 6)),
        DType::Q5_1 => fives(word(b, 4), nibbles(b, 8)),
        DType::Q8_0 => slices(|g| word(b, 2 + 4 * g) ^ 0x8080_8080),
        DType::Q2K => slices(|g| word(b, 16 + sub / 4 * 32 + 4 * g) >> (sub % 4 * 2) & PAIRS),
        DType::Q3K => slices(|g| {
            let low = word(b, 32 + sub / 4 * 32 + 4 * g) >> (sub % 4 * 2) & PAIRS;
            low | (word(b, 4 * g) >> sub & ONES) << 2
        }),
        DType::Q4K => slices(|g| word(b, 16 + sub / 2 * 32 + 4 * g) >> (sub % 2 * 4) & NIBBLES),
        DType::Q5K => slices(|g| {
            let low = word(b, 48 + sub / 2 * 32 + 4 * g) >> (sub % 2 * 4) & NIBBLES;
            low | (word(b, 16 + 4 * g) >> sub & ONES) << 4
        }),
        DType::Q6K => slices(|g| {
            let (half, quarter) = (sub / 4, sub % 4);
            let low = word(b, half * 64 + quarter % 2 * 32 + 4 * g) >> (quarter / 2 * 4) & NIBBLES;
            low | (word(b, 128 + half * 32 + 4 * g) >> (2 * quarter) & PAIRS) << 4
        }),
        DType::F32 | DType::F16 | DType::BF16 => unreachable!("float types are not unpacked"),
    }
}

/// Sixteen bytes at `at`: elements 0..16 in low nibbles, 16..32 in high ones.
#[inline(always)]
fn nibbles(b: &[u8], at: usize) -> [u32; 8] {
    slices(|g| word(b, at + g % 4 * 4) >> (g / 4 * 4) & NIBBLES)
}

/// Adds fifth bits, element `j`'s in bit `j` of `high`.
#[inline(always)]
fn fives(high: u32, low: [u32; 8]) -> [u32; 8] {
    // Each factor's bit carries one of the four bits to the lowest of its byte; none of the
    // products meet.
    slices(|g| low[g] | (((high >> (4 * g) & 15) * 0x0020_4081) & ONES) << 4)
}

/// Writes the scales that block `b` of a group brings for one row.
fn put_scales(
    dtype: DType,
    kind: ScaleKind,
    bytes: &[u8],
    b: usize,
    lane: usize,
    n_lanes: usize,
    scales: &mut [u8],
) {
    let mut put16 = |at: usize, half: &[u8]| {
        scales[at + lane * 2] = half[0];
        scales[at + lane * 2 + 1] = half[1];
    };
    match kind {
        ScaleKind::Plain => put16(0, &bytes[..2]),
        ScaleKind::Affine => {
            put16(0, &bytes[..2]);
            put16(n_lanes * 2, &bytes[2..4]);
        }
        ScaleKind::Super => {
            put16(0, &bytes[..2]);
            put16(n_lanes * 2, &bytes[2..4]);
            let (scale, min) = scale_min(b, &bytes[4..16]);
            let small = n_lanes * (4 + b * 2) + lane;
            scales[small] = scale;
            scales[small + n_lanes] = min;
        }
        ScaleKind::Super16 => {
            let d = if dtype == DType::Q3K { 108 } else { 208 };
            put16(0, &bytes[d..d + 2]);
            let small = n_lanes * (2 + b * 2) + lane;
            for half in 0..2 {
                let sixteen = b * 2 + half;
                scales[small + half * n_lanes] = match dtype {
                    DType::Q3K => q3_scale(sixteen, &bytes[96..108]) as u8,
                    _ => bytes[192 + sixteen],
                };
            }
        }
        ScaleKind::SuperSigned => {
            put16(0, &bytes[..2]);
            scales[n_lanes * (2 + b) + lane] = iq4_xs_scale(b, bytes) as u8;
        }
        ScaleKind::SuperMin16 => {
            put16(0, &bytes[80..82]);
            put16(n_lanes * 2, &bytes[82..84]);
            let small = n_lanes * (4 + b * 2) + lane;
            scales[small] = bytes[b * 2];
            scales[small + n_lanes] = bytes[b * 2 + 1];
        }
        ScaleKind::Exponent => scales[lane] = bytes[0],
    }
}

/// Lays the codes of all rows out as the module documentation of [`super`] says.
fn interleave(bits: u32, codes: &[[u32; 8]], out: &mut [u8]) {
    let rows = codes.len();
    match bits {
        8 => {
            for g in 0..8 {
                words(codes, &mut out[g * 4 * rows..], |codes| codes[g]);
            }
        }
        2 => bit_pairs(codes, 0, out),
        3 => {
            let (low, high) = out.split_at_mut(8 * rows);
            bit_pairs(codes, 0, low);
            single_bits(codes, 2, high);
        }
        _ => {
            let (low, high) = out.split_at_mut(16 * rows);
            for g in 0..4 {
                let both = |codes: &[u32; 8]| (codes[g] & NIBBLES) | (codes[g + 4] & NIBBLES) << 4;
                words(codes, &mut low[g * 4 * rows..], both);
            }
            match bits {
                5 => single_bits(codes, 4, high),
                6 => bit_pairs(codes, 4, high),
                _ => {}
            }
        }
    }
}

/// A word of each row.
#[inline(always)]
fn words(codes: &[[u32; 8]], out: &mut [u8], word: impl Fn(&[u32; 8]) -> u32) {
    let out = &mut out[..4 * codes.len()];
    for row in 0..codes.len() {
        let bytes = word(&codes[row]).to_le_bytes();
        out[4 * row] = bytes[0];
        out[4 * row + 1] = bytes[1];
        out[4 * row + 2] = bytes[2];
        out[4 * row + 3] = bytes[3];
    }
}

/// Bit `at` of every code, a bit a byte of the slice.
fn single_bits(codes: &[[u32; 8]], at: u32, out: &mut [u8]) {
    // The lowest bits of four bytes, side by side: as in `fives`, the other way.
    let four = |word: u32| (word >> at & ONES).wrapping_mul(0x0102_0408) >> 24 & 15;
    let pairs = codes.len() / 2;
    for g in 0..8 {
        let out = &mut out[g * pairs..][..pairs];
        for pair in 0..pairs {
            out[pair] = (four(codes[2 * pair][g]) | four(codes[2 * pair + 1][g]) << 4) as u8;
        }
    }
}

/// Bits `at` and `at + 1` of every code, four slices to a byte.
fn bit_pairs(codes: &[[u32; 8]], at: u32, out: &mut [u8]) {
    for half in [0, 4] {
        let of = |word: u32, j: u32| (word >> at & PAIRS) << (2 * j);
        words(codes, &mut out[half * codes.len()..], |codes| {
            of(codes[half], 0)
                | of(codes[half + 1], 1)
                | of(codes[half + 2], 2)
                | of(codes[half + 3], 3)
        });
    }
}
