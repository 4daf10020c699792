//! The tensors of a directory under GGUF's names, made when they are asked for: reordered,
//! converted, quantized.
//!
//! One tensor is held at a time, besides the few rows that each thread works on; the pages of its
//! file are given back.

use super::safetensors::Entry;
use crate::mapping::Mapping;
use crate::{ModelFileError, Result, TensorBytes, TensorInfo, TensorSource};
use pacemark_quant::{DType, dequantize_row, quantize_row};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What stands between a stored tensor and GGUF's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transform {
    /// Nothing.
    AsIs,
    /// Rows of a head stored for rotate-half become rows for interleaved RoPE, as GGUF has them for
    /// llama.
    Interleave {
        /// Rows of a head.
        head_dim: usize,
    },
    /// Rows of Q, K and V head by head become all of Q, then K, then V (gptneox).
    SplitHeads {
        /// Heads.
        n_heads: usize,
        /// Rows of a head.
        head_dim: usize,
    },
    /// `[in, out]` becomes `[out, in]` (gpt2's `Conv1D`).
    Transpose,
    /// One is added, where the model computes with `1 + w` (gemma's norms).
    AddOne,
}

impl Transform {
    /// The stored row that becomes row `row`.
    fn stored_row(self, row: usize) -> usize {
        match self {
            Transform::Interleave { head_dim } => {
                let (head, within) = (row / head_dim, row % head_dim);
                head * head_dim + within % 2 * (head_dim / 2) + within / 2
            }
            Transform::SplitHeads { n_heads, head_dim } => {
                let (part, head, within) =
                    (row / (n_heads * head_dim), row / head_dim % n_heads, row % head_dim);
                (head * 3 + part) * head_dim + within
            }
            Transform::AsIs | Transform::Transpose | Transform::AddOne => row,
        }
    }

    /// GGUF's dimensions of a tensor of this stored shape, if the transform fits it.
    pub(crate) fn dims(self, shape: &[u64]) -> std::result::Result<Vec<u64>, String> {
        let rows = shape.first().copied().unwrap_or(1);
        match self {
            Transform::Interleave { head_dim }
                if head_dim % 2 != 0 || !rows.is_multiple_of(head_dim as u64) =>
            {
                Err(format!("rows in heads of {head_dim}, an even number"))
            }
            Transform::SplitHeads { n_heads, head_dim }
                if rows != 3 * (n_heads * head_dim) as u64 =>
            {
                Err(format!("3 * {n_heads} heads of {head_dim} rows"))
            }
            Transform::Transpose if shape.len() != 2 => Err("two dimensions".into()),
            Transform::Transpose => Ok(shape.to_vec()),
            _ => Ok(shape.iter().rev().copied().collect()),
        }
    }
}

/// Where a tensor's values are.
#[derive(Debug)]
pub(crate) enum Origin {
    /// In a weight file.
    Stored { mapping: Arc<Mapping>, entry: Entry, dtype: DType, transform: Transform },
    /// Here: what the format derives from the configuration.
    Made(Vec<f32>),
}

/// The source behind a directory's [`crate::ModelFile`].
#[derive(Debug)]
pub(crate) struct Tensors {
    pub directory: PathBuf,
    pub origins: HashMap<String, Origin>,
    pub files: Vec<Arc<Mapping>>,
}

impl TensorSource for Tensors {
    fn bytes(&self, tensor: &TensorInfo) -> Result<TensorBytes> {
        match self.origins.get(&tensor.name) {
            None => Err(ModelFileError::invalid(
                &self.directory,
                &tensor.name,
                "a tensor of this model",
                "no such tensor",
            )),
            Some(Origin::Made(values)) => {
                Ok(values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>().into())
            }
            Some(Origin::Stored { mapping, entry, dtype, transform: Transform::AsIs })
                if *dtype == tensor.dtype =>
            {
                Ok(TensorBytes::mapped(mapping.clone(), entry.range.clone()))
            }
            Some(Origin::Stored { mapping, entry, dtype, transform }) => {
                let bytes = &mapping.bytes()[entry.range.clone()];
                let made = make(bytes, *dtype, *transform, tensor, &self.directory)?;
                mapping.release(entry.range.clone());
                Ok(made.into())
            }
        }
    }

    fn is_mapped(&self, tensor: &TensorInfo) -> bool {
        let origin = self.origins.get(&tensor.name);
        matches!(origin, Some(Origin::Stored { dtype, transform: Transform::AsIs, .. })
            if *dtype == tensor.dtype)
    }

    fn file_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes().len() as u64).sum()
    }

    fn n_parts(&self) -> usize {
        self.files.len()
    }
}

/// Rows that a thread takes at a time: a transpose reads as many neighbours from each line of
/// memory.
const ROWS: usize = 32;
/// Below this, starting threads takes longer than the work.
const WORTH_THREADS: usize = 1 << 20;

