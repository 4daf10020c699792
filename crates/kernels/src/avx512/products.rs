//! Slices of weights times broadcast activations: the innermost instructions of every quantized
//! product, in the order in which they have to be.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "one contract for the whole file: the Safety section of simd.rs"
)]

use crate::simd::EIGHT;
use pacemark_quant::ActBlock;
use std::arch::x86_64::*;

/// What a sum starts from, so that it ends without the offset of signed weights.
#[inline(always)]
pub(super) unsafe fn start<const BITS: u32, const SIGNED: bool>(neg_sum: i32) -> __m512i {
    if !SIGNED {
        return _mm512_setzero_si512();
    }
    let start = _mm512_set1_epi32(neg_sum);
    match BITS {
        3 => _mm512_slli_epi32::<2>(start),
        4 => _mm512_slli_epi32::<3>(start),
        5 => _mm512_slli_epi32::<4>(start),
        6 => _mm512_slli_epi32::<5>(start),
        _ => _mm512_slli_epi32::<7>(start),
    }
}

/// Defines a function that adds the products of four slices with the activations of four tokens.
///
/// In assembly because it has to be in this order, the weights in registers and the activations
/// broadcast by the instruction that uses them: left to itself, the compiler interleaves all tokens
/// of a tile, for which there are not registers enough, or loads the weights again for each.
macro_rules! products {
    ($name:ident, $g0:literal $g1:literal $g2:literal $g3:literal) => {
        #[inline]
        #[target_feature(enable = "avx512f,avx512vnni")]
        pub(super) unsafe fn $name(w: &[__m512i; 8], acts: *const ActBlock, sums: [__m512i; 4]) -> [__m512i; 4] {
            let [mut a, mut b, mut c, mut d] = sums;
            std::arch::asm!(
                "vpdpbusd {a}, {w0}, dword ptr [{q} + {o0}]{{1to16}}",
                "vpdpbusd {b}, {w0}, dword ptr [{q} + {block} + {o0}]{{1to16}}",
                "vpdpbusd {c}, {w0}, dword ptr [{q} + 2 * {block} + {o0}]{{1to16}}",
                "vpdpbusd {d}, {w0}, dword ptr [{q} + 3 * {block} + {o0}]{{1to16}}",
                "vpdpbusd {a}, {w1}, dword ptr [{q} + {o1}]{{1to16}}",
                "vpdpbusd {b}, {w1}, dword ptr [{q} + {block} + {o1}]{{1to16}}",
                "vpdpbusd {c}, {w1}, dword ptr [{q} + 2 * {block} + {o1}]{{1to16}}",
                "vpdpbusd {d}, {w1}, dword ptr [{q} + 3 * {block} + {o1}]{{1to16}}",
                "vpdpbusd {a}, {w2}, dword ptr [{q} + {o2}]{{1to16}}",
                "vpdpbusd {b}, {w2}, dword ptr [{q} + {block} + {o2}]{{1to16}}",
                "vpdpbusd {c}, {w2}, dword ptr [{q} + 2 * {block} + {o2}]{{1to16}}",
                "vpdpbusd {d}, {w2}, dword ptr [{q} + 3 * {block} + {o2}]{{1to16}}",
                "vpdpbusd {a}, {w3}, dword ptr [{q} + {o3}]{{1to16}}",
                "vpdpbusd {b}, {w3}, dword ptr [{q} + {block} + {o3}]{{1to16}}",
                "vpdpbusd {c}, {w3}, dword ptr [{q} + 2 * {block} + {o3}]{{1to16}}",
                "vpdpbusd {d}, {w3}, dword ptr [{q} + 3 * {block} + {o3}]{{1to16}}",
                a = inout(zmm_reg) a,
                b = inout(zmm_reg) b,
                c = inout(zmm_reg) c,
                d = inout(zmm_reg) d,
                w0 = in(zmm_reg) w[$g0],
                w1 = in(zmm_reg) w[$g1],
                w2 = in(zmm_reg) w[$g2],
                w3 = in(zmm_reg) w[$g3],
                q = in(reg) acts,
                o0 = const 4 * $g0,
                o1 = const 4 * $g1,
                o2 = const 4 * $g2,
                o3 = const 4 * $g3,
                block = const size_of::<ActBlock>(),
                options(pure, readonly, nostack, preserves_flags)
            );
            [a, b, c, d]
        }
    };
}
products!(first_products, 0 1 2 3);
products!(last_products, 4 5 6 7);

