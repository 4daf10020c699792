//! How much a token looks at each slot of a lane of the paged KV cache: attention's softmax without
//! its values, for policies that keep what is looked at.
//!
//! Scores are made as attention makes them ([`super::attention`]). What each slot gets is known only
//! when all of them are, so they are kept, and memory for them is the caller's.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: MassArgs describes valid memory"
)]

use super::attention::{AHEAD, queries};
use super::kv::{Format, Page};
use super::math::exp;
use crate::attention::MAX_TILE_ROWS;
use crate::kernel_set::MassArgs;
use crate::kv_page::{KV_BLOCK, MAX_HEAD_DIM};
use crate::simd::{Int8, Simd};
use crate::unrolled::unrolled;
use std::mem::MaybeUninit;

/// Adds to `mass[slot]` the sum over the rows of `weight` times the slot's share of attention; what
/// the token does not see gets nothing. `K` is the format of keys.
///
/// # Safety
/// The pointers of `a` are valid for the shapes it states; 1 to `MAX_TILE_ROWS` rows.
#[inline(always)]
pub(crate) unsafe fn add<V: Int8, K: Format>(a: &mut MassArgs<'_>) {
    // Rows and blocks at a time, as attention has them.
    match a.q.len() {
        1 => rows::<V, K, 1, 4>(a),
        2 if K::EVERY_TILE => rows::<V, K, 2, 4>(a),
        3 if K::EVERY_TILE => rows::<V, K, 3, 2>(a),
        2..=4 => rows::<V, K, 4, 2>(a),
        _ => rows::<V, K, MAX_TILE_ROWS, 1>(a),
    }
}

#[inline(always)]
unsafe fn rows<V: Int8, K: Format, const R: usize, const B: usize>(a: &mut MassArgs<'_>) {
    let mut q = MaybeUninit::<[f32; MAX_TILE_ROWS * MAX_HEAD_DIM]>::uninit();
    let q = q.as_mut_ptr().cast::<f32>();
    queries::<R>(a.q, a.head_dim, a.scale, q);
    let n_blocks = a.positions.len().div_ceil(KV_BLOCK);
    let mut done = 0;
    while done + B <= n_blocks {
        scores::<V, K, R, B>(a, q, done);
        done += B;
    }
    while done < n_blocks {
        scores::<V, K, R, 1>(a, q, done);
        done += 1;
    }
    for r in 0..a.q.len() {
        share_out::<V>(a, a.scores.add(r * n_blocks * KV_BLOCK), n_blocks * KV_BLOCK);
    }
}

/// The scores of the `B` blocks from `first` on; minus infinity where a slot is not seen.
#[inline(always)]
unsafe fn scores<V: Int8, K: Format, const R: usize, const B: usize>(
    a: &MassArgs<'_>,
    q: *const f32,
    first: usize,
) {
    let n_blocks = a.positions.len().div_ceil(KV_BLOCK);
    let out = a.scores.add(first * KV_BLOCK);
    let limits: [[f32; KV_BLOCK]; B] = std::array::from_fn(|b| limits(a, first + b));
    if limits.as_flattened().iter().all(|limit| *limit == f32::NEG_INFINITY) {
        for r in 0..R {
            for i in 0..B * KV_BLOCK {
                *out.add(r * n_blocks * KV_BLOCK + i) = f32::NEG_INFINITY;
            }
        }
        return;
    }
    let page = |index: usize| a.k.wrapping_add(a.block_table[index] as usize * a.k_page);
    let pages = std::array::from_fn(|b| Page {
        this: page(first + b),
        later: page((first + b + AHEAD).min(n_blocks - 1)),
    });
    let mut lane = 0;
    while lane < KV_BLOCK {
        let sums = K::scores_of::<V, R, B>(pages, lane, a.head_dim, q);
        unrolled!(b in B => {
            let limit = V::load(limits[b].as_ptr().add(lane));
            unrolled!(r in R => {
                let out = out.add((r * n_blocks + b) * KV_BLOCK + lane);
                sums[b][r].min(limit).store(out);
            });
        });
        lane += V::LANES;
    }
}

/// What a score in each slot of a block is at most: anything where the slot is seen. A minimum with
/// that masks whatever the slot holds, NaN included.
#[inline(always)]
fn limits(a: &MassArgs<'_>, index: usize) -> [f32; KV_BLOCK] {
    let mut limits = [f32::NEG_INFINITY; KV_BLOCK];
    for (limit, &key) in limits.iter_mut().zip(&a.positions[index * KV_BLOCK..]) {
        // Neither is negative, so that nothing overflows.
        if key <= a.position && a.position - key < a.window {
            *limit = f32::INFINITY;
        }
    }
    limits
}

/// Turns a row's `n` scores to shares, and adds them to the mass.
#[inline(always)]
unsafe fn share_out<V: Simd>(a: &mut MassArgs<'_>, scores: *mut f32, n: usize) {
    let mut largest = V::splat(f32::NEG_INFINITY);
    let mut i = 0;
    while i < n {
        largest = largest.max(V::load(scores.add(i)));
        i += V::LANES;
    }
    let max = largest.reduce_max();
    if max == f32::NEG_INFINITY {
        return;
    }
    // `exp` gives no zeros; what it gives for the least is taken off, so that what is not seen gets
    // nothing, and sums meet no subnormal numbers.
    let least = exp(V::splat(f32::NEG_INFINITY));
    let mut total = V::splat(0.0);
    let mut i = 0;
    while i < n {
        let p = exp(V::load(scores.add(i)).sub(V::splat(max))).sub(least);
        total = total.add(p);
        p.store(scores.add(i));
        i += V::LANES;
    }
    let weight = a.weight / total.reduce_add();
    let mass = a.mass.as_mut_ptr();
    let mut i = 0;
    while i + V::LANES <= a.mass.len() {
        let sum = V::load(scores.add(i)).fma(V::splat(weight), V::load(mass.add(i)));
        sum.store(mass.add(i));
        i += V::LANES;
    }
    while i < a.mass.len() {
        *mass.add(i) += *scores.add(i) * weight;
        i += 1;
    }
}
