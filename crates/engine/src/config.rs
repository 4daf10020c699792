//! What a model is, as features: everything that the decoder asks about a model is a field here.

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
    /// Added to the mean square in RMS norms.
    pub norm_eps: f32,
    /// Where norms stand.
    pub placement: NormPlacement,
    /// RMS norm of every query and key head before RoPE (gemma3, qwen3).
    pub qk_norm: bool,
    /// The activation of `activation(gate) * up`.
    pub activation: GatedActivation,
    /// How the file pairs the elements that RoPE rotates; the loader reorders rows so that the decoder sees `Half` only.
    pub rope_style: RopeStyle,
    /// Rotated elements of a head.
    pub rope_dim: usize,
    /// Multiplies embeddings.
    pub embed_scale: f32,
    /// Multiplies queries.
    pub attn_scale: f32,
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

/// Where the norms of a layer stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormPlacement {
    /// Before attention and before the feed-forward block (llama, qwen).
    Pre,
    /// Before and after each (gemma2, gemma3).
    Sandwich,
}

/// The nonlinearity of the gated feed-forward block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatedActivation {
    /// `x / (1 + e^-x)`.
    Silu,
    /// The tanh form of GELU.
    GeluTanh,
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
    /// KV bytes of one token over all layers, at two bytes an element.
    pub fn kv_bytes_per_token(&self) -> u64 {
        (self.layers.len() * self.n_kv_heads * self.head_dim * 2 * 2) as u64
    }
}
