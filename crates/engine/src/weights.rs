//! The weights of a model, checked against its configuration and packed for the kernels.
//!
//! File quirks end here: rows of Q and K are reordered so that the decoder knows one style of RoPE,
//! tied embeddings become an output matrix like any other, and a tensor that the configuration does
//! not account for is an error.

use crate::{EngineError, ModelConfig, NormKind, NormPlacement, RopeStyle, TokenId};
use pacemark_kernels::{Arena, KernelSet, Matrix, Team};
use pacemark_modelfile::{ModelFile, TensorBytes, TensorInfo};
use pacemark_quant::{DType, dequantize_row};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// All weights.
pub(crate) struct Weights {
    pub embedding: Embedding,
    pub layers: Vec<Layer>,
    /// `[n_ctx_train, n_embd]`, where [`ModelConfig::learned_positions`].
    pub positions: Option<Vec<f32>>,
    pub output_norm: Norm,
    /// `[n_vocab, n_embd]`
    pub output: Matrix,
    /// `[rope_dim / 2]`
    pub rope_factors: Option<Vec<f32>>,
}

/// A norm's learned part.
pub(crate) struct Norm {
    /// As long as what is normalized.
    pub weight: Vec<f32>,
    /// Where the norm is a [`NormKind::Layer`]; as long.
    pub bias: Option<Vec<f32>>,
}

/// One layer. Matrices are `[out, in]` and carry their biases.
pub(crate) struct Layer {
    pub attn_norm: Norm,
    pub wq: Matrix,
    pub wk: Matrix,
    pub wv: Matrix,
    pub wo: Matrix,
    /// Of a head, where [`ModelConfig::qk_norm`]; always an RMS norm, as the next two.
    pub q_norm: Option<Norm>,
    pub k_norm: Option<Norm>,
    /// Where the placement is [`NormPlacement::Sandwich`].
    pub attn_post_norm: Option<Norm>,
    pub ffn_norm: Norm,
    /// Where [`crate::Ffn::is_gated`].
    pub gate: Option<Matrix>,
    pub up: Matrix,
    pub down: Matrix,
    pub ffn_post_norm: Option<Norm>,
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

/// What a matrix needs besides its shape.
#[derive(Clone, Copy)]
struct Rows {
    /// There is a `.bias` beside the `.weight`.
    bias: bool,
    /// (head_dim, rope_dim) where rows are for interleaved RoPE.
    reorder: Option<(usize, usize)>,
}

impl Rows {
    const AS_THEY_ARE: Rows = Rows { bias: false, reorder: None };
}

/// Reads and packs tensors, and remembers which were used.
pub(crate) struct Loader<'a> {
    pub file: &'a ModelFile,
    pub config: &'a ModelConfig,
    pub team: &'a Team,
    pub kernels: &'static KernelSet,
    pub arena: &'a mut Arena,
    /// Matrices are left where the file has them ([`Matrix::in_place`]).
    pub in_place: bool,
    pub used: HashSet<String>,
}

impl<'a> Loader<'a> {
    /// Everything; `progress(done, of)` is called after each layer.
    pub(crate) fn load(
        mut self,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Weights, EngineError> {
        let c = self.config;
        let embedding_shape = [c.n_embd as u64, c.n_vocab as u64];
        let info = self.tensor("token_embd.weight", &embedding_shape)?;
        let embedding = Embedding {
            bytes: self.file.bytes(info)?,
            dtype: info.dtype,
            row_bytes: (info.n_bytes() / c.n_vocab as u64) as usize,
            scale: c.embed_scale,
        };
        let positions = match c.learned_positions {
            true => {
                Some(self.floats("position_embd.weight", &[c.n_embd as u64, c.n_ctx_train as u64])?)
            }
            false => None,
        };
        let output_norm = self.norm("output_norm", c.n_embd)?;
        // Written for models whose layers rotate alike: of others it does not say which layers it
        // is for.
        let rotate_alike = c.layers.windows(2).all(|two| two[0].rotates_like(&two[1]));
        let rope_factors = match self.file.tensor("rope_freqs.weight") {
            Some(_) if rotate_alike => {
                Some(self.floats("rope_freqs.weight", &[c.rope_dim as u64 / 2])?)
            }
            _ => None,
        };
        let tied = self.file.tensor("output.weight").is_none();
        let output = self.matrix(
            if tied { "token_embd" } else { "output" },
            (c.n_embd, c.n_vocab),
            Rows::AS_THEY_ARE,
        )?;
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
            None => Ok(Weights { embedding, positions, layers, output_norm, output, rope_factors }),
        }
    }

