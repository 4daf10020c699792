//! One slot of a page of the KV cache by plain code: read back as floats, or copied as it is stored.
//! How a page lies in memory is told in `kv_page.rs`, which writes it; attention reads whole pages
//! (`generic/attention.rs`).

use crate::kv_page::{GROUP_Q4_0, GROUP_Q8_0, KV_BLOCK, KvType, SCALES, value_dim};
use half::f16;
use pacemark_quant::QK;
use std::ops::Range;

/// Keys lie transposed in their page, values do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Key,
    Value,
}

/// Where in a page the bytes of one slot lie, in order: for each group of dimensions its scale, if
/// the type has any, then its codes.
fn pieces(
    kv_type: KvType,
    side: Side,
    dim: usize,
    slot: usize,
) -> impl Iterator<Item = Range<usize>> {
    // Dimensions of a group; bytes of a group, of its scales, and of a slot's codes in it.
    let (dims, group, scales, codes) = match kv_type {
        KvType::F32 => (dim, dim * KV_BLOCK * 4, 0, dim * 4),
        KvType::F16 => (dim, dim * KV_BLOCK * 2, 0, dim * 2),
        KvType::Q8_0 => (QK, GROUP_Q8_0, SCALES, QK),
        KvType::Q4_0 => (QK, GROUP_Q4_0, SCALES, QK / 2),
    };
    // What lies together of a slot: all its codes of a group, or one of them.
    let piece = match (side, kv_type) {
        (Side::Value, _) => codes,
        (Side::Key, KvType::F32) => 4,
        (Side::Key, KvType::F16) => 2,
        (Side::Key, KvType::Q8_0 | KvType::Q4_0) => 1,
    };
    (0..dim.div_ceil(dims)).flat_map(move |g| {
        let base = g * group;
        let scale = (scales > 0).then(|| base + slot * 2..base + slot * 2 + 2);
        let codes = (0..codes / piece).map(move |i| {
            let at = base + scales + (i * KV_BLOCK + slot) * piece;
            at..at + piece
        });
        scale.into_iter().chain(codes)
    })
}

/// Copies what slot `from` (page, slot) holds to slot `to`; `pages` are of `page_bytes` each.
///
/// # Panics
/// If a page is beyond `pages`, or a slot not below [`KV_BLOCK`].
pub(crate) fn copy_slot(
    kv_type: KvType,
    side: Side,
    dim: usize,
    (pages, page_bytes): (&mut [u8], usize),
    from: (usize, usize),
    to: (usize, usize),
) {
    assert!(from.1 < KV_BLOCK && to.1 < KV_BLOCK, "copy_slot: slot");
    let of = |(page, slot): (usize, usize)| {
        let base = page * page_bytes;
        pieces(kv_type, side, dim, slot).map(move |piece| base + piece.start..base + piece.end)
    };
    for (from, to) in of(from).zip(of(to)) {
        pages.copy_within(from, to.start);
    }
}

/// Reads the key in slot `slot` of a page.
///
/// # Panics
/// If the page is shorter than [`KvType::page_bytes`], or `slot` is not below [`KV_BLOCK`].
pub fn read_key(kv_type: KvType, page: &[u8], slot: usize, key: &mut [f32]) {
    assert!(slot < KV_BLOCK && page.len() >= kv_type.page_bytes(key.len()), "read_key: page");
    let half = |bytes: &[u8]| f16::from_bits(u16::from_ne_bytes([bytes[0], bytes[1]])).to_f32();
    match kv_type {
        KvType::F32 => {
            for (x, column) in key.iter_mut().zip(page.chunks_exact(KV_BLOCK * 4)) {
                let bytes = column[slot * 4..].first_chunk().copied().unwrap_or_default();
                *x = f32::from_ne_bytes(bytes);
            }
        }
        KvType::F16 => {
            for (x, column) in key.iter_mut().zip(page.chunks_exact(KV_BLOCK * 2)) {
                *x = half(&column[slot * 2..]);
            }
        }
        KvType::Q8_0 => {
            for (key, group) in key.chunks_mut(QK).zip(page.chunks_exact(GROUP_Q8_0)) {
                let (scales, codes) = group.split_at(SCALES);
                let scale = half(&scales[slot * 2..]);
                for (x, column) in key.iter_mut().zip(codes.chunks_exact(KV_BLOCK)) {
                    *x = f32::from(column[slot] as i8) * scale;
                }
            }
        }
        KvType::Q4_0 => {
            for (key, group) in key.chunks_mut(QK).zip(page.chunks_exact(GROUP_Q4_0)) {
                let (scales, codes) = group.split_at(SCALES);
                let scale = half(&scales[slot * 2..]);
                for (j, x) in key.iter_mut().enumerate() {
                    let byte = codes[j % (QK / 2) * KV_BLOCK + slot];
                    let code = if j < QK / 2 { byte & 15 } else { byte >> 4 };
                    *x = (f32::from(code) - 8.0) * scale;
                }
            }
        }
    }
}

/// Reads the value in slot `slot` of a page.
///
/// # Panics
/// If the page is shorter than [`KvType::page_bytes`] of [`value_dim`], or `slot` is not below
/// [`KV_BLOCK`].
pub fn read_value(kv_type: KvType, page: &[u8], slot: usize, value: &mut [f32]) {
    let width = value_dim(value.len());
    assert!(slot < KV_BLOCK && page.len() >= kv_type.page_bytes(width), "read_value: page");
    let half = |bytes: &[u8]| f16::from_bits(u16::from_ne_bytes([bytes[0], bytes[1]])).to_f32();
    match kv_type {
        KvType::F32 => {
            for (x, bytes) in value.iter_mut().zip(page[slot * width * 4..].as_chunks().0) {
                *x = f32::from_ne_bytes(*bytes);
            }
        }
        KvType::F16 => {
            for (x, bytes) in value.iter_mut().zip(page[slot * width * 2..].chunks_exact(2)) {
                *x = half(bytes);
            }
        }
        KvType::Q8_0 => {
            for (value, group) in value.chunks_mut(QK).zip(page.chunks_exact(GROUP_Q8_0)) {
                let (scales, codes) = group.split_at(SCALES);
                let scale = half(&scales[slot * 2..]);
                for (x, code) in value.iter_mut().zip(&codes[slot * QK..]) {
                    *x = f32::from(*code as i8) * scale;
                }
            }
        }
        KvType::Q4_0 => {
            for (value, group) in value.chunks_mut(QK).zip(page.chunks_exact(GROUP_Q4_0)) {
                let (scales, codes) = group.split_at(SCALES);
                let scale = half(&scales[slot * 2..]);
                let codes = &codes[slot * QK / 2..][..QK / 2];
                for (j, x) in value.iter_mut().enumerate() {
                    let byte = codes[j % (QK / 2)];
                    let code = if j < QK / 2 { byte & 15 } else { byte >> 4 };
                    *x = (f32::from(code) - 8.0) * scale;
                }
            }
        }
    }
}
