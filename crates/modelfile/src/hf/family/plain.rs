//! The configuration and the names that llama's family and most after it share.

use super::{HfShape, How, Rule, head_dim, kv_heads, rope, rule};
use crate::Result;
use crate::arch::{NewKeys, Part};
use crate::hf::json::Node;

/// The names of SiLU in transformers' table of activations.
pub(crate) const SILU: &[&str] = &["silu", "swish"];

/// Embedding, last norm and output of llama and those after it.
pub(super) const OUTSIDE: &[Rule] = &[
    rule("model.embed_tokens", Part::Embedding, How::AsIs),
    rule("model.norm", Part::OutputNorm, How::AsIs),
    rule("lm_head", Part::Output, How::AsIs),
];

/// Names within a layer; which of biases and norms a model has is for the engine to check.
pub(super) const INSIDE: &[Rule] = &[
    rule("input_layernorm", Part::AttnNorm, How::AsIs),
    rule("self_attn.q_proj", Part::Q, How::AsIs),
    rule("self_attn.k_proj", Part::K, How::AsIs),
    rule("self_attn.v_proj", Part::V, How::AsIs),
    rule("self_attn.o_proj", Part::AttnOutput, How::AsIs),
    rule("self_attn.q_norm", Part::QNorm, How::AsIs),
    rule("self_attn.k_norm", Part::KNorm, How::AsIs),
    rule("post_attention_layernorm", Part::FfnNorm, How::AsIs),
    rule("mlp.gate_proj", Part::Gate, How::AsIs),
    rule("mlp.up_proj", Part::Up, How::AsIs),
    rule("mlp.down_proj", Part::Down, How::AsIs),
];

/// What a configuration's class fills in where the file does not say; the tensors must agree.
pub(crate) struct Widths {
    pub hidden: u32,
    pub intermediate: u32,
    pub layers: u32,
    pub heads: u32,
    /// `None` for as many as there are query heads.
    pub kv_heads: Option<u32>,
    pub context: u32,
    /// Of the norms.
    pub eps: f32,
}

/// The keys of llama and of those that keep its configuration and one rotation for all layers.
pub(crate) fn describe(
    config: &Node<'_>,
    keys: &mut NewKeys<'_>,
    widths: &Widths,
    default_head_dim: Option<u32>,
    default_theta: f32,
) -> Result<HfShape> {
    let rope = rope::uniform(config, ("rope_theta", default_theta), "partial_rotary_factor")?;
    rope.expect_whole(config)?;
    let shape = dimensions(config, keys, widths, default_head_dim)?;
    keys.float("rope.freq_base", rope.theta);
    let rope_factors = rope.scaling(config, keys, (shape.head_dim, shape.n_ctx))?;
    Ok(HfShape { rope_factors, ..shape })
}

/// The sizes of llama's configuration, without the rotation.
pub(crate) fn dimensions(
    config: &Node<'_>,
    keys: &mut NewKeys<'_>,
    widths: &Widths,
    default_head_dim: Option<u32>,
) -> Result<HfShape> {
    let n_layers = config.size_or("num_hidden_layers", widths.layers)?;
    let n_embd = config.size_or("hidden_size", widths.hidden)?;
    let n_heads = config.size_or("num_attention_heads", widths.heads)?;
    let n_ctx = config.size_or("max_position_embeddings", widths.context)?;
    let said = config.opt_size("head_dim")?.or(default_head_dim);
    let head_dim =
        head_dim(config, ("hidden_size", n_embd), ("num_attention_heads", n_heads), said)?;
    keys.size("block_count", n_layers);
    keys.size("context_length", n_ctx);
    keys.size("embedding_length", n_embd);
    keys.size("feed_forward_length", config.size_or("intermediate_size", widths.intermediate)?);
    keys.size("attention.head_count", n_heads);
    keys.size("attention.head_count_kv", kv_heads(config, n_heads, widths.kv_heads)?);
    keys.size("attention.key_length", head_dim);
    keys.size("attention.value_length", head_dim);
    keys.float("attention.layer_norm_rms_epsilon", config.f32_or("rms_norm_eps", widths.eps)?);
    Ok(HfShape { n_layers, n_heads, head_dim, n_ctx, rope_factors: None })
}