    fn layer(&mut self, i: usize) -> Result<Layer, EngineError> {
        let c = self.config;
        let (d, q_width) = (c.n_embd, c.n_heads * c.head_dim);
        let name = |tensor: &str| format!("blk.{i}.{tensor}");
        let sandwich = c.placement == NormPlacement::Sandwich;
        let biased = Rows { bias: c.output_bias, ..Rows::AS_THEY_ARE };
        let [wq, wk, wv] = self.qkv(i)?;
        Ok(Layer {
            attn_norm: self.norm(&name("attn_norm"), d)?,
            wq,
            wk,
            wv,
            wo: self.matrix(&name("attn_output"), (q_width, d), biased)?,
            q_norm: self.rms_norm_if(c.qk_norm, &name("attn_q_norm"), c.head_dim)?,
            k_norm: self.rms_norm_if(c.qk_norm, &name("attn_k_norm"), c.head_dim)?,
            attn_post_norm: self.rms_norm_if(sandwich, &name("post_attention_norm"), d)?,
            ffn_norm: self.norm(&name("ffn_norm"), d)?,
            gate: match c.ffn.is_gated() {
                true => Some(self.matrix(&name("ffn_gate"), (d, c.n_ff), biased)?),
                false => None,
            },
            up: self.matrix(&name("ffn_up"), (d, c.n_ff), biased)?,
            down: self.matrix(&name("ffn_down"), (c.n_ff, d), biased)?,
            ffn_post_norm: self.rms_norm_if(sandwich, &name("post_ffw_norm"), d)?,
        })
    }

