//! Weight panels times activations: one token, eight sequences and a 512-token prompt by the same
//! code.
//!
//! An outer product: the eight slices of a weight block are decoded to registers once and meet each
//! token's activations, four of which are broadcast. There is one float accumulator for each token
//! of a tile and no horizontal sum. Few tokens are bound by memory: their panels are walked in the
//! order in which they lie, and asked for well before they are needed. Many are bound by loading
//! activations as much as by multiplying them, so two panels share what was loaded where the
//! registers allow it. What a block adds is `gemm_block.rs`; float panels are `gemm_floats.rs`.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: GemmArgs describes valid memory"
)]

use super::gemm_block::{add_block, add_pair};
use crate::kernel_set::{ACT_GROUP, GemmArgs};
use crate::panel::decode::{Quants, Scales};
use crate::panel::quants_bytes;
use crate::simd::{EIGHT, Int8, Simd};
use crate::unrolled::unrolled;

/// A kernel over one panel and a tile of `T` tokens.
pub(super) trait Tile {
    unsafe fn run<const T: usize>(a: &GemmArgs, panel: usize, token: usize);

    /// Whether the whole groups of many tokens take two panels at a time, eight tokens each time.
    const PAIRED: bool = false;

    /// Panels `panel` and `panel + 1`, and the eight tokens from `token` on; only where
    /// [`Self::PAIRED`].
    #[inline(always)]
    unsafe fn run_pair(a: &GemmArgs, panel: usize, token: usize) {
        let _ = (a, panel, token);
        unreachable!("a tile of two panels where there is none");
    }
}

/// Covers panels × tokens with tiles no larger than `max_tile` tokens, [`PANELS`] at a time: a
/// group of activations is small enough to stay in the cache while it meets them, and rows longer
/// than the cache are fetched from memory once for all.
#[inline(always)]
pub(super) unsafe fn cover<K: Tile>(a: &GemmArgs, max_tile: usize) {
    let mut panel = a.panels.start;
    while panel < a.panels.end {
        let end = (panel + PANELS).min(a.panels.end);
        let mut group = 0;
        while group < a.n_tokens {
            let tokens = group..(group + ACT_GROUP).min(a.n_tokens);
            let mut panel = panel;
            let paired = K::PAIRED && a.n_tokens >= PAIRED_FROM && tokens.len() == ACT_GROUP;
            while paired && panel + 2 <= end {
                K::run_pair(a, panel, group);
                K::run_pair(a, panel, group + EIGHT);
                panel += 2;
            }
            for panel in panel..end {
                some_tokens::<K>(a, panel, tokens.clone(), max_tile);
            }
            group += ACT_GROUP;
        }
        panel = end;
    }
}

/// Panels that meet a group of activations before the next group's turn.
const PANELS: usize = 4;

/// Tokens from which on arithmetic is more work than reading the weights.
const PAIRED_FROM: usize = 2 * ACT_GROUP;

/// One panel times one group of activations.
#[inline(always)]
unsafe fn some_tokens<K: Tile>(
    a: &GemmArgs,
    panel: usize,
    group: std::ops::Range<usize>,
    max_tile: usize,
) {
    let mut token = group.start;
    while max_tile >= 16 && token + 16 <= group.end {
        K::run::<16>(a, panel, token);
        token += 16;
    }
    while max_tile >= 8 && token + 8 <= group.end {
        K::run::<8>(a, panel, token);
        token += 8;
    }
    while token + 4 <= group.end {
        K::run::<4>(a, panel, token);
        token += 4;
    }
    if token + 2 <= group.end {
        K::run::<2>(a, panel, token);
        token += 2;
    }
    if token < group.end {
        K::run::<1>(a, panel, token);
    }
}

/// Writes one tile's sums: row-major `[n_tokens, out_stride]`, the last panel only as far as it has
/// rows. Where a row of output has two terms, they are in one tile: groups and all sizes of tiles
/// but one are even.
#[inline(always)]
pub(super) unsafe fn store<V: Simd, const T: usize>(
    a: &GemmArgs,
    panel: usize,
    token: usize,
    sums: [V; T],
) {
    let row = panel * V::LANES;
    unrolled!(t in T => {
        if a.terms == 1 {
            store_row(a, row, token + t, sums[t]);
        } else if t % 2 == 1 {
            store_row(a, row, (token + t) / 2, sums[t - 1].add(sums[t]));
        }
    });
}

/// Writes the sums of the rows from `row` on for one token.
#[inline(always)]
unsafe fn store_row<V: Simd>(a: &GemmArgs, row: usize, token: usize, sum: V) {
    let out = a.out.add(token * a.out_stride + row);
    if row + V::LANES <= a.n_rows {
        sum.store(out);
    } else {
        let mut lanes = [0.0; 16];
        sum.store(lanes.as_mut_ptr());
        std::ptr::copy_nonoverlapping(lanes.as_ptr(), out, a.n_rows - row);
    }
}