/// Transforms and converts a tensor of which `bytes` are stored as `dtype`.
fn make(
    bytes: &[u8],
    dtype: DType,
    transform: Transform,
    tensor: &TensorInfo,
    file: &Path,
) -> Result<Vec<u8>> {
    // The description was checked: dimensions of at least 1, rows of whole blocks, a size that
    // fits.
    let n_cols = tensor.dims[0] as usize;
    let n_rows = (tensor.n_elements() / tensor.dims[0]) as usize;
    let row_bytes = tensor.n_bytes() as usize / n_rows;
    let stored = Stored { bytes, dtype, transform, n_rows, n_cols };
    let mut out = vec![0; tensor.n_bytes() as usize];
    let chunks = Mutex::new(out.chunks_mut(ROWS * row_bytes).enumerate());
    let failure = Mutex::new(None);
    let work = || {
        let mut floats = vec![0.0; ROWS * n_cols];
        loop {
            let Some((chunk, out)) = chunks.lock().ok().and_then(|mut chunks| chunks.next()) else {
                return;
            };
            let floats = &mut floats[..out.len() / row_bytes * n_cols];
            stored.rows(chunk * ROWS, floats);
            for (row, out) in floats.chunks_exact(n_cols).zip(out.chunks_exact_mut(row_bytes)) {
                if let (Err(error), Ok(mut failure)) =
                    (quantize_row(tensor.dtype, row, out), failure.lock())
                {
                    *failure = Some(error.to_string());
                }
            }
        }
    };
    let n_threads = pacemark_limits::processors();
    if tensor.n_elements() < WORTH_THREADS as u64 || n_threads == 1 {
        work();
    } else {
        std::thread::scope(|scope| (0..n_threads).for_each(|_| drop(scope.spawn(work))));
    }
    match failure.into_inner().ok().flatten() {
        Some(found) => Err(ModelFileError::invalid(
            file,
            &tensor.name,
            format!("rows for {}", tensor.dtype.name()),
            found,
        )),
        None => Ok(out),
    }
}

/// A stored tensor, to be read row by row of the result.
struct Stored<'a> {
    bytes: &'a [u8],
    dtype: DType,
    transform: Transform,
    /// Of the result.
    n_rows: usize,
    n_cols: usize,
}

impl Stored<'_> {
    /// Elements `from..` of the stored tensor, in its own order.
    fn read(&self, from: usize, out: &mut [f32]) {
        let size = self.dtype.info().block_bytes; // float types: a block is an element
        let bytes = &self.bytes[from * size..][..out.len() * size];
        dequantize_row(self.dtype, bytes, out).expect("as many bytes as elements were taken");
    }

    /// Rows of the result from `first`, as many as `out` has room for.
    fn rows(&self, first: usize, out: &mut [f32]) {
        if self.transform == Transform::Transpose {
            let n = out.len() / self.n_cols;
            let mut line = vec![0.0; n];
            for col in 0..self.n_cols {
                self.read(col * self.n_rows + first, &mut line);
                for (row, &x) in line.iter().enumerate() {
                    out[row * self.n_cols + col] = x;
                }
            }
            return;
        }
        // A vector is one row, but what is reordered of it are its elements: a bias has one for
        // each row of its matrix.
        let reordered =
            matches!(self.transform, Transform::Interleave { .. } | Transform::SplitHeads { .. });
        if reordered && self.n_rows == 1 {
            for (at, x) in out.iter_mut().enumerate() {
                self.read(self.transform.stored_row(at), std::slice::from_mut(x));
            }
            return;
        }
        for (row, out) in out.chunks_exact_mut(self.n_cols).enumerate() {
            self.read(self.transform.stored_row(first + row) * self.n_cols, out);
            if self.transform == Transform::AddOne {
                out.iter_mut().for_each(|x| *x += 1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of a tensor of `shape` that counts 0, 1, 2, …, after `transform`.
    fn counted(shape: &[u64], transform: Transform) -> Vec<f32> {
        let n: u64 = shape.iter().product();
        let bytes: Vec<u8> = (0..n).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let info = TensorInfo::new("t", transform.dims(shape).unwrap(), DType::F32);
        let made = make(&bytes, DType::F32, transform, &info, Path::new("m")).unwrap();
        made.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }

    #[test]
    fn rows_and_elements_go_where_they_belong() {
        assert_eq!(counted(&[2, 3], Transform::Transpose), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(counted(&[3], Transform::AddOne), [1.0, 2.0, 3.0]);
        // Two heads of four: pairs (0, 2) and (1, 3) become neighbours.
        let interleave = Transform::Interleave { head_dim: 4 };
        assert_eq!(counted(&[8, 1], interleave), [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
        // Two heads of one row each for q, k and v: q0 k0 v0 q1 k1 v1.
        let split = Transform::SplitHeads { n_heads: 2, head_dim: 1 };
        assert_eq!(counted(&[6, 1], split), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(counted(&[6], split), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }

    #[test]
    fn a_large_transpose_is_the_small_one_many_times() {
        let (rows, cols) = (1200, 1100);
        let out = counted(&[cols, rows], Transform::Transpose);
        for (row, col) in [(0, 0), (1, 0), (31, 7), (32, 7), (1199, 1099), (640, 1024)] {
            assert_eq!(out[row * cols as usize + col], (col * rows as usize + row) as f32);
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        assert!(Transform::Interleave { head_dim: 4 }.dims(&[6, 2]).is_err());
        assert!(Transform::Interleave { head_dim: 3 }.dims(&[6, 2]).is_err());
        assert!(Transform::SplitHeads { n_heads: 2, head_dim: 4 }.dims(&[8, 2]).is_err());
        assert!(Transform::Transpose.dims(&[8]).is_err());
    }
}
