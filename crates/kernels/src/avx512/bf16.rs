//! What AVX-512's products of bfloat16 pairs can do at best: a roof, not a kernel in use.

use crate::kernel_set::PeakArgs;
use crate::unrolled::unrolled;
use std::arch::x86_64::*;

/// Accumulators: more than latency times throughput, fewer than there are registers.
const CHAINS: usize = 12;

/// Operations of one step: each lane of a vector of sums takes two products and two additions.
pub(crate) const OPERATIONS: u64 = (CHAINS * 16 * 4) as u64;

/// Whether this machine has them.
pub(crate) fn is_there() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
}

/// `a.steps` times [`CHAINS`] independent products.
///
/// # Safety
/// [`is_there`]; `a.memory` holds at least 128 bytes.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) unsafe fn peak(a: &mut PeakArgs) {
    // SAFETY: the memory is as long as the caller says, loads need no alignment, and any bits are
    // bfloat16s.
    let (x, y): (__m512bh, __m512bh) = unsafe {
        let (x, y) =
            (_mm512_loadu_si512(a.memory.cast()), _mm512_loadu_si512(a.memory.add(64).cast()));
        (std::mem::transmute::<__m512i, __m512bh>(x), std::mem::transmute::<__m512i, __m512bh>(y))
    };
    let mut sums = [_mm512_setzero_ps(); CHAINS];
    for _ in 0..a.steps {
        unrolled!(i in CHAINS => {
            sums[i] = _mm512_dpbf16_ps(sums[i], x, y);
        });
    }
    a.sum = sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum();
}