/// How far ahead of what a tile reads memory is asked for. Far enough for the memory's latency at
/// full rate, and beyond the pages at which the processor's own prefetching stops; the next panel
/// lies behind this one, so nothing is asked in vain.
const AHEAD: usize = 8192;

/// Whether a tile waits for memory: the first of few tokens. What a long prompt takes to compute
/// hides the latency, and later tokens find their panels in the cache.
#[inline(always)]
pub(super) fn from_memory(a: &GemmArgs, token: usize) -> bool {
    token < ACT_GROUP && a.n_tokens < PAIRED_FROM
}

/// Asks for the `bytes` that the tile reads [`AHEAD`] of `p`.
#[inline(always)]
pub(super) unsafe fn prefetch<V: Simd>(p: *const u8, bytes: usize) {
    let mut line = 0;
    while line < bytes {
        V::prefetch(p.wrapping_add(AHEAD + line));
        line += 64;
    }
}

/// Quantized weights times [`ActBlock`](pacemark_quant::ActBlock)s.
///
/// # Safety
/// `a` describes panels made by `pack.rs` for this format and ISA, and valid activations and
/// output.
#[inline(always)]
pub(crate) unsafe fn quantized<V: Int8, Q: Quants, S: Scales>(a: &GemmArgs) {
    cover::<QuantizedTile<V, Q, S>>(a, V::MAX_TILE);
}

struct QuantizedTile<V, Q, S>(std::marker::PhantomData<(V, Q, S)>);

impl<V: Int8, Q: Quants, S: Scales> Tile for QuantizedTile<V, Q, S> {
    #[inline(always)]
    unsafe fn run<const T: usize>(a: &GemmArgs, panel: usize, token: usize) {
        let n_blocks = a.k / 32;
        let group = token / ACT_GROUP * ACT_GROUP;
        let width = (a.n_tokens - group).min(ACT_GROUP);
        let mut acts = a.blocks.add(group * n_blocks + (token - group));
        let (scales_bytes, bytes) = (S::KIND.bytes(V::LANES), quants_bytes(Q::BITS, V::LANES));
        let mut scales = a.weights.wrapping_add(panel * a.panel_bytes);
        let mut sums = [V::splat(0.0); T];
        // Known to the compiler where tokens are few: one sequence lost 2 % to asking.
        let from_memory = T <= EIGHT || from_memory(a, token);
        for _ in 0..n_blocks / S::KIND.group() {
            if from_memory {
                prefetch::<V>(scales, scales_bytes);
            }
            let shared = S::shared::<V>(scales);
            let mut quants = scales.add(scales_bytes);
            for b in 0..S::KIND.group() {
                if from_memory {
                    prefetch::<V>(quants, bytes);
                }
                let w = Q::slices::<V>(quants);
                let scales = S::block::<V>(shared, scales, b);
                add_block::<V, Q, S, T>(&w, &scales, acts, &mut sums);
                // After the last block this lies beyond the activations, where it is not read.
                acts = acts.wrapping_add(width);
                quants = quants.add(bytes);
            }
            scales = quants;
        }
        store(a, panel, token, sums);
    }

    const PAIRED: bool = match (Q::PLAIN, S::HALVES && S::SIGNED) {
        (true, _) => V::PAIRED_PLAIN,
        (_, true) => V::PAIRED_HALVES,
        _ => V::PAIRED,
    };

    #[inline(always)]
    unsafe fn run_pair(a: &GemmArgs, panel: usize, token: usize) {
        let n_blocks = a.k / 32;
        let group = token / ACT_GROUP * ACT_GROUP;
        let mut acts = a.blocks.add(group * n_blocks + (token - group));
        let (scales_bytes, bytes) = (S::KIND.bytes(V::LANES), quants_bytes(Q::BITS, V::LANES));
        let first = a.weights.wrapping_add(panel * a.panel_bytes);
        let mut scales = [first, first.wrapping_add(a.panel_bytes)];
        let mut sums = [[V::splat(0.0); EIGHT]; 2];
        for _ in 0..n_blocks / S::KIND.group() {
            let shared = [S::shared::<V>(scales[0]), S::shared::<V>(scales[1])];
            let mut quants = [scales[0].add(scales_bytes), scales[1].add(scales_bytes)];
            for b in 0..S::KIND.group() {
                let scales = [
                    S::block::<V>(shared[0], scales[0], b),
                    S::block::<V>(shared[1], scales[1], b),
                ];
                add_pair::<V, Q, S>(quants, &scales, acts, &mut sums);
                acts = acts.wrapping_add(ACT_GROUP);
                quants = [quants[0].add(bytes), quants[1].add(bytes)];
            }
            scales = quants;
        }
        store(a, panel, token, sums[0]);
        store(a, panel + 1, token, sums[1]);
    }
}
