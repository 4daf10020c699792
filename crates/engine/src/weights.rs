//! The weights of a model, checked against its description and packed for the kernels.
//!
//! Which tensors there are, and of which shape, is [`ModelConfig::tensors`]. File quirks end here: rows of Q and K are reordered so that the decoder knows one style of RoPE,
//! tied embeddings become an output matrix like any other, and a tensor that the configuration does
//! not account for is an error.

use crate::{ArchError, EngineError, ModelConfig, RopeStyle, TokenId};
use pacemark_kernels::{Arena, KernelSet, Matrix, Team};
use pacemark_modelfile::arch::{Part, TensorSpec};
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
    /// Whether logits are worth activations in two terms ([`pacemark_kernels::Activations`]): where
    /// the output matrix takes them and is the lesser part of the weights. Where it is the greater
    /// (gemma-3-270m), batches of eight lose a sixth.
    pub fine_logits: bool,
    /// `[rope_dim / 2]`
    pub rope_factors: Option<Vec<f32>>,
}

/// A norm's learned part.
pub(crate) struct Norm {
    /// As long as what is normalized.
    pub weight: Vec<f32>,
    /// Where the norm is a [`crate::NormKind::Layer`]; as long.
    pub bias: Option<Vec<f32>>,
}

/// One layer. Matrices are `[out, in]` and carry their biases. What a model does not have is
/// `None`.
pub(crate) struct Layer {
    pub attn_norm: Option<Norm>,
    pub wq: Matrix,
    pub wk: Matrix,
    pub wv: Matrix,
    pub wo: Matrix,
    /// Of a head or of all heads of a token, by [`ModelConfig::qk_norm`].
    pub q_norm: Option<Norm>,
    pub k_norm: Option<Norm>,
    pub attn_post_norm: Option<Norm>,
    pub ffn_norm: Option<Norm>,
    pub gate: Option<Matrix>,
    pub up: Matrix,
    pub down: Matrix,
    pub ffn_post_norm: Option<Norm>,
}

impl Layer {
    /// Bytes of its matrices.
    fn bytes(&self) -> usize {
        let Layer { wq, wk, wv, wo, up, down, gate, .. } = self;
        let gate = gate.as_ref().map_or(0, Matrix::bytes);
        [wq, wk, wv, wo, up, down].into_iter().map(Matrix::bytes).sum::<usize>() + gate
    }
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

/// Reads and packs tensors.
pub(crate) struct Loader<'a> {
    pub file: &'a ModelFile,
    pub config: &'a ModelConfig,
    pub team: &'a Team,
    pub kernels: &'static KernelSet,
    pub arena: &'a mut Arena,
    /// Matrices are left where the file has them ([`Matrix::in_place`]).
    pub in_place: bool,
}

/// The tensors of one place: outside layers, or in one.
struct Place(Vec<TensorSpec>);

impl Place {
    fn find(&self, part: Part, bias: bool) -> Option<&TensorSpec> {
        self.0.iter().find(|spec| spec.name.part == part && spec.name.bias == bias)
    }

    /// The weight of a part that every model has.
    fn weight(&self, part: Part) -> &TensorSpec {
        self.find(part, false).expect("the part is in every model's list of tensors")
    }
}

/// Which row of a file becomes a row of a matrix.
#[derive(Clone, Copy)]
enum Rows {
    AsTheyAre,
    /// (head_dim, rope_dim) of rows for interleaved RoPE.
    Interleaved(usize, usize),
}

impl Rows {
    fn order(self) -> Option<impl Fn(usize) -> usize + Copy + Sync> {
        match self {
            Rows::AsTheyAre => None,
            Rows::Interleaved(head, rope) => Some(move |row| half_style_row(row, head, rope)),
        }
    }
}

