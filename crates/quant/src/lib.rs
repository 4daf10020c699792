//! Block formats of model weights: what a type *is*, byte by byte.
//!
//! Every type is its packed layout with a scalar dequantizer and quantizer, and one row in
//! [`DTYPES`]. This scalar code is the specification: the SIMD kernels are tested against it, never
//! the other way round. Speed, threads and packing live in the `kernels` crate; files live in
//! `modelfile`.
//!
//! Layouts follow ggml's block definitions (`ggml-common.h` of the ggml project), which GGUF files
//! store verbatim.

mod activation;
mod block;
mod codebook;
mod dtype;
mod float;
mod k_quants;
mod legacy;
mod search;

pub use activation::{ActBlock, QK, act_dot, quantize_activations};
pub use block::{QuantError, dequantize_row, quantize_row};
pub use codebook::{IQ4_VALUES, MXFP4_VALUES, iq4_xs_scale};
pub use dtype::{Activation, DTYPES, DType, DTypeInfo, Quantize};
pub use k_quants::{q3_scale, scale_min};
