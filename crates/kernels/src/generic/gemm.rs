//! Weight panels times activations: one token, eight sequences and a 512-token prompt by the same code.
//!
//! An outer product: the eight slices of a weight block are decoded to registers once and meet each token's activations,
//! four of which are broadcast. There is one float accumulator for each (panel, token) of a tile and no horizontal sum.
//! One token takes several panels at once, because a single chain of sums would wait for its own latency and a single
//! stream of memory does not fill the bus; many tokens take one panel, because its decoding is then spread over them.

#![allow(unsafe_op_in_unsafe_fn, reason = "one contract for the whole file: GemmArgs describes valid memory")]

use super::unrolled;
use crate::kernel_set::{ACT_GROUP, GemmArgs};
use crate::panel::decode::{Quants, Scales, scales_at};
use crate::simd::{Int8, Simd};
use pacemark_quant::ActBlock;

/// A kernel over a tile of `P` panels and `T` tokens.
trait Tile {
    unsafe fn run<const P: usize, const T: usize>(a: &GemmArgs, panel: usize, token: usize);
}

/// Covers panels × tokens with tiles no larger than `max_tile` tokens.
#[inline(always)]
unsafe fn cover<K: Tile>(a: &GemmArgs, max_tile: usize) {
    let mut panel = a.panels.start;
    while panel + 4 <= a.panels.end {
        tokens::<K, 4>(a, panel, max_tile);
        panel += 4;
    }
    while panel < a.panels.end {
        tokens::<K, 1>(a, panel, max_tile);
        panel += 1;
    }
}

/// All tokens of `P` panels, a group of activations after the other: a group is small enough to stay in the cache while it
/// meets all panels, and long rows are fetched from memory once for `P` panels.
#[inline(always)]
unsafe fn tokens<K: Tile, const P: usize>(a: &GemmArgs, panel: usize, max_tile: usize) {
    let mut group = 0;
    while group < a.n_tokens {
        let end = (group + ACT_GROUP).min(a.n_tokens);
        let whole = group + (end - group) / 4 * 4;
        for p in 0..P {
            let mut token = group;
            while max_tile >= 16 && token + 16 <= end {
                K::run::<1, 16>(a, panel + p, token);
                token += 16;
            }
            while max_tile >= 8 && token + 8 <= end {
                K::run::<1, 8>(a, panel + p, token);
                token += 8;
            }
            while token < whole {
                K::run::<1, 4>(a, panel + p, token);
                token += 4;
            }
            if token + 2 <= end {
                K::run::<1, 2>(a, panel + p, token);
            }
        }
        if (end - group) % 2 == 1 {
            K::run::<P, 1>(a, panel, end - 1);
        }
        group = end;
    }
}

/// Writes one tile's sums: row-major `[n_tokens, out_stride]`, the last panel only as far as it has rows.
#[inline(always)]
unsafe fn store<V: Simd, const P: usize, const T: usize>(a: &GemmArgs, panel: usize, token: usize, sums: [[V; T]; P]) {
    unrolled!(p in P => {
        let row = (panel + p) * V::LANES;
        unrolled!(t in T => {
            let out = a.out.add((token + t) * a.out_stride + row);
            if row + V::LANES <= a.n_rows {
                sums[p][t].store(out);
            } else {
                let mut lanes = [0.0; 16];
                sums[p][t].store(lanes.as_mut_ptr());
                std::ptr::copy_nonoverlapping(lanes.as_ptr(), out, a.n_rows - row);
            }
        });
    });
}

/// Quantized weights times [`ActBlock`]s.
///
/// # Safety
/// `a` describes panels made by `pack.rs` for this format and ISA, and valid activations and output.
#[inline(always)]
pub(crate) unsafe fn quantized<V: Int8, Q: Quants, S: Scales>(a: &GemmArgs) {
    cover::<QuantizedTile<V, Q, S>>(a, V::MAX_TILE);
}

/// How far ahead of the block at hand weights are asked for: a few tokens compute long enough to hide the memory's latency,
/// but only if it is asked in time. One token is bound by bandwidth and gains nothing, and large batches find the panel in
/// the cache.
const AHEAD: usize = 2048;

struct QuantizedTile<V, Q, S>(std::marker::PhantomData<(V, Q, S)>);

