//! What an ISA can do at best: loops that do nothing but read, multiply bytes or multiply floats.
//!
//! The roofs that `roof.rs` measures; real kernels are compared with them.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: PeakArgs describes valid memory"
)]

use crate::kernel_set::PeakArgs;
use crate::simd::{Int8, Simd};
use crate::unrolled::unrolled;

/// Accumulators: more than latency times throughput of any of the operations, fewer than there are
/// registers.
const CHAINS: usize = 12;

/// Operations of one step of [`f32()`], a multiplication and an addition counting two.
pub(crate) const fn f32_operations(lanes: usize) -> u64 {
    (CHAINS * lanes * 2) as u64
}

/// Operations of one step of [`int8`].
pub(crate) const fn int8_operations(lanes: usize) -> u64 {
    (TOKENS * 32 * lanes * 2) as u64
}

/// Vectors of a stream that [`read`] takes at a time.
const VECTORS: usize = 4;
/// Token rows of [`int8`]'s steps.
const TOKENS: usize = 8;

/// `a.steps` times [`CHAINS`] independent multiply-adds.
///
/// # Safety
/// The CPU has the ISA; `a.memory` holds at least 64 floats.
#[inline(always)]
pub(crate) unsafe fn f32<V: Simd>(a: &mut PeakArgs) {
    let (x, y) = (V::load(a.memory.cast()), V::load(a.memory.cast::<f32>().add(V::LANES)));
    let mut sums = [V::splat(0.0); CHAINS];
    for _ in 0..a.steps {
        unrolled!(i in CHAINS => {
            sums[i] = x.fma(y, sums[i]);
        });
    }
    a.sum = sums.iter().map(|sum| sum.reduce_add()).sum();
}

/// `a.steps` times a weight block against [`TOKENS`] activation blocks, with the least conversion
/// that keeps the compiler from dropping it.
///
/// # Safety
/// The CPU has the ISA; `a.memory` holds at least 1024 bytes.
#[inline(always)]
pub(crate) unsafe fn int8<V: Int8>(a: &mut PeakArgs) {
    let w: [V::W; 8] =
        std::array::from_fn(|g| V::low_nibbles(V::load_w(a.memory.add(g * 4 * V::LANES))));
    let mut sums = [V::splat(0.0); TOKENS];
    for step in 0..a.steps {
        // Another block each time, or the product would be hoisted out of the loop.
        let q = a.memory.cast::<i8>().add(step % 8 * 4);
        unrolled!(t in TOKENS => {
            sums[t] = sums[t].add(V::dot::<4, false, 0, 8>(&w, q.add(t * 32), 0));
        });
    }
    a.sum = sums.iter().map(|sum| sum.reduce_add()).sum();
}

/// Reads `a.steps` bytes as `STREAMS` streams beside each other.
///
/// # Safety
/// The CPU has the ISA; `a.memory` holds `a.steps` bytes, a multiple of `STREAMS` KiB.
#[inline(always)]
pub(crate) unsafe fn read<V: Simd, const STREAMS: usize>(a: &mut PeakArgs) {
    let mut sums = [V::splat(0.0); CHAINS];
    let length = a.steps / STREAMS / 4;
    let memory = a.memory.cast::<f32>();
    let mut at = 0;
    while at < length {
        unrolled!(s in STREAMS => {
            unrolled!(i in VECTORS => {
                let sum = &mut sums[s % 3 * VECTORS + i];
                *sum = sum.max(V::load(memory.add(s * length + at + i * V::LANES)));
            });
        });
        at += VECTORS * V::LANES;
    }
    a.sum = sums.iter().map(|sum| sum.reduce_add()).sum();
}
