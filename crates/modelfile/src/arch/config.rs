//! What a model is, as features: everything that the decoder asks about a model is a field here.
//!
//! An architecture says what sets it apart: the rest is [`ModelConfig::plain`].

use super::ArchError;
use super::keys::Keys;

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
    /// RMS norms of queries and keys before RoPE.
    pub qk_norm: QkNorm,
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
    /// Whether positions are rotated in at all.
    pub rotates: bool,
}

impl LayerKind {
    /// A layer that sees everything, and rotates as the keys say.
    pub(super) fn plain(keys: &Keys<'_>) -> Result<LayerKind, ArchError> {
        Ok(LayerKind {
            window: None,
            rope_theta: keys.opt_f32("rope.freq_base")?.unwrap_or(10_000.0),
            rope_factor: keys.rope_factor()?,
            rotates: true,
        })
    }

    /// Whether positions are rotated in by the same angles.
    pub fn rotates_like(&self, other: &LayerKind) -> bool {
        let of = |layer: &LayerKind| (layer.rotates, layer.rope_theta, layer.rope_factor);
        of(self) == of(other)
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
    /// After each only.
    Post,
}

/// What of queries and keys a norm takes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkNorm {
    /// There is none.
    None,
    /// Each head (gemma3, qwen3).
    Head,
    /// All heads of a token.
    Whole,
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
    /// What most models since llama are: RMS norms before each block, attention over everything in
    /// grouped heads that are rotated whole, a block gated by SiLU, no biases.
    pub(super) fn plain(keys: &Keys<'_>) -> Result<ModelConfig, ArchError> {
        let n_embd = keys.size("embedding_length")?;
        let n_heads = keys.size("attention.head_count")?;
        let head_dim = keys.head_dim(n_embd / n_heads)?;
        let layer = LayerKind::plain(keys)?;
        let sized = ModelConfig::sized(keys, head_dim)?;
        Ok(ModelConfig {
            norm_eps: keys.f32("attention.layer_norm_rms_epsilon")?,
            rope_dim: keys.opt_size("rope.dimension_count")?.unwrap_or(head_dim),
            layers: vec![layer; n_layers(keys)?],
            ..sized
        })
    }

    /// The sizes that every model has, and of everything else what is simplest: no layers yet.
    pub(super) fn sized(keys: &Keys<'_>, head_dim: usize) -> Result<ModelConfig, ArchError> {
        let n_heads = keys.size("attention.head_count")?;
        Ok(ModelConfig {
            architecture: keys.architecture(),
            n_embd: keys.size("embedding_length")?,
            n_ff: keys.size("feed_forward_length")?,
            n_heads,
            n_kv_heads: keys.opt_size("attention.head_count_kv")?.unwrap_or(n_heads),
            head_dim,
            n_vocab: 0,
            n_ctx_train: keys.size("context_length")?,
            norm: NormKind::Rms,
            norm_eps: 0.0,
            placement: NormPlacement::Pre,
            parallel_residual: false,
            fused_qkv: false,
            qkv_bias: false,
            output_bias: false,
            learned_positions: false,
            qk_norm: QkNorm::None,
            ffn: Ffn::GatedSilu,
            rope_style: RopeStyle::Half,
            rope_dim: 0,
            embed_scale: 1.0,
            attn_scale: 1.0 / (head_dim as f32).sqrt(),
            logit_softcap: None,
            layers: Vec::new(),
        })
    }
}

/// The number of layers, cut to what may be allocated before it has been checked.
pub(super) fn n_layers(keys: &Keys<'_>) -> Result<usize, ArchError> {
    Ok(keys.size("block_count")?.min(1 << 16))
}