    /// The matrices that make queries, keys and values.
    fn qkv(&mut self, i: usize) -> Result<[Matrix; 3], EngineError> {
        let c = self.config;
        let (d, q_width, kv_width) = (c.n_embd, c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
        let reorder = (c.rope_style == RopeStyle::Interleaved).then_some((c.head_dim, c.rope_dim));
        let rows = Rows { bias: c.qkv_bias, reorder };
        let plain = Rows { reorder: None, ..rows };
        if !c.fused_qkv {
            return Ok([
                self.matrix(&format!("blk.{i}.attn_q"), (d, q_width), rows)?,
                self.matrix(&format!("blk.{i}.attn_k"), (d, kv_width), rows)?,
                self.matrix(&format!("blk.{i}.attn_v"), (d, kv_width), plain)?,
            ]);
        }
        let name = format!("blk.{i}.attn_qkv");
        let all = q_width + 2 * kv_width;
        let (info, bytes) = self.weight(&name, (d, all))?;
        let bias = self.bias_if(c.qkv_bias, &name, all)?;
        let row_bytes = bytes.len() / all;
        let mut part = |range: Range<usize>, rows| {
            let bias = bias.as_ref().map(|bias| bias[range.clone()].to_vec());
            let n_rows = range.len();
            self.pack(
                info,
                (d, n_rows),
                (&bytes, range.start * row_bytes..range.end * row_bytes),
                bias,
                rows,
            )
        };
        let parts = [
            part(0..q_width, rows)?,
            part(q_width..q_width + kv_width, rows)?,
            part(q_width + kv_width..all, plain)?,
        ];
        self.release(&bytes);
        Ok(parts)
    }

    fn norm(&mut self, name: &str, len: usize) -> Result<Norm, EngineError> {
        let weight = self.floats(&format!("{name}.weight"), &[len as u64])?;
        Ok(Norm { weight, bias: self.bias_if(self.config.norm == NormKind::Layer, name, len)? })
    }

    fn rms_norm_if(
        &mut self,
        wanted: bool,
        name: &str,
        len: usize,
    ) -> Result<Option<Norm>, EngineError> {
        if !wanted {
            return Ok(None);
        }
        Ok(Some(Norm {
            weight: self.floats(&format!("{name}.weight"), &[len as u64])?,
            bias: None,
        }))
    }

    fn bias_if(
        &mut self,
        wanted: bool,
        name: &str,
        len: usize,
    ) -> Result<Option<Vec<f32>>, EngineError> {
        if wanted {
            self.floats(&format!("{name}.bias"), &[len as u64]).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A small tensor of any type, as floats.
    fn floats(&mut self, name: &str, shape: &[u64]) -> Result<Vec<f32>, EngineError> {
        let info = self.tensor(name, shape)?;
        let bytes = self.file.bytes(info)?;
        // The shape is the file's own, whose bytes are there: it cannot be absurd.
        let mut out = vec![0.0; info.n_elements() as usize];
        dequantize_row(info.dtype, &bytes, &mut out)
            .expect("modelfile checks a tensor's bytes against its shape");
        Ok(out)
    }

    /// `{name}.weight`, a matrix of `(n_cols, n_rows)`, packed.
    fn matrix(
        &mut self,
        name: &str,
        shape: (usize, usize),
        rows: Rows,
    ) -> Result<Matrix, EngineError> {
        let (info, bytes) = self.weight(name, shape)?;
        let bias = self.bias_if(rows.bias, name, shape.1)?;
        let packed = self.pack(info, shape, (&bytes, 0..bytes.len()), bias, rows);
        self.release(&bytes);
        packed
    }

    /// Gives back the memory of what was packed.
    fn release(&self, bytes: &TensorBytes) {
        if !self.in_place {
            bytes.release();
        }
    }

    fn weight(
        &mut self,
        name: &str,
        shape: (usize, usize),
    ) -> Result<(&'a TensorInfo, TensorBytes), EngineError> {
        let info = self.tensor(&format!("{name}.weight"), &[shape.0 as u64, shape.1 as u64])?;
        Ok((info, self.file.bytes(info)?))
    }

    /// Packs a range of `bytes`, rows of the tensor `info`; or only notes where they are. A bias is
    /// in the order of the file's rows.
    fn pack(
        &mut self,
        info: &TensorInfo,
        (n_cols, n_rows): (usize, usize),
        (bytes, range): (&TensorBytes, Range<usize>),
        bias: Option<Vec<f32>>,
        rows: Rows,
    ) -> Result<Matrix, EngineError> {
        let order =
            |row: usize| rows.reorder.map_or(row, |(head, rope)| half_style_row(row, head, rope));
        let bias = bias.map(|bias| (0..n_rows).map(|row| bias[order(row)]).collect());
        let matrix = if self.in_place {
            let order: Option<&dyn Fn(usize) -> usize> =
                if rows.reorder.is_some() { Some(&order) } else { None };
            Matrix::in_place(
                self.kernels,
                info.dtype,
                (n_rows, n_cols),
                Arc::new(bytes.clone()),
                range,
                order,
            )
        } else {
            Matrix::pack(
                self.team,
                self.kernels,
                self.arena,
                info.dtype,
                (n_rows, n_cols),
                &bytes[range],
                &order,
            )
        };
        matrix.map(|matrix| matrix.with_bias(bias)).map_err(|source| EngineError::Pack {
            file: self.file.path().display().to_string(),
            name: info.name.clone(),
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
            return Err(EngineError::TensorShape {
                file: file(),
                name: name.to_string(),
                expected,
                found,
            });
        }
        self.used.insert(name.to_string());
        Ok(info)
    }
}

/// Which row of an interleaved file becomes `row` of a half-style matrix: pair `i` of a head,
/// stored at `2i` and `2i + 1`, goes to `i` and `i + rope_dim / 2`; elements beyond `rope_dim`
/// stay.
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
