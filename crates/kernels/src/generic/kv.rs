//! How attention reads a page of keys or values of each type: what [`super::attention`] is generic
//! over.
//!
//! The layout is stated in `kv_page.rs`. Quantized codes become floats in registers; a scale
//! belongs to 32 dimensions of one position, so it multiplies a sum of 32 products of the keys, and
//! the vectors of a value.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: AttentionArgs describes valid memory"
)]

use crate::kv_page::{GROUP_Q4_0, GROUP_Q8_0, KV_BLOCK, SCALES};
use crate::simd::Int8;
use crate::unrolled::unrolled;
use pacemark_quant::QK;

/// A page, and the one that will be read some pages later.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    pub this: *const u8,
    /// Only asked for, never read: any address will do.
    pub later: *const u8,
}

impl Page {
    /// Asks for the later page's line at byte `at`, where few rows make waiting for memory most of
    /// the work.
    #[inline(always)]
    unsafe fn prefetch<V: Int8, const R: usize>(self, at: usize) {
        if R <= 4 {
            V::prefetch(self.later.wrapping_add(at));
        }
    }

    /// [`Self::prefetch`] of all lines of a group of codes.
    #[inline(always)]
    unsafe fn prefetch_group<V: Int8, const R: usize>(self, at: usize, bytes: usize) {
        let mut line = 0;
        while line < bytes {
            self.prefetch::<V, R>(at + line);
            line += 64;
        }
    }
}

/// A type of keys and values.
///
/// # Safety
/// Every method requires a page of its type with the dimensions named, and the CPU features of `V`.
pub(crate) trait Format {
    /// Whether any number of rows has a kernel of its own; the others are rounded up to 1, 4 or 8
    /// rows.
    const EVERY_TILE: bool = false;
    /// Whether values have scales, one for 32 dimensions of a slot.
    const SCALED: bool = false;

    /// `q[r] · k` of the `LANES` keys from slot `lane`. `q` is `[head_dim rounded up to 32][R]`,
    /// zeros beyond the head.
    unsafe fn scores<V: Int8, const R: usize>(
        page: Page,
        lane: usize,
        head_dim: usize,
        q: *const f32,
    ) -> [V; R];

    /// [`Self::scores`] of `B` pages. A format that is worth it takes them side by side: with few
    /// rows the sums of one page are too few to hide the latency of an addition.
    #[inline(always)]
    unsafe fn scores_of<V: Int8, const R: usize, const B: usize>(
        pages: [Page; B],
        lane: usize,
        head_dim: usize,
        q: *const f32,
    ) -> [[V; R]; B] {
        let mut sums = [[V::splat(0.0); R]; B];
        unrolled!(b in B => { sums[b] = Self::scores::<V, R>(pages[b], lane, head_dim, q); });
        sums
    }

    /// The scales of the page's values at dimension `d`, of every slot.
    #[inline(always)]
    unsafe fn value_scales<V: Int8, const R: usize>(page: Page, d: usize) -> [f32; KV_BLOCK] {
        let _ = (page, d);
        [0.0; KV_BLOCK]
    }

    /// Dimensions `d..d + LANES` of the value in `slot`.
    unsafe fn value<V: Int8, const R: usize>(
        page: Page,
        scales: &[f32; KV_BLOCK],
        slot: usize,
        value_dim: usize,
        d: usize,
    ) -> V;
}

/// Single precision.
pub(crate) struct Single;
/// Half precision.
pub(crate) struct Half;
/// Signed bytes.
pub(crate) struct Bytes;
/// Nibbles.
pub(crate) struct Nibbles;

impl Format for Half {
    const EVERY_TILE: bool = true;

    #[inline(always)]
    unsafe fn scores<V: Int8, const R: usize>(
        page: Page,
        lane: usize,
        head_dim: usize,
        q: *const f32,
    ) -> [V; R] {
        let [sums] = Self::scores_of::<V, R, 1>([page], lane, head_dim, q);
        sums
    }

    #[inline(always)]
    unsafe fn scores_of<V: Int8, const R: usize, const B: usize>(
        pages: [Page; B],
        lane: usize,
        head_dim: usize,
        q: *const f32,
    ) -> [[V; R]; B] {
        let mut sums = [[V::splat(0.0); R]; B];
        for d in 0..head_dim {
            let at = (d * KV_BLOCK + lane) * size_of::<u16>();
            unrolled!(b in B => {
                pages[b].prefetch::<V, R>(at);
                let key = V::load_f16(pages[b].this.add(at).cast());
                unrolled!(r in R => {
                    sums[b][r] = key.fma(V::splat(*q.add(d * R + r)), sums[b][r]);
                });
            });
        }
        sums
    }

    #[inline(always)]
    unsafe fn value<V: Int8, const R: usize>(
        page: Page,
        _: &[f32; KV_BLOCK],
        slot: usize,
        value_dim: usize,
        d: usize,
    ) -> V {
        let at = (slot * value_dim + d) * size_of::<u16>();
        page.prefetch::<V, R>(at);
        V::load_f16(page.this.add(at).cast())
    }
}

