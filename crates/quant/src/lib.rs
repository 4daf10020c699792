//! Block formats of model weights: what a type *is*, byte by byte.
//!
//! Every type is one file with its packed layout and a scalar dequantizer (and quantizer, where Pacemark writes the type),
//! plus one row in [`DTYPES`]. This scalar code is the specification: the SIMD kernels are tested against it, never the
//! other way round. Speed, threads and packing live in the `kernels` crate; files live in `modelfile`.
//!
//! Layouts follow ggml's block definitions (`ggml-common.h` of the ggml project), which GGUF files store verbatim.

mod activation;
mod block;
mod dtype;
mod float;
mod k_quants;
mod legacy;

pub use activation::{ActBlock, QK, act_dot, quantize_activations};
pub use block::{QuantError, dequantize_row, dot_row, quantize_row};
pub use dtype::{Activation, DTYPES, DType, DTypeInfo, Quantize};
pub use k_quants::scale_min;
