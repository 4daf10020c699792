//! Attention of a few query rows over one lane of the paged KV cache, with online softmax.
//!
//! The rows of a tile share a KV head (the query heads of its group, for one or several tokens), so
//! that each key and value is read and widened once for all of them. Keys lie transposed in their
//! block (`[head_dim][KV_BLOCK]`): a vector holds one dimension of many keys and meets a broadcast
//! query element, without horizontal sums. Scores of up to [`CHUNK`] keys are kept, then folded to
//! the running maximum, sum and output (Milakov and Gimelshein, 2018; Dao et al., 2022). A key is
//! masked by the position stored in its slot, never by the slot's number. How keys and values are
//! stored is the business of [`Format`].

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: AttentionArgs describes valid memory"
)]

use super::kv::{Format, Page};
use super::math::exp;
use crate::attention::MAX_TILE_ROWS;
use crate::kernel_set::AttentionArgs;
use crate::kv_page::{KV_BLOCK, MAX_HEAD_DIM};
use crate::simd::{Int8, Simd};
use crate::unrolled::unrolled;
use pacemark_quant::QK;
use std::mem::MaybeUninit;

/// Keys whose scores are held at once.
const CHUNK: usize = 256;

/// Runs the tile with the number of rows as a constant; sizes in between are padded with copies of
/// the last row. `K` and `W` are the formats of keys and values.
///
/// # Safety
/// The pointers of `a` are valid for the shapes it states; 1 to `MAX_TILE_ROWS` rows.
#[inline(always)]
pub(crate) unsafe fn tile<V: Int8, K: Format, W: Format>(a: &mut AttentionArgs<'_>) {
    let every = K::EVERY_TILE && W::EVERY_TILE;
    match a.q.len() {
        1 => rows::<V, K, W, 1>(a),
        2 if every => rows::<V, K, W, 2>(a),
        3 if every => rows::<V, K, W, 3>(a),
        2..=4 => rows::<V, K, W, 4>(a),
        _ => rows::<V, K, W, MAX_TILE_ROWS>(a),
    }
}

struct Scratch<const R: usize> {
    /// Scaled [`queries`].
    q: MaybeUninit<[f32; MAX_TILE_ROWS * MAX_HEAD_DIM]>,
    /// Scores, then probabilities, `[R][CHUNK]`.
    scores: MaybeUninit<[f32; MAX_TILE_ROWS * CHUNK]>,
    /// Weighted sums of values, `[R][value_dim]`.
    sums: MaybeUninit<[f32; MAX_TILE_ROWS * MAX_HEAD_DIM]>,
    /// Running maximum and sum of each row.
    max: [f32; R],
    total: [f32; R],
    positions: [i32; R],
}

#[inline(always)]
unsafe fn rows<V: Int8, K: Format, W: Format, const R: usize>(a: &AttentionArgs<'_>) {
    let last = a.q.len() - 1;
    let mut s = Scratch::<R> {
        q: MaybeUninit::uninit(),
        scores: MaybeUninit::uninit(),
        sums: MaybeUninit::uninit(),
        max: [f32::NEG_INFINITY; R],
        total: [0.0; R],
        positions: std::array::from_fn(|r| a.row_positions[r.min(last)]),
    };
    let q = s.q.as_mut_ptr().cast::<f32>();
    let sums = s.sums.as_mut_ptr().cast::<f32>();
    queries::<R>(a.q, a.head_dim, a.scale, q);
    sums.write_bytes(0, R * a.value_dim);
    let per_chunk = CHUNK / KV_BLOCK;
    let n_blocks = a.positions.len().div_ceil(KV_BLOCK);
    let mut from = 0;
    while from < n_blocks {
        chunk::<V, K, W, R>(a, &mut s, from..n_blocks.min(from + per_chunk));
        from += per_chunk;
    }
    for (r, out) in a.out.iter().enumerate() {
        let inverse = if s.total[r] > 0.0 { 1.0 / s.total[r] } else { 0.0 };
        for d in 0..a.head_dim {
            *out.add(d) = *sums.add(r * a.value_dim + d) * inverse;
        }
    }
}

/// Writes the scaled queries as [`Format::scores`] wants them: `[head_dim][R]`, the last row where
/// there are fewer than `R`, then zeros up to a multiple of 32 dimensions.
#[inline(always)]
pub(super) unsafe fn queries<const R: usize>(
    rows: &[*const f32],
    head_dim: usize,
    scale: f32,
    out: *mut f32,
) {
    for r in 0..R {
        let row = rows[r.min(rows.len() - 1)];
        for d in 0..head_dim {
            *out.add(d * R + r) = *row.add(d) * scale;
        }
    }
    out.add(head_dim * R).write_bytes(0, (head_dim.next_multiple_of(QK) - head_dim) * R);
}