/// Adds to the sums of two panels the products of slice `G`, of which `w` are the weights, with the
/// activations of eight tokens. In assembly for the same reasons; a broadcast serves both panels.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) unsafe fn add_slice<const G: usize>(
    w: [__m512i; 2],
    acts: *const ActBlock,
    sums: &mut [[__m512i; EIGHT]; 2],
) {
    let [
        [mut a0, mut a1, mut a2, mut a3, mut a4, mut a5, mut a6, mut a7],
        [mut b0, mut b1, mut b2, mut b3, mut b4, mut b5, mut b6, mut b7],
    ] = *sums;
    let (_x, _y): (__m512i, __m512i);
    std::arch::asm!(
        "vpbroadcastd {x}, dword ptr [{q} + {at}]",
        "vpbroadcastd {y}, dword ptr [{q} + {block} + {at}]",
        "vpdpbusd {a0}, {w0}, {x}",
        "vpdpbusd {b0}, {w1}, {x}",
        "vpbroadcastd {x}, dword ptr [{q} + 2 * {block} + {at}]",
        "vpdpbusd {a1}, {w0}, {y}",
        "vpdpbusd {b1}, {w1}, {y}",
        "vpbroadcastd {y}, dword ptr [{q} + 3 * {block} + {at}]",
        "vpdpbusd {a2}, {w0}, {x}",
        "vpdpbusd {b2}, {w1}, {x}",
        "vpbroadcastd {x}, dword ptr [{q} + 4 * {block} + {at}]",
        "vpdpbusd {a3}, {w0}, {y}",
        "vpdpbusd {b3}, {w1}, {y}",
        "vpbroadcastd {y}, dword ptr [{q} + 5 * {block} + {at}]",
        "vpdpbusd {a4}, {w0}, {x}",
        "vpdpbusd {b4}, {w1}, {x}",
        "vpbroadcastd {x}, dword ptr [{q} + 6 * {block} + {at}]",
        "vpdpbusd {a5}, {w0}, {y}",
        "vpdpbusd {b5}, {w1}, {y}",
        "vpbroadcastd {y}, dword ptr [{q} + 7 * {block} + {at}]",
        "vpdpbusd {a6}, {w0}, {x}",
        "vpdpbusd {b6}, {w1}, {x}",
        "vpdpbusd {a7}, {w0}, {y}",
        "vpdpbusd {b7}, {w1}, {y}",
        a0 = inout(zmm_reg) a0,
        a1 = inout(zmm_reg) a1,
        a2 = inout(zmm_reg) a2,
        a3 = inout(zmm_reg) a3,
        a4 = inout(zmm_reg) a4,
        a5 = inout(zmm_reg) a5,
        a6 = inout(zmm_reg) a6,
        a7 = inout(zmm_reg) a7,
        b0 = inout(zmm_reg) b0,
        b1 = inout(zmm_reg) b1,
        b2 = inout(zmm_reg) b2,
        b3 = inout(zmm_reg) b3,
        b4 = inout(zmm_reg) b4,
        b5 = inout(zmm_reg) b5,
        b6 = inout(zmm_reg) b6,
        b7 = inout(zmm_reg) b7,
        x = out(zmm_reg) _x,
        y = out(zmm_reg) _y,
        w0 = in(zmm_reg) w[0],
        w1 = in(zmm_reg) w[1],
        q = in(reg) acts,
        at = const 4 * G,
        block = const size_of::<ActBlock>(),
        options(pure, readonly, nostack, preserves_flags)
    );
    *sums = [[a0, a1, a2, a3, a4, a5, a6, a7], [b0, b1, b2, b3, b4, b5, b6, b7]];
}
