//! A slice of two panels times broadcast activations of four tokens: the innermost instructions of
//! prompts.
//!
//! In assembly because they have to be in this order: left to itself, the compiler loads activations
//! for each panel and keeps sums in memory. Weights come from memory, decoded once for all tokens.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the Safety section of simd.rs"
)]

use crate::simd::FOUR;
use pacemark_quant::ActBlock;
use std::arch::x86_64::*;

/// Sums of two panels for four tokens.
pub(super) type Sums = [[__m256i; FOUR]; 2];

/// Adds products in 16 bits: `w` are unsigned weights of a slice, `q` the slice's activations of the
/// first token, the next one's a block further.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn add_narrow(w: [__m256i; 2], q: *const i8, sums: &mut Sums) {
    let [[mut a0, mut a1, mut a2, mut a3], [mut b0, mut b1, mut b2, mut b3]] = *sums;
    let (_x, _y, _z): (__m256i, __m256i, __m256i);
    std::arch::asm!(
        "vpbroadcastd {x}, dword ptr [{q}]",
        "vpmaddubsw {y}, {w0}, {x}",
        "vpmaddubsw {z}, {w1}, {x}",
        "vpaddw {a0}, {a0}, {y}",
        "vpaddw {b0}, {b0}, {z}",
        "vpbroadcastd {x}, dword ptr [{q} + {block}]",
        "vpmaddubsw {y}, {w0}, {x}",
        "vpmaddubsw {z}, {w1}, {x}",
        "vpaddw {a1}, {a1}, {y}",
        "vpaddw {b1}, {b1}, {z}",
        "vpbroadcastd {x}, dword ptr [{q} + 2 * {block}]",
        "vpmaddubsw {y}, {w0}, {x}",
        "vpmaddubsw {z}, {w1}, {x}",
        "vpaddw {a2}, {a2}, {y}",
        "vpaddw {b2}, {b2}, {z}",
        "vpbroadcastd {x}, dword ptr [{q} + 3 * {block}]",
        "vpmaddubsw {y}, {w0}, {x}",
        "vpmaddubsw {z}, {w1}, {x}",
        "vpaddw {a3}, {a3}, {y}",
        "vpaddw {b3}, {b3}, {z}",
        a0 = inout(ymm_reg) a0,
        a1 = inout(ymm_reg) a1,
        a2 = inout(ymm_reg) a2,
        a3 = inout(ymm_reg) a3,
        b0 = inout(ymm_reg) b0,
        b1 = inout(ymm_reg) b1,
        b2 = inout(ymm_reg) b2,
        b3 = inout(ymm_reg) b3,
        x = out(ymm_reg) _x,
        y = out(ymm_reg) _y,
        z = out(ymm_reg) _z,
        w0 = in(ymm_reg) w[0],
        w1 = in(ymm_reg) w[1],
        q = in(reg) q,
        block = const size_of::<ActBlock>(),
        options(pure, readonly, nostack, preserves_flags)
    );
    *sums = [[a0, a1, a2, a3], [b0, b1, b2, b3]];
}

/// [`add_narrow`] for weights of eight bits, in 32: `w` are signed, `size` their magnitudes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn add_wide(w: [&__m256i; 2], size: [__m256i; 2], q: *const i8, sums: &mut Sums) {
    let [[mut a0, mut a1, mut a2, mut a3], [mut b0, mut b1, mut b2, mut b3]] = *sums;
    let (_x, _y, _z): (__m256i, __m256i, __m256i);
    std::arch::asm!(
        "vpbroadcastd {x}, dword ptr [{q}]",
        "vpsignb {y}, {x}, ymmword ptr [{p0}]",
        "vpsignb {z}, {x}, ymmword ptr [{p1}]",
        "vpmaddubsw {y}, {w0}, {y}",
        "vpmaddubsw {z}, {w1}, {z}",
        "vpmaddwd {y}, {y}, {ones}",
        "vpmaddwd {z}, {z}, {ones}",
        "vpaddd {a0}, {a0}, {y}",
        "vpaddd {b0}, {b0}, {z}",
        "vpbroadcastd {x}, dword ptr [{q} + {block}]",
        "vpsignb {y}, {x}, ymmword ptr [{p0}]",
        "vpsignb {z}, {x}, ymmword ptr [{p1}]",
        "vpmaddubsw {y}, {w0}, {y}",
        "vpmaddubsw {z}, {w1}, {z}",
        "vpmaddwd {y}, {y}, {ones}",
        "vpmaddwd {z}, {z}, {ones}",
        "vpaddd {a1}, {a1}, {y}",
        "vpaddd {b1}, {b1}, {z}",
        "vpbroadcastd {x}, dword ptr [{q} + 2 * {block}]",
        "vpsignb {y}, {x}, ymmword ptr [{p0}]",
        "vpsignb {z}, {x}, ymmword ptr [{p1}]",
        "vpmaddubsw {y}, {w0}, {y}",
        "vpmaddubsw {z}, {w1}, {z}",
        "vpmaddwd {y}, {y}, {ones}",
        "vpmaddwd {z}, {z}, {ones}",
        "vpaddd {a2}, {a2}, {y}",
        "vpaddd {b2}, {b2}, {z}",
        "vpbroadcastd {x}, dword ptr [{q} + 3 * {block}]",
        "vpsignb {y}, {x}, ymmword ptr [{p0}]",
        "vpsignb {z}, {x}, ymmword ptr [{p1}]",
        "vpmaddubsw {y}, {w0}, {y}",
        "vpmaddubsw {z}, {w1}, {z}",
        "vpmaddwd {y}, {y}, {ones}",
        "vpmaddwd {z}, {z}, {ones}",
        "vpaddd {a3}, {a3}, {y}",
        "vpaddd {b3}, {b3}, {z}",
        a0 = inout(ymm_reg) a0,
        a1 = inout(ymm_reg) a1,
        a2 = inout(ymm_reg) a2,
        a3 = inout(ymm_reg) a3,
        b0 = inout(ymm_reg) b0,
        b1 = inout(ymm_reg) b1,
        b2 = inout(ymm_reg) b2,
        b3 = inout(ymm_reg) b3,
        x = out(ymm_reg) _x,
        y = out(ymm_reg) _y,
        z = out(ymm_reg) _z,
        p0 = in(reg) w[0],
        p1 = in(reg) w[1],
        w0 = in(ymm_reg) size[0],
        w1 = in(ymm_reg) size[1],
        ones = in(ymm_reg) _mm256_set1_epi16(1),
        q = in(reg) q,
        block = const size_of::<ActBlock>(),
        options(pure, readonly, nostack, preserves_flags)
    );
    *sums = [[a0, a1, a2, a3], [b0, b1, b2, b3]];
}