/// Scores of the visible blocks in `range`, folded into the running softmax.
#[inline(always)]
unsafe fn chunk<V: Int8, K: Format, W: Format, const R: usize>(
    a: &AttentionArgs<'_>,
    s: &mut Scratch<R>,
    range: std::ops::Range<usize>,
) {
    let scores = s.scores.as_mut_ptr().cast::<f32>();
    let end = range.end;
    let (oldest, newest) = extent(&s.positions);
    let mut visible = [0u32; CHUNK / KV_BLOCK];
    let mut masked = [usize::MAX; CHUNK / KV_BLOCK];
    let mut n = 0;
    for index in range {
        let slots = slots(a, index);
        let (first, last) = extent(slots);
        // Positions and windows are at most i32::MAX and never negative, so these differences
        // cannot overflow.
        if first > newest || oldest - last >= a.window {
            continue;
        }
        visible[n] = a.block_table[index];
        if slots.len() < KV_BLOCK || last > oldest || newest - first >= a.window {
            masked[n] = index;
        }
        n += 1;
    }
    let pages = Pages { a, visible: &visible[..n], end };
    match R {
        1 | 2 => all_scores::<V, K, R, 4>(&pages, s),
        3 | 4 => all_scores::<V, K, R, 2>(&pages, s),
        // Two pages share what is loaded of the queries, where there are registers for it.
        _ if V::LANES == 16 => all_scores::<V, K, R, 2>(&pages, s),
        _ => all_scores::<V, K, R, 1>(&pages, s),
    }
    for (block, &index) in masked[..n].iter().enumerate().filter(|&(_, &index)| index != usize::MAX)
    {
        mask(slots(a, index), &s.positions, a.window, scores.add(block * KV_BLOCK));
    }
    for r in 0..R {
        fold::<V, R>(a, s, r, n * KV_BLOCK);
    }
    // Few rows take more dimensions at a time, for as many sums; scales must be the same for all of
    // them.
    let mut d = 0;
    while V::LANES >= 16 && R <= 2 && !W::SCALED && d + 8 * V::LANES <= a.value_dim {
        values::<V, W, R, 8>(&pages, s, d);
        d += 8 * V::LANES;
    }
    while R * 16 <= V::LANES * 4 && !W::SCALED && d + 4 * V::LANES <= a.value_dim {
        values::<V, W, R, 4>(&pages, s, d);
        d += 4 * V::LANES;
    }
    while d + 2 * V::LANES <= a.value_dim {
        values::<V, W, R, 2>(&pages, s, d);
        d += 2 * V::LANES;
    }
    while d < a.value_dim {
        values::<V, W, R, 1>(&pages, s, d);
        d += V::LANES;
    }
}

/// The least and the greatest position. A loop, for the library's `min` and `max` are not compiled
/// for the vectors of this function: as calls for each of sixteen slots they took 6 % of a prompt.
#[inline(always)]
fn extent(positions: &[i32]) -> (i32, i32) {
    let (mut least, mut greatest) = (i32::MAX, i32::MIN);
    for &position in positions {
        least = if position < least { position } else { least };
        greatest = if position > greatest { position } else { greatest };
    }
    (least, greatest)
}

/// The positions in the slots of the sequence's block `index`; the last block may be partly filled.
#[inline(always)]
fn slots<'a>(a: &'a AttentionArgs<'_>, index: usize) -> &'a [i32] {
    &a.positions[index * KV_BLOCK..a.positions.len().min((index + 1) * KV_BLOCK)]
}

/// The pages of a chunk in the order in which they are read: keys, then values.
struct Pages<'a> {
    a: &'a AttentionArgs<'a>,
    /// Blocks that some row sees.
    visible: &'a [u32],
    /// Where the next chunk begins in the sequence's blocks.
    end: usize,
}

/// Pages between the one that is read and the one that is asked for: what memory gives in the time
/// it takes to answer.
pub(super) const AHEAD: usize = 4;

impl Pages<'_> {
    /// Page `index` in the order of reading; beyond the chunk's own a page of keys of the next
    /// chunk, then of what this thread reads next, and where that is not known the chunk's last one
    /// again, which is at hand.
    #[inline(always)]
    fn at(&self, index: usize) -> *const u8 {
        let (a, n) = (self.a, self.visible.len());
        if index < n {
            return a.k.wrapping_add(self.visible[index] as usize * a.k_page);
        }
        if index < 2 * n {
            return a.v.wrapping_add(self.visible[index - n] as usize * a.v_page);
        }
        let (later, n_blocks) = (self.end + index - 2 * n, a.positions.len().div_ceil(KV_BLOCK));
        if later < n_blocks {
            return a.k.wrapping_add(a.block_table[later] as usize * a.k_page);
        }
        match a.next_blocks.get(later - n_blocks) {
            Some(&block) => a.next_k.wrapping_add(block as usize * a.k_page),
            None => a.v.wrapping_add(self.visible[n - 1] as usize * a.v_page),
        }
    }

    #[inline(always)]
    fn page(&self, index: usize) -> Page {
        Page { this: self.at(index), later: self.at(index + AHEAD) }
    }
}

