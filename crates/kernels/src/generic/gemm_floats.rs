//! Float panels times float activations: [`super::gemm`]'s outer product without blocks and scales.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: GemmArgs describes valid memory"
)]

use super::gemm::{Tile, cover, from_memory, prefetch, store};
use crate::kernel_set::GemmArgs;
use crate::simd::Simd;
use crate::unrolled::unrolled;

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
/// As [`super::gemm::quantized`], with `a.floats` valid.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Simd, E: Element>(a: &GemmArgs) {
    cover::<FloatTile<V, E>>(a, V::MAX_TILE);
}

struct FloatTile<V, E>(std::marker::PhantomData<(V, E)>);

impl<V: Simd, E: Element> Tile for FloatTile<V, E> {
    #[inline(always)]
    unsafe fn run<const T: usize>(a: &GemmArgs, panel: usize, token: usize) {
        let weights = a.weights.wrapping_add(panel * a.panel_bytes);
        let x = a.floats.add(token * a.k);
        let row_bytes = V::LANES * E::BYTES;
        let from_memory = T <= 8 || from_memory(a, token);
        let mut sums = [V::splat(0.0); T];
        for i in 0..a.k {
            // Half a line a step where elements are halves: every line is asked for at most twice.
            if from_memory {
                prefetch::<V>(weights.wrapping_add(i * row_bytes), row_bytes);
            }
            let w: V = E::load(weights.add(i * row_bytes));
            unrolled!(t in T => {
                sums[t] = w.fma(V::splat(*x.add(t * a.k + i)), sums[t]);
            });
        }
        store(a, panel, token, sums);
    }
}
