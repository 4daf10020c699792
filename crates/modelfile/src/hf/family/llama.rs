//! `llama`: Llama 1–3, TinyLlama, SmolLM2, OpenLLaMA.

use super::attributes::expect_none;
use super::{
    Family, How, Keys, Rule, Shape, expect_activation, expect_bool, expect_layers, head_dim,
    kv_heads, rope, rule,
};
use crate::Result;
use crate::hf::json::Node;

pub(crate) const LLAMA: Family = Family {
    model_type: "llama",
    architecture: "llama",
    describe: |config, keys| {
        expect_bool(config, "attention_bias", false, false)?;
        expect_bool(config, "mlp_bias", false, false)?;
        expect_none(
            config,
            &["sliding_window", "attn_logit_softcapping", "final_logit_softcapping"],
        )?;
        expect_layers(config, "full_attention")?;
        expect_activation(config, "hidden_act", "silu", SILU)?;
        let widths = Widths {
            hidden: 4096,
            intermediate: 11008,
            layers: 32,
            heads: 32,
            kv_heads: None,
            context: 2048,
        };
        let shape = describe(config, keys, &widths, None)?;
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
    aliases: &[],
    harmless: &["pretraining_tp"],
};

/// The names of SiLU in transformers' table of activations.
pub(super) const SILU: &[&str] = &["silu", "swish"];

/// Embedding, last norm and output of llama and those after it.
pub(super) const OUTSIDE: &[Rule] = &[
    rule("model.embed_tokens", "token_embd", How::AsIs),
    rule("model.norm", "output_norm", How::AsIs),
    rule("lm_head", "output", How::AsIs),
];

/// What a configuration's class fills in where the file does not say; the tensors must agree.
pub(super) struct Widths {
    pub hidden: u32,
    pub intermediate: u32,
    pub layers: u32,
    pub heads: u32,
    /// `None` for as many as there are query heads.
    pub kv_heads: Option<u32>,
    pub context: u32,
}

/// The keys of llama and of those that keep its configuration and one rotation for all layers.
pub(super) fn describe(
    config: &Node<'_>,
    keys: &mut Keys<'_>,
    widths: &Widths,
    default_head_dim: Option<u32>,
) -> Result<Shape> {
    let rope = rope::uniform(config, ("rope_theta", 10_000.0), "partial_rotary_factor")?;
    rope.expect_whole(config)?;
    let shape = dimensions(config, keys, widths, default_head_dim)?;
    keys.float("rope.freq_base", rope.theta);
    let rope_factors = rope.scaling(config, keys, (shape.head_dim, shape.n_ctx))?;
    Ok(Shape { rope_factors, ..shape })
}

/// The sizes of llama's configuration, without the rotation.
pub(super) fn dimensions(
    config: &Node<'_>,
    keys: &mut Keys<'_>,
    widths: &Widths,
    default_head_dim: Option<u32>,
) -> Result<Shape> {
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
    keys.float("attention.layer_norm_rms_epsilon", config.f32_or("rms_norm_eps", 1e-6)?);
    Ok(Shape { n_layers, n_heads, head_dim, n_ctx, rope_factors: None })
}
