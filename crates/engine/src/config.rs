//! What a model is, as features: everything that the decoder asks about a model is a field here.

use pacemark_kernels::{KV_BLOCK, KvTypes};

/// A model's dimensions and features. Shapes are `[slow, fast]`, as in the rest of the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// `general.architecture`.
    pub architecture: &'static str,
    /// Elements of the residual stream.
    pub n_embd: usize,
    /// Hidden elements of the feed-forward block.
    pub n_ff: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Tokens in the vocabulary: rows of the embedding.
    pub n_vocab: usize,
    /// Context the model was trained for.
    pub n_ctx_train: usize,
    /// What a norm computes.
    pub norm: NormKind,
    /// Added to the mean square or the variance in norms.
    pub norm_eps: f32,
    /// Where norms stand.
    pub placement: NormPlacement,
    /// Attention and feed-forward block both read the stream as it enters the layer, and both add
    /// to it (gptneox).
    pub parallel_residual: bool,
    /// The file stores Q, K and V as one matrix, in this order; the loader takes it apart.
    pub fused_qkv: bool,
    /// Q, K and V have biases (qwen2, gpt2, gptneox).
    pub qkv_bias: bool,
    /// The matrices after attention and of the feed-forward block have biases (gpt2, gptneox).
    pub output_bias: bool,
    /// A learned vector for each of `n_ctx_train` positions is added to the embedding (gpt2); there
    /// are no others.
    pub learned_positions: bool,
    /// RMS norm of every query and key head before RoPE (gemma3, qwen3).
    pub qk_norm: bool,
    /// The feed-forward block.
    pub ffn: Ffn,
    /// How the file pairs the elements that RoPE rotates; the loader reorders rows so that the
    /// decoder sees `Half` only.
    pub rope_style: RopeStyle,
    /// Rotated elements of a head, its first ones; 0 where positions are not rotated in.
    pub rope_dim: usize,
    /// Multiplies embeddings.
    pub embed_scale: f32,
    /// Multiplies queries.
    pub attn_scale: f32,
    /// Logits are `cap * tanh(logit / cap)` (gemma2's; gemma3 where the file says so).
    pub logit_softcap: Option<f32>,
    /// One entry a layer.
    pub layers: Vec<LayerKind>,
}

/// What differs from layer to layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerKind {
    /// Positions a token sees, itself included; `None` for all.
    pub window: Option<usize>,
    /// Base of the rotation frequencies.
    pub rope_theta: f32,
    /// Divides positions (linear scaling).
    pub rope_factor: f32,
}

impl LayerKind {
    /// Whether positions are rotated in by the same angles.
    pub(crate) fn rotates_like(&self, other: &LayerKind) -> bool {
        (self.rope_theta, self.rope_factor) == (other.rope_theta, other.rope_factor)
    }
}

/// What a norm computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// Division by the root of the mean square, and a weight.
    Rms,
    /// The distance from the mean divided by the standard deviation, a weight and a bias.
    Layer,
}

/// Where the norms of a layer stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormPlacement {
    /// Before attention and before the feed-forward block (llama, qwen).
    Pre,
    /// Before and after each (gemma2, gemma3).
    Sandwich,
}

/// The feed-forward block: how `up` and, where there is one, `gate` become what `down` multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ffn {
    /// `silu(gate) * up`, where `silu(x) = x / (1 + e^-x)` (llama, qwen).
    GatedSilu,
    /// `gelu(gate) * up` by the tanh form of GELU (gemma).
    GatedGeluTanh,
    /// `gelu(up)` by its tanh form (gpt2).
    GeluTanh,
    /// `gelu(up)` by the error function (gptneox).
    GeluErf,
}

impl Ffn {
    /// Whether it has a gate matrix.
    pub fn is_gated(self) -> bool {
        matches!(self, Ffn::GatedSilu | Ffn::GatedGeluTanh)
    }
}

/// Which elements of a head RoPE rotates together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeStyle {
    /// `(2i, 2i + 1)`: GGUF files of llama.
    Interleaved,
    /// `(i, i + rope_dim / 2)`: Hugging Face's rotate-half, GGUF files of gemma and qwen.
    Half,
}

impl ModelConfig {
    /// KV bytes of one token over all layers.
    pub fn kv_bytes_per_token(&self, types: KvTypes) -> u64 {
        let head =
            [types.k(), types.v()].map(|kv_type| kv_type.page_bytes(self.head_dim) / KV_BLOCK);
        (self.layers.len() * self.n_kv_heads * (head[0] + head[1])) as u64
    }
}
