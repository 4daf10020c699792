//! Making panels from the rows of a model file. Safe code: speed comes from working on whole blocks.

use super::{Format, ScaleKind, format, quants_bytes, super_bytes, super_min_bytes, super_signed_bytes, super16_bytes};
use pacemark_quant::{DType, iq4_xs_scale, q3_scale, scale_min};

/// Widest panel of any ISA.
pub(crate) const MAX_ROWS: usize = 16;

/// Fills `out`, `panel_bytes` long, with `rows`, each the file's bytes of one weight row of `k` elements.
///
/// `n_lanes` is the panel's width; what lanes without a row hold is not defined, for their output is not stored.
pub(crate) fn panel(dtype: DType, k: usize, rows: &[&[u8]], n_lanes: usize, out: &mut [u8]) {
    match format(dtype) {
        Some(format) => quantized(dtype, format, k, rows, n_lanes, out),
        None => floats(dtype.info().block_bytes, k, rows, n_lanes, out),
    }
}

fn floats(size: usize, k: usize, rows: &[&[u8]], n_lanes: usize, out: &mut [u8]) {
    for (lane, row) in rows.iter().enumerate() {
        for (i, element) in row.chunks_exact(size).enumerate().take(k) {
            out[(i * n_lanes + lane) * size..][..size].copy_from_slice(element);
        }
    }
}

fn quantized(dtype: DType, format: Format, k: usize, rows: &[&[u8]], n_lanes: usize, out: &mut [u8]) {
    let n_blocks = k / 32;
    let block_quants = quants_bytes(format.bits, n_lanes);
    let (quants, scales) = out.split_at_mut(n_blocks * block_quants);
    let info = dtype.info();
    let per_file_block = info.block_len / 32;
    // Lanes without a row hold the code of weight zero or have a zero scale; either way their output is not stored.
    let mut codes = [[0u8; 32]; MAX_ROWS];
    for (b, quants) in quants.chunks_exact_mut(block_quants).enumerate() {
        let (file_block, sub) = (b / per_file_block, b % per_file_block);
        for (lane, row) in rows.iter().enumerate() {
            let bytes = &row[file_block * info.block_bytes..][..info.block_bytes];
            unpack(dtype, bytes, sub, &mut codes[lane]);
            put_scales(dtype, format.scales, bytes, b, lane, n_lanes, scales);
        }
        interleave(format.bits, &codes[..n_lanes], quants);
    }
}

/// The unsigned codes of 32 weights: sub-block `sub` of a file block.
fn unpack(dtype: DType, b: &[u8], sub: usize, out: &mut [u8; 32]) {
    match dtype {
        DType::Q4_0 | DType::IQ4NL => nibbles(&b[2..18], out),
        DType::IQ4XS => nibbles(&b[8 + sub * 16..][..16], out),
        DType::MXFP4 => nibbles(&b[1..17], out),
        DType::Q4_1 => nibbles(&b[4..20], out),
        DType::Q5_0 => fives(&b[2..6], &b[6..22], out),
        DType::Q5_1 => fives(&b[4..8], &b[8..24], out),
        DType::Q8_0 => {
            for (out, &q) in out.iter_mut().zip(&b[2..34]) {
                *out = q ^ 0x80;
            }
        }
        DType::Q2K => pairs(&b[16 + sub / 4 * 32..][..32], sub % 4, out),
        DType::Q3K => {
            pairs(&b[32 + sub / 4 * 32..][..32], sub % 4, out);
            for (out, &high) in out.iter_mut().zip(&b[..32]) {
                *out |= (high >> sub & 1) << 2;
            }
        }
        DType::Q4K => side(&b[16 + sub / 2 * 32..][..32], sub % 2, out),
        DType::Q5K => {
            side(&b[48 + sub / 2 * 32..][..32], sub % 2, out);
            for (out, &high) in out.iter_mut().zip(&b[16..48]) {
                *out |= (high >> sub & 1) << 4;
            }
        }
        DType::Q6K => {
            let (half, quarter) = (sub / 4, sub % 4);
            side(&b[half * 64 + quarter % 2 * 32..][..32], quarter / 2, out);
            for (out, &high) in out.iter_mut().zip(&b[128 + half * 32..][..32]) {
                *out |= (high >> (2 * quarter) & 3) << 4;
            }
        }
        DType::F32 | DType::F16 | DType::BF16 => unreachable!("float types are not unpacked"),
    }
}

/// Sixteen bytes: elements 0..16 in low nibbles, 16..32 in high ones.
fn nibbles(b: &[u8], out: &mut [u8; 32]) {
    let (first, second) = out.split_at_mut(16);
    for ((first, second), &b) in first.iter_mut().zip(second).zip(b) {
        *first = b & 15;
        *second = b >> 4;
    }
}

/// As [`nibbles`], with the fifth bits in a little-endian u32.
fn fives(high: &[u8], low: &[u8], out: &mut [u8; 32]) {
    nibbles(low, out);
    let high = u32::from_le_bytes([high[0], high[1], high[2], high[3]]);
    for (j, out) in out.iter_mut().enumerate() {
        *out |= ((high >> j & 1) as u8) << 4;
    }
}

/// Thirty-two bytes, of which the low (`side` 0) or high (1) nibbles are wanted.
fn side(b: &[u8], side: usize, out: &mut [u8; 32]) {
    for (out, &b) in out.iter_mut().zip(b) {
        *out = b >> (4 * side) & 15;
    }
}

