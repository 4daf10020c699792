//! The weights of a model, checked against its configuration and packed for the kernels.
//!
//! File quirks end here: rows of Q and K are reordered so that the decoder knows one style of RoPE, tied embeddings become
//! an output matrix like any other, and a tensor that the configuration does not account for is an error.

use crate::{EngineError, ModelConfig, NormPlacement, RopeStyle, TokenId};
use pacemark_kernels::{Arena, KernelSet, Matrix, Team};
use pacemark_modelfile::{ModelFile, TensorBytes, TensorInfo};
use pacemark_quant::{DType, dequantize_row};
use std::collections::HashSet;

/// All weights.
pub(crate) struct Weights {
    pub embedding: Embedding,
    pub layers: Vec<Layer>,
    /// `[n_embd]`
    pub output_norm: Vec<f32>,
    /// `[n_vocab, n_embd]`
    pub output: Matrix,
    /// `[rope_dim / 2]`
    pub rope_factors: Option<Vec<f32>>,
}

/// One layer. Matrices are `[out, in]`.
pub(crate) struct Layer {
    pub attn_norm: Vec<f32>,
    pub wq: Matrix,
    pub wk: Matrix,
    pub wv: Matrix,
    pub wo: Matrix,
    /// `[head_dim]`, where [`ModelConfig::qk_norm`].
    pub q_norm: Option<Vec<f32>>,
    pub k_norm: Option<Vec<f32>>,
    /// `[n_embd]`, where the placement is [`NormPlacement::Sandwich`].
    pub attn_post_norm: Option<Vec<f32>>,
    pub ffn_norm: Vec<f32>,
    pub gate: Matrix,
    pub up: Matrix,
    pub down: Matrix,
    pub ffn_post_norm: Option<Vec<f32>>,
}

/// The token embedding, read row by row from the file.
pub(crate) struct Embedding {
    bytes: TensorBytes,
    dtype: DType,
    row_bytes: usize,
    scale: f32,
}

impl Embedding {
    /// Writes the scaled embedding of `token`, which is below `n_vocab`.
    pub(crate) fn row(&self, token: TokenId, out: &mut [f32]) {
        let row = &self.bytes.as_ref()[token as usize * self.row_bytes..][..self.row_bytes];
        // The shape was checked at load, so the row has the blocks that `out` needs.
        dequantize_row(self.dtype, row, out).expect("embedding rows fit n_embd");
        if self.scale != 1.0 {
            out.iter_mut().for_each(|x| *x *= self.scale);
        }
    }
}

/// Reads and packs tensors, and remembers which were used.
pub(crate) struct Loader<'a> {
    pub file: &'a ModelFile,
    pub config: &'a ModelConfig,
    pub team: &'a Team,
    pub kernels: &'static KernelSet,
    pub arena: Arena,
    pub used: HashSet<String>,
}

impl<'a> Loader<'a> {
    /// Everything; `progress(done, of)` is called after each layer.
    pub(crate) fn load(mut self, progress: &mut dyn FnMut(usize, usize)) -> Result<Weights, EngineError> {
        let c = self.config;
        let embedding_shape = [c.n_embd as u64, c.n_vocab as u64];
        let info = self.tensor("token_embd.weight", &embedding_shape)?;
        let embedding = Embedding {
            bytes: self.file.bytes(info)?,
            dtype: info.dtype,
            row_bytes: (info.n_bytes() / c.n_vocab as u64) as usize,
            scale: c.embed_scale,
        };
        let output_norm = self.vector("output_norm.weight", c.n_embd)?;
        let rope_factors = match self.file.tensor("rope_freqs.weight") {
            Some(_) => Some(self.vector("rope_freqs.weight", c.rope_dim / 2)?),
            None => None,
        };
        let tied = self.file.tensor("output.weight").is_none();
        let output =
            self.matrix(if tied { "token_embd.weight" } else { "output.weight" }, c.n_embd, c.n_vocab, None)?;
        let mut layers = Vec::with_capacity(c.layers.len());
        for i in 0..c.layers.len() {
            layers.push(self.layer(i)?);
            progress(i + 1, c.layers.len());
        }
        match self.file.tensors().iter().find(|t| !self.used.contains(&t.name)) {
            Some(unknown) => Err(EngineError::UnknownTensor {
                file: self.file.path().display().to_string(),
                name: unknown.name.clone(),
                architecture: c.architecture.to_string(),
            }),
            None => Ok(Weights { embedding, layers, output_norm, output, rope_factors }),
        }
    }

