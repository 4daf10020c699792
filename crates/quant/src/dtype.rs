//! The table of types: one row each, and everything that can be derived from a row.

use crate::{codebook, float, k_quants, legacy};

/// A storage type of a tensor's elements. The discriminant indexes [`DTYPES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the field's own; DTypeInfo describes each")]
pub enum DType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    IQ4NL,
    IQ4XS,
    MXFP4,
}

/// What a row of this type is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Plain 32-bit floats.
    F32,
    /// Signed bytes in blocks of 32 with one scale: [`crate::ActBlock`].
    Int8,
}

/// Packs the floats of one block.
pub type Quantize = fn(&[f32], &mut [u8]);

/// One row of [`DTYPES`].
pub struct DTypeInfo {
    /// The type.
    pub dtype: DType,
    /// ggml's name, as llama.cpp prints it.
    pub name: &'static str,
    /// The type's number in GGUF tensor infos.
    pub ggml_id: u32,
    /// Elements in a block.
    pub block_len: usize,
    /// Bytes of a block.
    pub block_bytes: usize,
    /// What a dot product takes on its other side.
    pub activation: Activation,
    /// Expands one block (`block_bytes` bytes) to `block_len` floats.
    pub dequantize: fn(&[u8], &mut [f32]),
    /// Packs `block_len` floats to one block. Whatever the floats, it gives a block and does not
    /// panic.
    pub quantize: Quantize,
    /// Largest error of quantize → dequantize on values in [-1, 1], for the round-trip test.
    pub max_roundtrip_err: f32,
}

/// Every supported type, in the order of [`DType`].
pub const DTYPES: &[DTypeInfo] = &[
    float::F32,
    float::F16,
    float::BF16,
    legacy::Q4_0,
    legacy::Q4_1,
    legacy::Q5_0,
    legacy::Q5_1,
    legacy::Q8_0,
    k_quants::Q2_K,
    k_quants::Q3_K,
    k_quants::Q4_K,
    k_quants::Q5_K,
    k_quants::Q6_K,
    codebook::IQ4_NL,
    codebook::IQ4_XS,
    codebook::MXFP4,
];

impl DType {
    /// How many types there are; sizes the per-type tables of the kernels.
    pub const COUNT: usize = DTYPES.len();

    /// This type's row of [`DTYPES`].
    pub fn info(self) -> &'static DTypeInfo {
        &DTYPES[self as usize]
    }

    /// ggml's name, e.g. `Q4_K`.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The type with this number in a GGUF file, if supported.
    pub fn from_ggml_id(id: u32) -> Option<DType> {
        DTYPES.iter().find(|info| info.ggml_id == id).map(|info| info.dtype)
    }

    /// The type of this name, in upper or lower case.
    pub fn from_name(name: &str) -> Option<DType> {
        DTYPES.iter().find(|info| info.name.eq_ignore_ascii_case(name)).map(|info| info.dtype)
    }

    /// Bytes of `n` elements; `None` when `n` is not a whole number of blocks or the size
    /// overflows.
    pub fn bytes_for(self, n: usize) -> Option<usize> {
        let info = self.info();
        if !n.is_multiple_of(info.block_len) {
            return None;
        }
        (n / info.block_len).checked_mul(info.block_bytes)
    }

    /// All supported type names, for error messages.
    pub fn names() -> String {
        DTYPES.iter().map(|info| info.name).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_are_in_enum_order_and_unique() {
        let mut ids = HashSet::new();
        let mut names = HashSet::new();
        for (index, info) in DTYPES.iter().enumerate() {
            assert_eq!(info.dtype as usize, index, "{}", info.name);
            assert!(ids.insert(info.ggml_id), "{} repeats id {}", info.name, info.ggml_id);
            assert!(names.insert(info.name));
            assert_eq!(DType::from_ggml_id(info.ggml_id), Some(info.dtype));
            assert_eq!(DType::from_name(&info.name.to_lowercase()), Some(info.dtype));
        }
    }
}