impl Format for Single {
    #[inline(always)]
    unsafe fn scores<V: Int8, const R: usize>(
        page: Page,
        lane: usize,
        head_dim: usize,
        q: *const f32,
    ) -> [V; R] {
        let keys = page.this.cast::<f32>().add(lane);
        let mut sums = [V::splat(0.0); R];
        for d in 0..head_dim {
            let key = V::load(keys.add(d * KV_BLOCK));
            unrolled!(r in R => {
                sums[r] = key.fma(V::splat(*q.add(d * R + r)), sums[r]);
            });
        }
        sums
    }

    #[inline(always)]
    unsafe fn value<V: Int8, const R: usize>(
        page: Page,
        _: &[f32; KV_BLOCK],
        slot: usize,
        value_dim: usize,
        d: usize,
    ) -> V {
        V::load(page.this.cast::<f32>().add(slot * value_dim + d))
    }
}

impl Format for Bytes {
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn scores<V: Int8, const R: usize>(
        page: Page,
        lane: usize,
        head_dim: usize,
        q: *const f32,
    ) -> [V; R] {
        let mut sums = [V::splat(0.0); R];
        for g in 0..head_dim.div_ceil(QK) {
            let group = page.this.add(g * GROUP_Q8_0);
            let codes = group.add(SCALES).cast::<i8>().add(lane);
            page.prefetch_group::<V, R>(g * GROUP_Q8_0, GROUP_Q8_0);
            let q = q.add(g * QK * R);
            let mut part = [V::splat(0.0); R];
            for d in 0..QK {
                let key = V::load_i8(codes.add(d * KV_BLOCK));
                unrolled!(r in R => {
                    part[r] = key.fma(V::splat(*q.add(d * R + r)), part[r]);
                });
            }
            let scale = V::load_f16(group.cast::<u16>().add(lane));
            unrolled!(r in R => { sums[r] = part[r].fma(scale, sums[r]); });
        }
        sums
    }

    #[inline(always)]
    unsafe fn value_scales<V: Int8, const R: usize>(page: Page, d: usize) -> [f32; KV_BLOCK] {
        page.prefetch_group::<V, R>(d / QK * GROUP_Q8_0, GROUP_Q8_0);
        scales::<V>(page.this.add(d / QK * GROUP_Q8_0))
    }

    #[inline(always)]
    unsafe fn value<V: Int8, const R: usize>(
        page: Page,
        scales: &[f32; KV_BLOCK],
        slot: usize,
        _: usize,
        d: usize,
    ) -> V {
        let codes = page.this.add(d / QK * GROUP_Q8_0 + SCALES).cast::<i8>();
        V::load_i8(codes.add(slot * QK + d % QK)).mul(V::splat(scales[slot]))
    }
}

impl Format for Nibbles {
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn scores<V: Int8, const R: usize>(
        page: Page,
        lane: usize,
        head_dim: usize,
        q: *const f32,
    ) -> [V; R] {
        let mut sums = [V::splat(0.0); R];
        let offset = V::splat(8.0);
        for g in 0..head_dim.div_ceil(QK) {
            let group = page.this.add(g * GROUP_Q4_0);
            let codes = group.add(SCALES + lane);
            page.prefetch_group::<V, R>(g * GROUP_Q4_0, GROUP_Q4_0);
            let q = q.add(g * QK * R);
            let mut part = [V::splat(0.0); R];
            for d in 0..QK / 2 {
                let (low, high) = V::load_nibbles(codes.add(d * KV_BLOCK));
                let (low, high) = (low.sub(offset), high.sub(offset));
                unrolled!(r in R => {
                    part[r] = low.fma(V::splat(*q.add(d * R + r)), part[r]);
                    part[r] = high.fma(V::splat(*q.add((d + QK / 2) * R + r)), part[r]);
                });
            }
            let scale = V::load_f16(group.cast::<u16>().add(lane));
            unrolled!(r in R => { sums[r] = part[r].fma(scale, sums[r]); });
        }
        sums
    }

    #[inline(always)]
    unsafe fn value_scales<V: Int8, const R: usize>(page: Page, d: usize) -> [f32; KV_BLOCK] {
        page.prefetch_group::<V, R>(d / QK * GROUP_Q4_0, GROUP_Q4_0);
        scales::<V>(page.this.add(d / QK * GROUP_Q4_0))
    }

    #[inline(always)]
    unsafe fn value<V: Int8, const R: usize>(
        page: Page,
        scales: &[f32; KV_BLOCK],
        slot: usize,
        _: usize,
        d: usize,
    ) -> V {
        let codes = page.this.add(d / QK * GROUP_Q4_0 + SCALES + slot * QK / 2);
        // `d` is a multiple of LANES, which divides 16: a vector lies in one half of the group.
        let (low, high) = V::load_nibbles(codes.add(d % (QK / 2)));
        let value = if d % QK < QK / 2 { low } else { high };
        value.sub(V::splat(8.0)).mul(V::splat(scales[slot]))
    }
}

/// The scales of a group as floats.
#[inline(always)]
unsafe fn scales<V: Int8>(group: *const u8) -> [f32; KV_BLOCK] {
    let mut out = [0.0; KV_BLOCK];
    let mut i = 0;
    while i < KV_BLOCK {
        V::load_f16(group.cast::<u16>().add(i)).store(out.as_mut_ptr().add(i));
        i += V::LANES;
    }
    out
}