    fn layer(&mut self, i: usize) -> Result<Layer, EngineError> {
        let c = self.config;
        let (d, q_width, kv_width) = (c.n_embd, c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
        let name = |tensor: &str| format!("blk.{i}.{tensor}.weight");
        let sandwich = c.placement == NormPlacement::Sandwich;
        let reorder = (c.rope_style == RopeStyle::Interleaved).then_some((c.head_dim, c.rope_dim));
        Ok(Layer {
            attn_norm: self.vector(&name("attn_norm"), d)?,
            wq: self.matrix(&name("attn_q"), d, q_width, reorder)?,
            wk: self.matrix(&name("attn_k"), d, kv_width, reorder)?,
            wv: self.matrix(&name("attn_v"), d, kv_width, None)?,
            wo: self.matrix(&name("attn_output"), q_width, d, None)?,
            q_norm: self.vector_if(c.qk_norm, &name("attn_q_norm"), c.head_dim)?,
            k_norm: self.vector_if(c.qk_norm, &name("attn_k_norm"), c.head_dim)?,
            attn_post_norm: self.vector_if(sandwich, &name("post_attention_norm"), d)?,
            ffn_norm: self.vector(&name("ffn_norm"), d)?,
            gate: self.matrix(&name("ffn_gate"), d, c.n_ff, None)?,
            up: self.matrix(&name("ffn_up"), d, c.n_ff, None)?,
            down: self.matrix(&name("ffn_down"), c.n_ff, d, None)?,
            ffn_post_norm: self.vector_if(sandwich, &name("post_ffw_norm"), d)?,
        })
    }

    fn vector_if(&mut self, wanted: bool, name: &str, len: usize) -> Result<Option<Vec<f32>>, EngineError> {
        if wanted { self.vector(name, len).map(Some) } else { Ok(None) }
    }

    /// A one-dimensional tensor of any type, as floats.
    fn vector(&mut self, name: &str, len: usize) -> Result<Vec<f32>, EngineError> {
        let info = self.tensor(name, &[len as u64])?;
        let (dtype, bytes) = (info.dtype, self.file.bytes(info)?);
        let mut out = vec![0.0; len];
        dequantize_row(dtype, &bytes, &mut out).expect("modelfile checks a tensor's bytes against its shape");
        Ok(out)
    }

    /// A matrix of `n_rows` rows of `n_cols`; `reorder` is (head_dim, rope_dim) where rows are for interleaved RoPE.
    fn matrix(
        &mut self,
        name: &str,
        n_cols: usize,
        n_rows: usize,
        reorder: Option<(usize, usize)>,
    ) -> Result<Matrix, EngineError> {
        let info = self.tensor(name, &[n_cols as u64, n_rows as u64])?;
        let (dtype, bytes) = (info.dtype, self.file.bytes(info)?);
        let order =
            move |row: usize| reorder.map_or(row, |(head_dim, rope_dim)| half_style_row(row, head_dim, rope_dim));
        let packed = Matrix::pack(self.team, self.kernels, &mut self.arena, dtype, (n_rows, n_cols), &bytes, &order);
        bytes.release();
        packed.map_err(|source| EngineError::Pack {
            file: self.file.path().display().to_string(),
            name: name.to_string(),
            source,
        })
    }

    /// A tensor of exactly this shape (ggml order: row length first).
    fn tensor(&mut self, name: &str, expected: &[u64]) -> Result<&'a TensorInfo, EngineError> {
        let file = || self.file.path().display().to_string();
        let Some(info) = self.file.tensor(name) else {
            return Err(EngineError::MissingTensor {
                file: file(),
                name: name.to_string(),
                expected: expected.to_vec(),
            });
        };
        if info.dims != expected {
            let (expected, found) = (expected.to_vec(), info.dims.clone());
            return Err(EngineError::TensorShape { file: file(), name: name.to_string(), expected, found });
        }
        self.used.insert(name.to_string());
        Ok(info)
    }
}

/// Which row of an interleaved file becomes `row` of a half-style matrix: pair `i` of a head, stored at `2i` and `2i + 1`,
/// goes to `i` and `i + rope_dim / 2`; elements beyond `rope_dim` stay.
fn half_style_row(row: usize, head_dim: usize, rope_dim: usize) -> usize {
    let (head, within) = (row / head_dim, row % head_dim);
    let half = rope_dim / 2;
    let from = match within {
        w if w < half => 2 * w,
        w if w < rope_dim => 2 * (w - half) + 1,
        w => w,
    };
    head * head_dim + from
}

#[cfg(test)]
mod tests {
    use super::half_style_row;

    #[test]
    fn pairs_are_pulled_apart() {
        let order: Vec<usize> = (0..16).map(|row| half_style_row(row, 8, 6)).collect();
        assert_eq!(order, [0, 2, 4, 1, 3, 5, 6, 7, 8, 10, 12, 9, 11, 13, 14, 15]);
    }
}
