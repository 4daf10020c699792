//! Plain floating-point types: a block is one element.

use crate::{Activation, DType, DTypeInfo};
use half::{bf16, f16};

/// IEEE single precision.
pub(crate) const F32: DTypeInfo = DTypeInfo {
    dtype: DType::F32,
    name: "F32",
    ggml_id: 0,
    block_len: 1,
    block_bytes: 4,
    activation: Activation::F32,
    dequantize: |b, out| out[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
    quantize: |x, b| b.copy_from_slice(&x[0].to_le_bytes()),
    max_roundtrip_err: 0.0,
};

/// IEEE half precision.
pub(crate) const F16: DTypeInfo = DTypeInfo {
    dtype: DType::F16,
    name: "F16",
    ggml_id: 1,
    block_len: 1,
    block_bytes: 2,
    activation: Activation::F32,
    dequantize: |b, out| out[0] = f16::from_le_bytes([b[0], b[1]]).to_f32(),
    quantize: |x, b| b.copy_from_slice(&f16::from_f32(x[0]).to_le_bytes()),
    max_roundtrip_err: 0.0005,
};

/// bfloat16: the upper half of a single.
pub(crate) const BF16: DTypeInfo = DTypeInfo {
    dtype: DType::BF16,
    name: "BF16",
    ggml_id: 30,
    block_len: 1,
    block_bytes: 2,
    activation: Activation::F32,
    dequantize: |b, out| out[0] = bf16::from_le_bytes([b[0], b[1]]).to_f32(),
    quantize: |x, b| b.copy_from_slice(&bf16::from_f32(x[0]).to_le_bytes()),
    max_roundtrip_err: 0.004,
};
