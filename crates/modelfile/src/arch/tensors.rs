//! The tensors of a model, from its configuration alone.
//!
//! Their order is that of synthetic files. Shapes are ggml's: the length of a row first.

use super::{ModelConfig, NormKind, NormPlacement, Part, QkNorm, Role, TensorName};

/// A tensor that a model has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Which one.
    pub name: TensorName,
    /// Its shape.
    pub dims: Vec<u64>,
    /// A model is whole without it.
    pub optional: bool,
}

impl TensorSpec {
    /// What kind of thing it is.
    pub fn role(&self) -> Role {
        self.name.role()
    }
}

/// Tensors of one place as they are collected. Products of two sizes: for configurations whose
/// sizes were checked.
struct List {
    layer: Option<usize>,
    specs: Vec<TensorSpec>,
}

impl List {
    fn add(&mut self, part: Part, dims: &[usize], bias: bool, optional: bool) {
        let name = TensorName { layer: self.layer, part, bias };
        let dims = dims.iter().map(|&dim| dim as u64).collect();
        self.specs.push(TensorSpec { name, dims, optional });
    }

    /// A matrix from `n_cols` elements to `n_rows`, and its bias where it has one.
    fn matrix(&mut self, part: Part, n_cols: usize, n_rows: usize, bias: bool) {
        self.add(part, &[n_cols, n_rows], false, false);
        if bias {
            self.add(part, &[n_rows], true, false);
        }
    }

    /// A norm over `len` elements; those in the middle of a layer never have biases.
    fn norm(&mut self, part: Part, len: usize, kind: NormKind) {
        self.add(part, &[len], false, false);
        if kind == NormKind::Layer {
            self.add(part, &[len], true, false);
        }
    }
}

impl ModelConfig {
    /// Every tensor of the model, those outside layers first.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let layers = (0..self.layers.len()).flat_map(|layer| self.layer_tensors(layer));
        self.outer_tensors().into_iter().chain(layers).collect()
    }

    /// The tensors outside layers.
    pub fn outer_tensors(&self) -> Vec<TensorSpec> {
        let mut list = List { layer: None, specs: Vec::new() };
        list.add(Part::Embedding, &[self.n_embd, self.n_vocab], false, false);
        list.add(Part::OutputNorm, &[self.n_embd], false, false);
        list.add(Part::Output, &[self.n_embd, self.n_vocab], false, true);
        // Written for models whose layers rotate alike: of others it does not say which layers it
        // is for.
        let mut rotating = self.layers.iter().filter(|layer| layer.rotates);
        if let Some(first) = rotating.next()
            && rotating.all(|layer| layer.rotates_like(first))
        {
            list.add(Part::RopeFactors, &[self.rope_dim / 2], false, true);
        }
        if self.learned_positions {
            list.add(Part::Positions, &[self.n_embd, self.n_ctx_train], false, false);
        }
        if self.norm == NormKind::Layer {
            list.add(Part::OutputNorm, &[self.n_embd], true, false);
        }
        list.specs
    }

    /// The tensors of one layer.
    pub fn layer_tensors(&self, layer: usize) -> Vec<TensorSpec> {
        let (d, q_width, kv_width) =
            (self.n_embd, self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim);
        let before = self.placement != NormPlacement::Post;
        let after = self.placement != NormPlacement::Pre;
        let mut list = List { layer: Some(layer), specs: Vec::new() };
        if before {
            list.norm(Part::AttnNorm, d, self.norm);
        }
        if self.fused_qkv {
            list.matrix(Part::Qkv, d, q_width + 2 * kv_width, self.qkv_bias);
        } else {
            list.matrix(Part::Q, d, q_width, self.qkv_bias);
            list.matrix(Part::K, d, kv_width, self.qkv_bias);
            list.matrix(Part::V, d, kv_width, self.qkv_bias);
        }
        list.matrix(Part::AttnOutput, q_width, d, self.output_bias);
        if let Some([q, k]) = match self.qk_norm {
            QkNorm::None => None,
            QkNorm::Head => Some([self.head_dim; 2]),
            QkNorm::Whole => Some([q_width, kv_width]),
        } {
            list.norm(Part::QNorm, q, NormKind::Rms);
            list.norm(Part::KNorm, k, NormKind::Rms);
        }
        if after {
            list.norm(Part::AttnPostNorm, d, NormKind::Rms);
            list.norm(Part::FfnPostNorm, d, NormKind::Rms);
        }
        if before {
            list.norm(Part::FfnNorm, d, self.norm);
        }
        if self.ffn.is_gated() {
            list.matrix(Part::Gate, d, self.n_ff, self.output_bias);
        }
        list.matrix(Part::Up, d, self.n_ff, self.output_bias);
        list.matrix(Part::Down, self.n_ff, d, self.output_bias);
        list.specs
    }
}