/// `scores[r][i * KV_BLOCK..][..KV_BLOCK] = q[r] · k` for the keys of visible block `i`, `B` blocks
/// at a time.
#[inline(always)]
unsafe fn all_scores<V: Int8, K: Format, const R: usize, const B: usize>(
    pages: &Pages<'_>,
    s: &mut Scratch<R>,
) {
    let mut done = 0;
    while done + B <= pages.visible.len() {
        block_scores::<V, K, R, B>(pages, s, done);
        done += B;
    }
    while done < pages.visible.len() {
        block_scores::<V, K, R, 1>(pages, s, done);
        done += 1;
    }
}

/// The scores of `B` visible blocks from `first` on.
#[inline(always)]
unsafe fn block_scores<V: Int8, K: Format, const R: usize, const B: usize>(
    pages: &Pages<'_>,
    s: &mut Scratch<R>,
    first: usize,
) {
    let q = s.q.as_ptr().cast::<f32>();
    let out = s.scores.as_mut_ptr().cast::<f32>().add(first * KV_BLOCK);
    let keys = std::array::from_fn(|b| pages.page(first + b));
    let mut lane = 0;
    while lane < KV_BLOCK {
        let sums = K::scores_of::<V, R, B>(keys, lane, pages.a.head_dim, q);
        unrolled!(b in B => {
            unrolled!(r in R => { sums[b][r].store(out.add(r * CHUNK + b * KV_BLOCK + lane)); });
        });
        lane += V::LANES;
    }
}

/// Sets the scores that a row must not see to minus infinity; slots beyond `slots` hold nothing.
#[inline(never)]
unsafe fn mask(slots: &[i32], rows: &[i32], window: i32, scores: *mut f32) {
    for (r, &row) in rows.iter().enumerate() {
        for i in 0..KV_BLOCK {
            let seen = slots.get(i).is_some_and(|&key| key <= row && row - key < window);
            if !seen {
                *scores.add(r * CHUNK + i) = f32::NEG_INFINITY;
            }
        }
    }
}

/// Turns row `r`'s scores to probabilities relative to the running maximum, and rescales what came
/// before.
#[inline(always)]
unsafe fn fold<V: Simd, const R: usize>(
    a: &AttentionArgs<'_>,
    s: &mut Scratch<R>,
    r: usize,
    n: usize,
) {
    let scores = s.scores.as_mut_ptr().cast::<f32>().add(r * CHUNK);
    let mut largest = V::splat(f32::NEG_INFINITY);
    let mut i = 0;
    while i < n {
        largest = largest.max(V::load(scores.add(i)));
        i += V::LANES;
    }
    let max = largest.reduce_max().max(s.max[r]);
    if max == f32::NEG_INFINITY {
        scores.write_bytes(0, n); // nothing visible yet: probabilities of zero
        return;
    }
    if max > s.max[r] && s.max[r] != f32::NEG_INFINITY {
        let shrink = (s.max[r] - max).exp();
        s.total[r] *= shrink;
        let sums = s.sums.as_mut_ptr().cast::<f32>().add(r * a.value_dim);
        let mut d = 0;
        while d < a.value_dim {
            V::load(sums.add(d)).mul(V::splat(shrink)).store(sums.add(d));
            d += V::LANES;
        }
    }
    s.max[r] = max;
    let mut total = V::splat(0.0);
    let mut i = 0;
    while i < n {
        let p = exp(V::load(scores.add(i)).sub(V::splat(max)));
        total = total.add(p);
        p.store(scores.add(i));
        i += V::LANES;
    }
    s.total[r] += total.reduce_add();
}

/// Adds probability-weighted values to `D` vectors of every row's sums, from dimension `d`.
#[inline(always)]
unsafe fn values<V: Int8, W: Format, const R: usize, const D: usize>(
    pages: &Pages<'_>,
    s: &mut Scratch<R>,
    d: usize,
) {
    let a = pages.a;
    let probabilities = s.scores.as_ptr().cast::<f32>();
    let base = s.sums.as_mut_ptr().cast::<f32>().add(d);
    let mut sums = [[V::splat(0.0); D]; R];
    unrolled!(r in R => {
        unrolled!(i in D => { sums[r][i] = V::load(base.add(r * a.value_dim + i * V::LANES)); });
    });
    for n in 0..pages.visible.len() {
        let page = pages.page(pages.visible.len() + n);
        let scales = W::value_scales::<V, R>(page, d);
        for key in 0..KV_BLOCK {
            let mut value = [V::splat(0.0); D];
            unrolled!(i in D => { value[i] = W::value::<V, R>(page, &scales, key, a.value_dim, d + i * V::LANES); });
            unrolled!(r in R => {
                let p = V::splat(*probabilities.add(r * CHUNK + n * KV_BLOCK + key));
                unrolled!(i in D => { sums[r][i] = value[i].fma(p, sums[r][i]); });
            });
        }
    }
    unrolled!(r in R => {
        unrolled!(i in D => { sums[r][i].store(base.add(r * a.value_dim + i * V::LANES)); });
    });
}