impl<V: Int8, Q: Quants, S: Scales> Tile for QuantizedTile<V, Q, S> {
    #[inline(always)]
    unsafe fn run<const P: usize, const T: usize>(a: &GemmArgs, panel: usize, token: usize) {
        let n_blocks = a.k / 32;
        let quants: [*const u8; P] = std::array::from_fn(|p| a.weights.wrapping_add((panel + p) * a.panel_bytes));
        let group = token / ACT_GROUP * ACT_GROUP;
        let width = (a.n_tokens - group).min(ACT_GROUP);
        let acts = a.blocks.add(group * n_blocks + (token - group));
        let mut sums = [[V::splat(0.0); T]; P];
        for b in 0..n_blocks {
            unrolled!(p in P => {
                if T > 1 && T <= 8 {
                    let bytes = crate::panel::quants_bytes(Q::BITS, V::LANES);
                    let ahead = quants[p].wrapping_add(b * bytes + AHEAD);
                    let mut line = 0;
                    while line < bytes {
                        V::prefetch(ahead.wrapping_add(line));
                        line += 64;
                    }
                }
                let w = Q::slices::<V>(quants[p].add(b * crate::panel::quants_bytes(Q::BITS, V::LANES)));
                let scales = S::load::<V>(quants[p].add(scales_at::<Q>(n_blocks, V::LANES)), b);
                unrolled!(t in T => {
                    sums[p][t] = block::<V, Q, S>(&w, &scales, acts.add(b * width + t), sums[p][t]);
                });
            });
        }
        store(a, panel, token, sums);
    }
}

/// Adds one block of one token to `sum`.
#[inline(always)]
unsafe fn block<V: Int8, Q: Quants, S: Scales>(
    w: &[V::W; 8],
    scales: &crate::panel::decode::BlockScales<V>,
    act: *const ActBlock,
    sum: V,
) -> V {
    let q = (&raw const (*act).q).cast::<i8>();
    // Widths that occur signed and unsigned have two arms; CODE_BITS is a constant, so one of all remains.
    macro_rules! dot {
        ($from:literal, $to:literal, $neg_sum:expr) => {
            match (Q::CODE_BITS, S::SIGNED) {
                (2, _) => V::dot::<2, false, $from, $to>(w, q, $neg_sum),
                (3, _) => V::dot::<3, true, $from, $to>(w, q, $neg_sum),
                (4, true) => V::dot::<4, true, $from, $to>(w, q, $neg_sum),
                (4, false) => V::dot::<4, false, $from, $to>(w, q, $neg_sum),
                (5, true) => V::dot::<5, true, $from, $to>(w, q, $neg_sum),
                (5, false) => V::dot::<5, false, $from, $to>(w, q, $neg_sum),
                (6, _) => V::dot::<6, true, $from, $to>(w, q, $neg_sum),
                _ => V::dot::<8, true, $from, $to>(w, q, $neg_sum),
            }
        };
    }
    let step = V::splat((*act).scale);
    if S::HALVES {
        let (all, lo) = ((*act).neg_sum, (*act).neg_sum_lo);
        let first = dot!(0, 4, lo).mul(scales.scale);
        let both = dot!(4, 8, all - lo).fma(scales.second, first);
        let sum = both.fma(step, sum);
        if S::SIGNED {
            return sum;
        }
        let mins = scales.min.mul(V::splat(-lo as f32));
        return scales.second_min.fma(V::splat((lo - all) as f32), mins).fma(step, sum);
    }
    let mut sum = dot!(0, 8, (*act).neg_sum).fma(scales.scale.mul(step), sum);
    if !S::SIGNED {
        sum = scales.min.fma(V::splat((*act).scaled_sum), sum);
    }
    sum
}

/// How a float panel stores its elements.
pub(crate) trait Element {
    const BYTES: usize;
    unsafe fn load<V: Simd>(p: *const u8) -> V;
}

pub(crate) struct Single;
pub(crate) struct Half;
pub(crate) struct Brain;

impl Element for Single {
    const BYTES: usize = 4;
    #[inline(always)]
    unsafe fn load<V: Simd>(p: *const u8) -> V {
        V::load(p.cast())
    }
}

impl Element for Half {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load<V: Simd>(p: *const u8) -> V {
        V::load_f16(p.cast())
    }
}

impl Element for Brain {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load<V: Simd>(p: *const u8) -> V {
        V::load_bf16(p.cast())
    }
}

/// Float weights times float activations.
///
/// # Safety
/// As [`quantized`], with `a.floats` valid.
#[inline(always)]
pub(crate) unsafe fn floats<V: Simd, E: Element>(a: &GemmArgs) {
    cover::<FloatTile<V, E>>(a, V::MAX_TILE);
}

struct FloatTile<V, E>(std::marker::PhantomData<(V, E)>);

impl<V: Simd, E: Element> Tile for FloatTile<V, E> {
    #[inline(always)]
    unsafe fn run<const P: usize, const T: usize>(a: &GemmArgs, panel: usize, token: usize) {
        let weights: [*const u8; P] = std::array::from_fn(|p| a.weights.wrapping_add((panel + p) * a.panel_bytes));
        let x = a.floats.add(token * a.k);
        let mut sums = [[V::splat(0.0); T]; P];
        for i in 0..a.k {
            unrolled!(p in P => {
                let w: V = E::load(weights[p].add(i * V::LANES * E::BYTES));
                unrolled!(t in T => {
                    sums[p][t] = w.fma(V::splat(*x.add(t * a.k + i)), sums[p][t]);
                });
            });
        }
        store(a, panel, token, sums);
    }
}
