//! `gemma3_text`: the models of Gemma 3 that only read text (270M, 1B).

use super::attributes::expect_none;
use super::llama::{Widths, dimensions};
use super::{Family, How, Keys, expect_activation, expect_bool, rope, rule};
use crate::hf::json::{Node, describe};
use crate::{Result, Value};

pub(crate) const GEMMA3: Family = Family {
    model_type: "gemma3_text",
    architecture: "gemma3",
    describe: |config, keys| {
        expect_bool(config, "attention_bias", false, false)?;
        expect_bool(config, "use_bidirectional_attention", false, false)?;
        let tanh = "gelu_pytorch_tanh";
        expect_activation(config, "hidden_activation", tanh, &[tanh])?;
        expect_none(config, &["attn_logit_softcapping", "text_config", "vision_config"])?;
        let widths = Widths {
            hidden: 2304,
            intermediate: 9216,
            layers: 26,
            heads: 8,
            kv_heads: Some(4),
            context: 131_072,
        };
        let shape = dimensions(config, keys, &widths, Some(256))?;
        let scalar = opt_positive(config, "query_pre_attn_scalar")?.unwrap_or(256.0);
        keys.float("attention.scale", 1.0 / scalar.sqrt());
        if let Some(cap) = opt_positive(config, "final_logit_softcapping")? {
            keys.float("final_logit_softcapping", cap);
        }
        let [global, local] = rope::global_and_local(config)?;
        global.expect_whole(config)?;
        local.expect_whole(config)?;
        keys.float("rope.freq_base", global.theta);
        keys.float("rope.freq_base_swa", local.theta);
        if let Some(factor) = global.linear_factor()? {
            keys.set("rope.scaling.type", Value::String("linear".into()));
            keys.float("rope.scaling.factor", factor);
        }
        if let Some(factor) = local.linear_factor()? {
            keys.float("rope.scaling.factor_swa", factor); // ours: llama.cpp's files have no such key
        }
        windows(config, keys, shape.n_layers)?;
        Ok(shape)
    },
    prefix: "",
    layers: "model.layers.",
    outside: &[
        rule("model.embed_tokens", "token_embd", How::AsIs),
        rule("model.norm", "output_norm", How::AddOne),
        rule("lm_head", "output", How::AsIs),
    ],
    inside: &[
        rule("input_layernorm", "attn_norm", How::AddOne),
        rule("self_attn.q_proj", "attn_q", How::AsIs),
        rule("self_attn.k_proj", "attn_k", How::AsIs),
        rule("self_attn.v_proj", "attn_v", How::AsIs),
        rule("self_attn.o_proj", "attn_output", How::AsIs),
        rule("self_attn.q_norm", "attn_q_norm", How::AddOne),
        rule("self_attn.k_norm", "attn_k_norm", How::AddOne),
        rule("post_attention_layernorm", "post_attention_norm", How::AddOne),
        rule("pre_feedforward_layernorm", "ffn_norm", How::AddOne),
        rule("post_feedforward_layernorm", "post_ffw_norm", How::AddOne),
        rule("mlp.gate_proj", "ffn_gate", How::AsIs),
        rule("mlp.up_proj", "ffn_up", How::AsIs),
        rule("mlp.down_proj", "ffn_down", How::AsIs),
    ],
    buffers: &[],
    tied: true,
    aliases: &[],
    harmless: &["image_token_id", "mm_tokens_per_image"], // of the models that see
};

/// A number above 0 that may be absent.
fn opt_positive(config: &Node<'_>, field: &str) -> Result<Option<f32>> {
    match config.opt_f32(field)? {
        Some(value) if value <= 0.0 => Err(config.wrong(field, "a number above 0")),
        value => Ok(value),
    }
}

/// Which layers have a sliding window, and how wide it is.
fn windows(config: &Node<'_>, keys: &mut Keys<'_>, n_layers: u32) -> Result<()> {
    if config.is_null("sliding_window") {
        return Err(config.wrong("sliding_window", "a number of positions"));
    }
    keys.size("attention.sliding_window", config.size_or("sliding_window", 4096)?);
    let every = config.size_or("sliding_window_pattern", 6)?;
    let Some(types) = config.opt_array("layer_types")? else {
        // Written by transformers 4.5x beside layer_types, and not read without them.
        if config.opt_size("_sliding_window_pattern")?.is_some_and(|other| other != every) {
            return Err(config
                .wrong("_sliding_window_pattern", format!("{every}, or layer_types beside it")));
        }
        keys.size("attention.sliding_window_pattern", every);
        return Ok(());
    };
    if types.len() as u64 != u64::from(n_layers) {
        return Err(
            config.wrong("layer_types", format!("an array of num_hidden_layers = {n_layers}"))
        );
    }
    let is_local = |value: &serde_json::Value| match value.as_str() {
        Some("sliding_attention") => Ok(true),
        Some("full_attention") => Ok(false),
        _ => Err(config.invalid(
            "layer_types",
            "sliding_attention or full_attention",
            describe(value),
        )),
    };
    let local = types.iter().map(is_local).collect::<Result<Vec<bool>>>()?;
    keys.set("attention.sliding_window_pattern", Value::Bools(local));
    Ok(())
}
