//! What the tests of several kernels need.

#![allow(dead_code, reason = "each test file is a crate of its own and needs a part of it")]

use pacemark_kernels::KvType;
use pacemark_quant::{DType, dequantize_row, quantize_row};

/// A small deterministic generator (Knuth's MMIX constants); quality does not matter here.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 32) as u32
    }
    /// In -1..1.
    pub(crate) fn unit(&mut self) -> f32 {
        self.bits() as f32 / (1u64 << 31) as f32 - 1.0
    }
    pub(crate) fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.unit()).collect()
    }
}

/// What is left of `x` in the cache: the specification's word, in groups of 32 filled up with
/// zeros.
pub(crate) fn stored(kv_type: KvType, x: &[f32]) -> Vec<f32> {
    let dtype = DType::from_name(kv_type.name()).unwrap();
    let mut padded = x.to_vec();
    padded.resize(x.len().next_multiple_of(32), 0.0);
    let mut bytes = vec![0; dtype.bytes_for(padded.len()).unwrap()];
    quantize_row(dtype, &padded, &mut bytes).unwrap();
    dequantize_row(dtype, &bytes, &mut padded).unwrap();
    padded.truncate(x.len());
    padded
}
