//! Activations as signed bytes: what every quantized weight row is multiplied with.
//!
//! One scale for 32 values, kept in f32 (llama.cpp's `Q8_1` rounds it to f16), with the sums that
//! the weight types' offsets need, so that a kernel corrects a whole block with one addition.

/// Elements in an activation block.
pub const QK: usize = 32;

/// Thirty-two activations: `x[i] ≈ scale * q[i]`, `q` in -127..=127.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(16))]
pub struct ActBlock {
    /// The quantized values.
    pub q: [i8; QK],
    /// What one step of `q` is worth.
    pub scale: f32,
    /// `scale * Σ q`: multiplies a weight block's minimum (Q4_1, Q5_1, Q4_K, Q5_K).
    pub scaled_sum: f32,
    /// `-Σ q`: shifted left by a weight type's offset bits it cancels that offset.
    pub neg_sum: i32,
    /// `-Σ q` over the first sixteen values only, for types with a scale for every sixteen (Q6_K).
    pub neg_sum_lo: i32,
}

const _: () = assert!(size_of::<ActBlock>() == 48);

impl ActBlock {
    /// A block of zeros.
    pub const ZERO: ActBlock =
        ActBlock { q: [0; QK], scale: 0.0, scaled_sum: 0.0, neg_sum: 0, neg_sum_lo: 0 };
}

/// Quantizes one row of activations. `x.len()` must be `out.len() * 32`.
///
/// Rounds half away from zero, as ggml's scalar `quantize_row_q8_0` does. Non-finite input gives a
/// zero scale or a non-finite one; it never panics.
pub fn quantize_activations(x: &[f32], out: &mut [ActBlock]) {
    assert_eq!(x.len(), out.len() * QK, "activation row and block count disagree");
    for (values, block) in x.chunks_exact(QK).zip(out) {
        let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let scale = largest / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        for (q, v) in block.q.iter_mut().zip(values) {
            *q = (v * inverse).round().clamp(-127.0, 127.0) as i8;
        }
        let lo: i32 = block.q[..16].iter().map(|&q| i32::from(q)).sum();
        let all: i32 = lo + block.q[16..].iter().map(|&q| i32::from(q)).sum::<i32>();
        block.scale = scale;
        block.scaled_sum = scale * all as f32;
        block.neg_sum = -all;
        block.neg_sum_lo = -lo;
    }
}

/// Reference dot product of a dequantized row with quantized activations, in double precision.
pub fn act_dot(row: &[f32], blocks: &[ActBlock]) -> f64 {
    row.chunks_exact(QK)
        .zip(blocks)
        .map(|(w, block)| {
            let sum: f64 = w.iter().zip(&block.q).map(|(&w, &q)| w as f64 * q as f64).sum();
            sum * block.scale as f64
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_scale_agree_with_the_values() {
        let x: Vec<f32> = (0..64).map(|i| (i as f32 - 20.0) * 0.37).collect();
        let mut blocks = [ActBlock::ZERO; 2];
        quantize_activations(&x, &mut blocks);
        for (values, block) in x.chunks(QK).zip(&blocks) {
            assert_eq!(block.neg_sum, -block.q.iter().map(|&q| q as i32).sum::<i32>());
            assert_eq!(block.neg_sum_lo, -block.q[..16].iter().map(|&q| q as i32).sum::<i32>());
            for (v, &q) in values.iter().zip(&block.q) {
                assert!((v - block.scale * q as f32).abs() <= block.scale * 0.5001);
            }
        }
    }

    #[test]
    fn zeros_and_non_finite_values_do_not_panic() {
        let mut blocks = [ActBlock::ZERO; 1];
        quantize_activations(&[0.0; 32], &mut blocks);
        assert_eq!(blocks[0], ActBlock::ZERO);
        quantize_activations(&[f32::NAN; 32], &mut blocks);
        quantize_activations(&[f32::INFINITY; 32], &mut blocks);
    }
}
