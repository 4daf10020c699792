//! What a block of weights adds to a tile's sums: [`super::gemm`]'s arithmetic, the same for every
//! shape of tile, so that a token's result does not depend on its neighbours.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: decoded weights, and pointers to activation blocks"
)]

use crate::panel::decode::{BlockScales, Quants, Scales};
use crate::simd::{EIGHT, FOUR, Int8};
use crate::unrolled::unrolled;
use pacemark_quant::ActBlock;

/// Calls `V::$dot`, or `V::dot_pair`, with the widths of `Q` and `S`. Widths that occur signed and unsigned have two
/// arms; `CODE_BITS` is a constant, so one of all remains.
macro_rules! dot {
    (pair $from:literal, $to:literal, $($argument:expr),*) => {
        match (Q::CODE_BITS, S::SIGNED) {
            (2, _) => V::dot_pair::<Q, 2, false, $from, $to>($($argument),*),
            (3, _) => V::dot_pair::<Q, 3, true, $from, $to>($($argument),*),
            (4, true) => V::dot_pair::<Q, 4, true, $from, $to>($($argument),*),
            (4, false) => V::dot_pair::<Q, 4, false, $from, $to>($($argument),*),
            (5, true) => V::dot_pair::<Q, 5, true, $from, $to>($($argument),*),
            (5, false) => V::dot_pair::<Q, 5, false, $from, $to>($($argument),*),
            (6, _) => V::dot_pair::<Q, 6, true, $from, $to>($($argument),*),
            _ => V::dot_pair::<Q, 8, true, $from, $to>($($argument),*),
        }
    };
    ($dot:ident, $from:literal, $to:literal, $($argument:expr),*) => {
        match (Q::CODE_BITS, S::SIGNED) {
            (2, _) => V::$dot::<2, false, $from, $to>($($argument),*),
            (3, _) => V::$dot::<3, true, $from, $to>($($argument),*),
            (4, true) => V::$dot::<4, true, $from, $to>($($argument),*),
            (4, false) => V::$dot::<4, false, $from, $to>($($argument),*),
            (5, true) => V::$dot::<5, true, $from, $to>($($argument),*),
            (5, false) => V::$dot::<5, false, $from, $to>($($argument),*),
            (6, _) => V::$dot::<6, true, $from, $to>($($argument),*),
            _ => V::$dot::<8, true, $from, $to>($($argument),*),
        }
    };
}

/// Adds one block of two panels to the sums of eight tokens: the same arithmetic as [`block`].
#[inline(always)]
pub(super) unsafe fn add_pair<V: Int8, Q: Quants, S: Scales>(
    quants: [*const u8; 2],
    scales: &[BlockScales<V>; 2],
    acts: *const ActBlock,
    sums: &mut [[V; EIGHT]; 2],
) {
    let mut all = [0; EIGHT];
    let mut lo = [0; EIGHT];
    unrolled!(t in EIGHT => {
        (all[t], lo[t]) = ((*acts.add(t)).neg_sum, (*acts.add(t)).neg_sum_lo);
    });
    let (first, second) = if S::HALVES {
        let mut hi = [0; EIGHT];
        unrolled!(t in EIGHT => { hi[t] = all[t] - lo[t]; });
        (dot!(pair 0, 4, quants, acts, lo), dot!(pair 4, 8, quants, acts, hi))
    } else {
        let dots = dot!(pair 0, 8, quants, acts, all);
        (dots, dots)
    };
    unrolled!(t in EIGHT => {
        let act = acts.add(t);
        sums[0][t] = scaled::<V, S>(&scales[0], act, first[0][t], second[0][t], sums[0][t]);
        sums[1][t] = scaled::<V, S>(&scales[1], act, first[1][t], second[1][t], sums[1][t]);
    });
}

/// Adds one block of each of a tile's tokens, which lie side by side, to their sums.
#[inline(always)]
pub(super) unsafe fn add_block<V: Int8, Q: Quants, S: Scales, const T: usize>(
    w: &[V::W; 8],
    scales: &BlockScales<V>,
    acts: *const ActBlock,
    sums: &mut [V; T],
) {
    if !T.is_multiple_of(FOUR) {
        unrolled!(t in T => {
            sums[t] = block::<V, Q, S>(w, scales, acts.add(t), sums[t]);
        });
        return;
    }
    unrolled!(four in FOUR => {
        let t = four * FOUR;
        // By elements, not by slices, which would send the sums through memory.
        if t < T {
            let four = [sums[t], sums[t + 1], sums[t + 2], sums[t + 3]];
            let four = blocks4::<V, Q, S>(w, scales, acts.add(t), four);
            (sums[t], sums[t + 1], sums[t + 2], sums[t + 3]) = (four[0], four[1], four[2], four[3]);
        }
    });
}

/// Adds one block of one token to `sum`.
#[inline(always)]
unsafe fn block<V: Int8, Q: Quants, S: Scales>(
    w: &[V::W; 8],
    scales: &BlockScales<V>,
    act: *const ActBlock,
    sum: V,
) -> V {
    let (q, all, lo) = ((&raw const (*act).q).cast::<i8>(), (*act).neg_sum, (*act).neg_sum_lo);
    if S::HALVES {
        let (first, second) = (dot!(dot, 0, 4, w, q, lo), dot!(dot, 4, 8, w, q, all - lo));
        scaled::<V, S>(scales, act, first, second, sum)
    } else {
        let dot = dot!(dot, 0, 8, w, q, all);
        scaled::<V, S>(scales, act, dot, dot, sum)
    }
}

/// Adds one block of each of four tokens, which lie side by side, to their sums: the same
/// arithmetic as [`block`], so that a token's result does not depend on its neighbours.
#[inline(always)]
unsafe fn blocks4<V: Int8, Q: Quants, S: Scales>(
    w: &[V::W; 8],
    scales: &BlockScales<V>,
    acts: *const ActBlock,
    mut sums: [V; 4],
) -> [V; 4] {
    let mut all = [0; 4];
    let mut lo = [0; 4];
    unrolled!(t in FOUR => {
        (all[t], lo[t]) = ((*acts.add(t)).neg_sum, (*acts.add(t)).neg_sum_lo);
    });
    let (first, second) = if S::HALVES {
        let mut hi = [0; 4];
        unrolled!(t in FOUR => { hi[t] = all[t] - lo[t]; });
        (dot!(dot4, 0, 4, w, acts, lo), dot!(dot4, 4, 8, w, acts, hi))
    } else {
        let dots = dot!(dot4, 0, 8, w, acts, all);
        (dots, dots)
    };
    unrolled!(t in FOUR => {
        sums[t] = scaled::<V, S>(scales, acts.add(t), first[t], second[t], sums[t]);
    });
    sums
}

/// Adds to `sum` a block's dot product, or the products of its halves, times weight scales and
/// activation scale.
#[inline(always)]
unsafe fn scaled<V: Int8, S: Scales>(
    scales: &BlockScales<V>,
    act: *const ActBlock,
    first: V,
    second: V,
    sum: V,
) -> V {
    let step = V::splat((*act).scale);
    let mut dot = first.mul(scales.scale);
    if S::HALVES {
        dot = second.fma(scales.second, dot);
    }
    let sum = dot.fma(step, sum);
    if S::SIGNED {
        return sum;
    }
    if S::HALVES {
        let (all, lo) = ((*act).neg_sum, (*act).neg_sum_lo);
        let mins = scales.min.mul(V::splat(-lo as f32));
        return scales.second_min.fma(V::splat((lo - all) as f32), mins).fma(step, sum);
    }
    scales.min.fma(V::splat((*act).scaled_sum), sum)
}