impl<'a> Loader<'a> {
    /// Everything; `progress(done, of)` is called after each layer.
    pub(crate) fn load(
        mut self,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Weights, EngineError> {
        let c = self.config;
        let outside = Place(c.outer_tensors());
        let spec = outside.weight(Part::Embedding);
        let info = self.tensor(spec)?;
        let embedding = Embedding {
            bytes: self.file.bytes(info)?,
            dtype: info.dtype,
            row_bytes: (info.n_bytes() / c.n_vocab as u64) as usize,
            scale: c.embed_scale,
        };
        let positions = self.floats_if(outside.find(Part::Positions, false))?;
        let output_norm = Norm {
            weight: self.floats(outside.weight(Part::OutputNorm))?,
            bias: self.floats_if(outside.find(Part::OutputNorm, true))?,
        };
        let rope_factors = self.floats_if(outside.find(Part::RopeFactors, false))?;
        let output = outside.find(Part::Output, false).filter(|spec| self.is_there(spec));
        let output = self.matrix(output.unwrap_or(spec), None, Rows::AsTheyAre)?;
        let mut layers = Vec::with_capacity(c.layers.len());
        for i in 0..c.layers.len() {
            layers.push(self.layer(&Place(c.layer_tensors(i)))?);
            progress(i + 1, c.layers.len());
        }
        self.expect_all_known()?;
        let in_layers: usize = layers.iter().map(Layer::bytes).sum();
        let fine_logits = output.takes_two_terms() && output.bytes() < in_layers;
        Ok(Weights { embedding, positions, layers, output_norm, output, fine_logits, rope_factors })
    }

    /// That the file holds no tensor that the model does not have.
    fn expect_all_known(&self) -> Result<(), EngineError> {
        let known: HashSet<String> =
            self.config.tensors().iter().map(|spec| spec.name.to_string()).collect();
        match self.file.tensors().iter().find(|info| !known.contains(&info.name)) {
            Some(unknown) => Err(ArchError::UnknownTensor {
                file: self.file.path().display().to_string(),
                name: unknown.name.clone(),
                architecture: self.config.architecture.to_string(),
            }
            .into()),
            None => Ok(()),
        }
    }

    fn layer(&mut self, place: &Place) -> Result<Layer, EngineError> {
        let [wq, wk, wv] = self.qkv(place)?;
        Ok(Layer {
            attn_norm: self.norm(place, Part::AttnNorm)?,
            wq,
            wk,
            wv,
            wo: self.part(place, Part::AttnOutput, Rows::AsTheyAre)?,
            q_norm: self.norm(place, Part::QNorm)?,
            k_norm: self.norm(place, Part::KNorm)?,
            attn_post_norm: self.norm(place, Part::AttnPostNorm)?,
            ffn_norm: self.norm(place, Part::FfnNorm)?,
            gate: match place.find(Part::Gate, false) {
                Some(_) => Some(self.part(place, Part::Gate, Rows::AsTheyAre)?),
                None => None,
            },
            up: self.part(place, Part::Up, Rows::AsTheyAre)?,
            down: self.part(place, Part::Down, Rows::AsTheyAre)?,
            ffn_post_norm: self.norm(place, Part::FfnPostNorm)?,
        })
    }

    /// The matrices that make queries, keys and values.
    fn qkv(&mut self, place: &Place) -> Result<[Matrix; 3], EngineError> {
        let c = self.config;
        let rows = match c.rope_style {
            RopeStyle::Half => Rows::AsTheyAre,
            RopeStyle::Interleaved => Rows::Interleaved(c.head_dim, c.rope_dim),
        };
        let Some(spec) = place.find(Part::Qkv, false) else {
            return Ok([
                self.part(place, Part::Q, rows)?,
                self.part(place, Part::K, rows)?,
                self.part(place, Part::V, Rows::AsTheyAre)?,
            ]);
        };
        let info = self.tensor(spec)?;
        let bytes = self.file.bytes(info)?;
        let bias = self.floats_if(place.find(Part::Qkv, true))?;
        let (q_width, kv_width) = (c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
        let all = q_width + 2 * kv_width;
        let row_bytes = bytes.len() / all;
        let mut part = |range: Range<usize>, rows| {
            let bias = bias.as_ref().map(|bias| bias[range.clone()].to_vec());
            let bytes_of = range.start * row_bytes..range.end * row_bytes;
            self.pack(info, (c.n_embd, range.len()), (&bytes, bytes_of), bias, rows)
        };
        let parts = [
            part(0..q_width, rows)?,
            part(q_width..q_width + kv_width, rows)?,
            part(q_width + kv_width..all, Rows::AsTheyAre)?,
        ];
        self.release(&bytes);
        Ok(parts)
    }

    /// A norm, where the model has it.
    fn norm(&mut self, place: &Place, part: Part) -> Result<Option<Norm>, EngineError> {
        let Some(weight) = place.find(part, false) else { return Ok(None) };
        let weight = self.floats(weight)?;
        Ok(Some(Norm { weight, bias: self.floats_if(place.find(part, true))? }))
    }

    fn is_there(&self, spec: &TensorSpec) -> bool {
        self.file.tensor(&spec.name.to_string()).is_some()
    }

    /// The floats of a tensor, where the model has it; of an optional one, where the file has it.
    fn floats_if(&mut self, spec: Option<&TensorSpec>) -> Result<Option<Vec<f32>>, EngineError> {
        let wanted = spec.filter(|spec| !spec.optional || self.is_there(spec));
        wanted.map(|spec| self.floats(spec)).transpose()
    }

    /// A small tensor of any type, as floats.
    fn floats(&mut self, spec: &TensorSpec) -> Result<Vec<f32>, EngineError> {
        let info = self.tensor(spec)?;
        let bytes = self.file.bytes(info)?;
        // The shape is the file's own, whose bytes are there: it cannot be absurd.
        let mut out = vec![0.0; info.n_elements() as usize];
        dequantize_row(info.dtype, &bytes, &mut out)
            .expect("modelfile checks a tensor's bytes against its shape");
        Ok(out)
    }

    /// A matrix that every model of this kind has, with its bias.
    fn part(&mut self, place: &Place, part: Part, rows: Rows) -> Result<Matrix, EngineError> {
        self.matrix(place.weight(part), place.find(part, true), rows)
    }

    /// A matrix, packed.
    fn matrix(
        &mut self,
        spec: &TensorSpec,
        bias: Option<&TensorSpec>,
        rows: Rows,
    ) -> Result<Matrix, EngineError> {
        let info = self.tensor(spec)?;
        let bytes = self.file.bytes(info)?;
        let bias = self.floats_if(bias)?;
        let shape = (spec.dims[0] as usize, spec.dims[1] as usize);
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
        let reorder = rows.order();
        let order = |row: usize| reorder.map_or(row, |reorder| reorder(row));
        let bias = bias.map(|bias| (0..n_rows).map(|row| bias[order(row)]).collect());
        let matrix = if self.in_place {
            let order: Option<&dyn Fn(usize) -> usize> =
                if reorder.is_some() { Some(&order) } else { None };
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

    /// The tensor, of exactly this shape.
    fn tensor(&mut self, spec: &TensorSpec) -> Result<&'a TensorInfo, EngineError> {
        tensor(self.file, spec)
    }
}

/// The tensor that a specification names, of exactly its shape.
pub(crate) fn tensor<'a>(
    file: &'a ModelFile,
    spec: &TensorSpec,
) -> Result<&'a TensorInfo, EngineError> {
    let (name, expected) = (spec.name.to_string(), spec.dims.clone());
    let path = file.path().display().to_string();
    match file.tensor(&name) {
        Some(info) if info.dims == expected => Ok(info),
        Some(info) => {
            let found = info.dims.clone();
            Err(ArchError::TensorShape { file: path, name, expected, found }.into())
        }
        None => Err(ArchError::MissingTensor { file: path, name, expected }.into()),
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
