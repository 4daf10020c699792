//! `llama`: Llama 1–3, TinyLlama, SmolLM2, OpenLLaMA.

use super::{Family, How, Keys, Rule, Shape, expect_activation, expect_bool, head_dim, kv_heads, rope, rule};
use crate::Result;
use crate::hf::json::Node;

pub(crate) const LLAMA: Family = Family {
    model_type: "llama",
    architecture: "llama",
    describe: |config, keys| {
        expect_bool(config, "attention_bias", false, false)?;
        expect_bool(config, "mlp_bias", false, false)?;
        expect_activation(config, "hidden_act", "silu", &["silu"])?;
        let shape = describe(config, keys, None, 10_000.0)?;
        keys.size("rope.dimension_count", shape.head_dim);
        Ok(shape)
    },
    prefix: "",
    layers: "model.layers.",
    outside: OUTSIDE,
    inside: &[
        rule("input_layernorm", "attn_norm", How::AsIs),
        rule("self_attn.q_proj", "attn_q", How::Interleave),
        rule("self_attn.k_proj", "attn_k", How::Interleave),
        rule("self_attn.v_proj", "attn_v", How::AsIs),
        rule("self_attn.o_proj", "attn_output", How::AsIs),
        rule("post_attention_layernorm", "ffn_norm", How::AsIs),
        rule("mlp.gate_proj", "ffn_gate", How::AsIs),
        rule("mlp.up_proj", "ffn_up", How::AsIs),
        rule("mlp.down_proj", "ffn_down", How::AsIs),
    ],
    buffers: &["self_attn.rotary_emb.inv_freq"],
    tied: false,
};

/// Embedding, last norm and output of llama and those after it.
pub(super) const OUTSIDE: &[Rule] = &[
    rule("model.embed_tokens", "token_embd", How::AsIs),
    rule("model.norm", "output_norm", How::AsIs),
    rule("lm_head", "output", How::AsIs),
];

/// The keys of llama and of those that keep its configuration; `default_head_dim` and `theta` where the file does not say.
pub(super) fn describe(
    config: &Node<'_>,
    keys: &mut Keys<'_>,
    default_head_dim: Option<u32>,
    theta: f32,
) -> Result<Shape> {
    let (n_layers, n_embd) = (config.size("num_hidden_layers")?, config.size("hidden_size")?);
    let n_heads = config.size("num_attention_heads")?;
    let said = config.opt_size("head_dim")?.or(default_head_dim);
    let head_dim = head_dim(config, ("hidden_size", n_embd), ("num_attention_heads", n_heads), said)?;
    keys.size("block_count", n_layers);
    keys.size("context_length", config.size("max_position_embeddings")?);
    keys.size("embedding_length", n_embd);
    keys.size("feed_forward_length", config.size("intermediate_size")?);
    keys.size("attention.head_count", n_heads);
    keys.size("attention.head_count_kv", kv_heads(config, n_heads)?);
    keys.size("attention.key_length", head_dim);
    keys.size("attention.value_length", head_dim);
    keys.float("attention.layer_norm_rms_epsilon", config.f32("rms_norm_eps")?);
    let rope = rope::rope(config, "full_attention", "rope_theta")?;
    let theta = rope.theta.unwrap_or(theta);
    keys.float("rope.freq_base", theta);
    let rope_factors = rope.scaling(keys, theta, head_dim)?;
    Ok(Shape { n_layers, n_heads, head_dim, rope_factors })
}
