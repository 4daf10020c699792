//! Where a model's tensors come from when they do not lie ready in a GGUF file.
//!
//! A reader of another format (or a maker of synthetic weights) describes its model with GGUF's
//! keys and tensor names, and makes the bytes of one tensor when they are asked for: converted,
//! reordered, quantized. Everything above sees a [`ModelFile`](crate::ModelFile) like any other,
//! and no more than one tensor is held at a time.

use crate::{Result, TensorBytes, TensorInfo};

/// Makes tensors' bytes on demand.
pub trait TensorSource: Send + Sync + std::fmt::Debug {
    /// The bytes of `tensor`, one of those that the model was described with, in its type and
    /// ggml's row order. A `Vec<u8>` converts to [`TensorBytes`]. The caller checks the length.
    fn bytes(&self, tensor: &TensorInfo) -> Result<TensorBytes>;

    /// Whether the bytes of `tensor` lie ready in a mapped file, and are only pointed to.
    fn is_mapped(&self, tensor: &TensorInfo) -> bool {
        let _ = tensor;
        false
    }

    /// Size of the files behind the model; 0 where there are none.
    fn file_bytes(&self) -> u64 {
        0
    }

    /// Number of weight files behind the model.
    fn n_parts(&self) -> usize {
        1
    }
}
