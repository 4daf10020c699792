//! `gpt_neox`: GPT-NeoX and Pythia.

use super::attributes::expect_none;
use super::{
    Family, How, Shape, expect_activation, expect_bool, expect_layers, head_dim, rope, rule,
};
use crate::Value;

pub(crate) const GPTNEOX: Family = Family {
    model_type: "gpt_neox",
    architecture: "gptneox",
    describe: |config, keys| {
        expect_bool(config, "attention_bias", true, true)?;
        expect_none(
            config,
            &["sliding_window", "attn_logit_softcapping", "final_logit_softcapping"],
        )?;
        expect_layers(config, "full_attention")?;
        let known = ["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"];
        let activation = expect_activation(config, "hidden_act", "gelu", &known)?;
        let (n_embd, n_heads) =
            (config.size_or("hidden_size", 6144)?, config.size_or("num_attention_heads", 64)?);
        let n_layers = config.size_or("num_hidden_layers", 44)?;
        let n_ctx = config.size_or("max_position_embeddings", 2048)?;
        let head_dim =
            head_dim(config, ("hidden_size", n_embd), ("num_attention_heads", n_heads), None)?;
        if config.opt_size("head_dim")?.is_some_and(|said| said != head_dim) {
            return Err(
                config.wrong("head_dim", format!("{head_dim}, as the heads share hidden_size"))
            );
        }
        keys.size("block_count", n_layers);
        keys.size("context_length", n_ctx);
        keys.size("embedding_length", n_embd);
        keys.size("feed_forward_length", config.size_or("intermediate_size", 24576)?);
        keys.size("attention.head_count", n_heads);
        keys.float("attention.layer_norm_epsilon", config.f32_or("layer_norm_eps", 1e-5)?);
        keys.set(
            "use_parallel_residual",
            Value::Bool(config.opt_bool("use_parallel_residual")?.unwrap_or(true)),
        );
        keys.set("hidden_activation", Value::String(activation.into()));
        let rope = rope::uniform(config, ("rotary_emb_base", 10_000.0), "rotary_pct")?;
        for (other, own) in
            [("rope_theta", "rotary_emb_base"), ("partial_rotary_factor", "rotary_pct")]
        {
            if config.get(other).is_some() {
                return Err(
                    config.wrong(other, format!("{own}, or {other} within rope_parameters"))
                );
            }
        }
        keys.float("rope.freq_base", rope.theta);
        let rotated = (f64::from(head_dim) * rope.partial.unwrap_or(0.25)) as u32;
        keys.size("rope.dimension_count", rotated);
        let rope_factors = rope.scaling(config, keys, (rotated, n_ctx))?;
        Ok(Shape { n_layers, n_heads, head_dim, n_ctx, rope_factors })
    },
    prefix: "",
    layers: "gpt_neox.layers.",
    outside: &[
        rule("gpt_neox.embed_in", "token_embd", How::AsIs),
        rule("gpt_neox.final_layer_norm", "output_norm", How::AsIs),
        rule("embed_out", "output", How::AsIs),
        rule("lm_head", "output", How::AsIs), // since transformers 5
    ],
    inside: &[
        rule("input_layernorm", "attn_norm", How::AsIs),
        rule("attention.query_key_value", "attn_qkv", How::SplitHeads),
        rule("attention.dense", "attn_output", How::AsIs),
        rule("post_attention_layernorm", "ffn_norm", How::AsIs),
        rule("mlp.dense_h_to_4h", "ffn_up", How::AsIs),
        rule("mlp.dense_4h_to_h", "ffn_down", How::AsIs),
    ],
    buffers: &["attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"],
    tied: false,
    aliases: &[],
    harmless: &[
        "classifier_dropout",
        "hidden_dropout",
        "is_decoder", // asks for a warning only
    ],
};
