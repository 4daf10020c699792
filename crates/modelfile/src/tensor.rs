//! A tensor's description and its bytes.

use crate::mapping::Mapping;
use crate::{ModelFileError, Result};
use pacemark_quant::DType;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Name, shape and type of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, e.g. `blk.0.attn_q.weight`.
    pub name: String,
    /// Its dimensions in ggml's order: the fastest-varying (a row's length) first.
    pub dims: Vec<u64>,
    /// The type of its elements.
    pub dtype: DType,
    /// Index of the part of a split file that holds it.
    pub(crate) part: usize,
    /// Where its bytes begin in that part's mapping.
    pub(crate) start: usize,
}

impl TensorInfo {
    /// A tensor to be written.
    pub fn new(name: impl Into<String>, dims: impl Into<Vec<u64>>, dtype: DType) -> TensorInfo {
        TensorInfo { name: name.into(), dims: dims.into(), dtype, part: 0, start: 0 }
    }

    /// Number of elements.
    pub fn n_elements(&self) -> u64 {
        self.dims.iter().fold(1, |product, &dim| product.saturating_mul(dim))
    }

    /// Size in bytes. Infos of a [`crate::ModelFile`] have been checked against the file's length.
    pub fn n_bytes(&self) -> u64 {
        let info = self.dtype.info();
        (self.n_elements() / info.block_len as u64).saturating_mul(info.block_bytes as u64)
    }

    /// Checks that the shape is one a file may hold: 1 to 4 dimensions, none 0, rows of whole
    /// blocks, a size that fits.
    pub(crate) fn check(&self, file: &Path) -> Result<()> {
        let invalid = |expected: &str, found: String| {
            Err(ModelFileError::invalid(file, &self.name, expected, found))
        };
        if self.dims.is_empty() || self.dims.len() > 4 {
            return invalid("1 to 4 dimensions", self.dims.len().to_string());
        }
        if self.dims.contains(&0) {
            return invalid("dimensions of at least 1", format!("{:?}", self.dims));
        }
        let block_len = self.dtype.info().block_len as u64;
        if !self.dims[0].is_multiple_of(block_len) {
            let expected =
                format!("rows of whole {} blocks of {block_len} elements", self.dtype.name());
            return invalid(&expected, format!("rows of {}", self.dims[0]));
        }
        let elements = self.dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
        let bytes = elements
            .and_then(|n| (n / block_len).checked_mul(self.dtype.info().block_bytes as u64));
        match bytes.and_then(|n| isize::try_from(n).ok()) {
            Some(_) => Ok(()),
            None => invalid(
                "a size that can be addressed",
                format!("{:?} {}", self.dims, self.dtype.name()),
            ),
        }
    }
}

/// The bytes of a tensor: a view of a mapped file, which it keeps alive, or bytes that a
/// [`crate::TensorSource`] made. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TensorBytes(Held);

#[derive(Clone, Debug)]
enum Held {
    Mapped { mapping: Arc<Mapping>, range: Range<usize> },
    Owned(Arc<Vec<u8>>),
}

impl TensorBytes {
    pub(crate) fn mapped(mapping: Arc<Mapping>, range: Range<usize>) -> TensorBytes {
        assert!(
            range.start <= range.end && range.end <= mapping.bytes().len(),
            "tensor of another file"
        );
        TensorBytes(Held::Mapped { mapping, range })
    }

    /// Drops the tensor's whole pages from this process's memory, so that resident memory falls
    /// after the weights have been packed elsewhere. The bytes stay readable: an access brings them
    /// back from the file. Bytes that were made go when the last clone is dropped, and not here.
    pub fn release(&self) {
        if let Held::Mapped { mapping, range } = &self.0 {
            mapping.release(range.clone());
        }
    }
}

impl From<Vec<u8>> for TensorBytes {
    fn from(bytes: Vec<u8>) -> TensorBytes {
        TensorBytes(Held::Owned(Arc::new(bytes)))
    }
}

impl AsRef<[u8]> for TensorBytes {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Held::Mapped { mapping, range } => &mapping.bytes()[range.clone()],
            Held::Owned(bytes) => bytes,
        }
    }
}

impl std::ops::Deref for TensorBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}