/// Thirty-two bytes, of which bits `2 * quarter` and the next are wanted.
fn pairs(b: &[u8], quarter: usize, out: &mut [u8; 32]) {
    for (out, &b) in out.iter_mut().zip(b) {
        *out = b >> (2 * quarter) & 3;
    }
}

/// Writes the scales that block `b` of one row brings.
fn put_scales(dtype: DType, kind: ScaleKind, bytes: &[u8], b: usize, lane: usize, n_lanes: usize, scales: &mut [u8]) {
    let mut put16 = |at: usize, half: &[u8]| scales[at + lane * 2..][..2].copy_from_slice(half);
    match kind {
        ScaleKind::Plain => put16(b * n_lanes * 2, &bytes[..2]),
        ScaleKind::Affine => {
            put16(b * n_lanes * 4, &bytes[..2]);
            put16(b * n_lanes * 4 + n_lanes * 2, &bytes[2..4]);
        }
        ScaleKind::Super => {
            let at = b / 8 * super_bytes(n_lanes);
            put16(at, &bytes[..2]);
            put16(at + n_lanes * 2, &bytes[2..4]);
            let (scale, min) = scale_min(b % 8, &bytes[4..16]);
            let small = at + n_lanes * (4 + b % 8 * 2);
            scales[small + lane] = scale;
            scales[small + n_lanes + lane] = min;
        }
        ScaleKind::Super16 => {
            let at = b / 8 * super16_bytes(n_lanes);
            let small = at + n_lanes * (2 + b % 8 * 2) + lane;
            for half in 0..2 {
                let sixteen = b % 8 * 2 + half;
                scales[small + half * n_lanes] = match dtype {
                    DType::Q3K => q3_scale(sixteen, &bytes[96..108]) as u8,
                    _ => bytes[192 + sixteen],
                };
            }
            let d = if dtype == DType::Q3K { 108 } else { 208 };
            scales[at + lane * 2..][..2].copy_from_slice(&bytes[d..d + 2]);
        }
        ScaleKind::SuperSigned => {
            let at = b / 8 * super_signed_bytes(n_lanes);
            put16(at, &bytes[..2]);
            scales[at + n_lanes * (2 + b % 8) + lane] = iq4_xs_scale(b % 8, bytes) as u8;
        }
        ScaleKind::SuperMin16 => {
            let at = b / 8 * super_min_bytes(n_lanes);
            put16(at, &bytes[80..82]);
            put16(at + n_lanes * 2, &bytes[82..84]);
            let small = at + n_lanes * (4 + b % 8 * 2) + lane;
            scales[small] = bytes[b % 8 * 2];
            scales[small + n_lanes] = bytes[b % 8 * 2 + 1];
        }
        ScaleKind::Exponent => scales[b * n_lanes + lane] = bytes[0],
    }
}

/// Four codes of slice `g` of a row.
fn four(codes: &[u8; 32], g: usize) -> u32 {
    u32::from_le_bytes([codes[4 * g], codes[4 * g + 1], codes[4 * g + 2], codes[4 * g + 3]])
}

/// Lays the codes of all rows out as the module documentation of [`super`] says.
fn interleave(bits: u32, codes: &[[u8; 32]], out: &mut [u8]) {
    let rows = codes.len();
    if bits == 8 {
        for (g, slice) in out.chunks_exact_mut(4 * rows).enumerate() {
            for (bytes, codes) in slice.chunks_exact_mut(4).zip(codes) {
                bytes.copy_from_slice(&four(codes, g).to_le_bytes());
            }
        }
        return;
    }
    if bits < 4 {
        let (low, high) = out.split_at_mut(8 * rows);
        bit_pairs(codes, 0, low);
        if bits == 3 {
            single_bits(codes, 2, high);
        }
        return;
    }
    let (low, high) = out.split_at_mut(16 * rows);
    for (g, slice) in low.chunks_exact_mut(4 * rows).enumerate() {
        for (bytes, codes) in slice.chunks_exact_mut(4).zip(codes) {
            let (first, second) = (four(codes, g) & 0x0f0f_0f0f, four(codes, g + 4) & 0x0f0f_0f0f);
            bytes.copy_from_slice(&(first | second << 4).to_le_bytes());
        }
    }
    match bits {
        5 => single_bits(codes, 4, high),
        6 => bit_pairs(codes, 4, high),
        _ => {}
    }
}

/// Bit `at` of every code, a bit a byte of the slice.
fn single_bits(codes: &[[u8; 32]], at: u32, out: &mut [u8]) {
    let rows = codes.len();
    for (g, bits) in out.chunks_exact_mut(rows / 2).enumerate() {
        for (pair, byte) in bits.iter_mut().enumerate() {
            *byte = 0;
            for i in 0..8 {
                let row = pair * 2 + i / 4;
                *byte |= (codes[row][4 * g + i % 4] >> at & 1) << i;
            }
        }
    }
}

/// Bits `at` and `at + 1` of every code, four slices to a byte.
fn bit_pairs(codes: &[[u8; 32]], at: u32, out: &mut [u8]) {
    let rows = codes.len();
    for (half, slice) in out.chunks_exact_mut(4 * rows).enumerate() {
        for (bytes, codes) in slice.chunks_exact_mut(4).zip(codes) {
            let word = (0..4).fold(0, |word, j| word | (four(codes, 4 * half + j) >> at & 0x0303_0303) << (2 * j));
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
}
