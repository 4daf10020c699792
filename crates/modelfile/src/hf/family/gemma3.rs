//! `gemma3_text`: the models of Gemma 3 that only read text (270M, 1B).

use super::llama::describe;
use super::{Family, How, Keys, expect_activation, expect_bool, rope, rule};
use crate::hf::json::Node;
use crate::{Result, Value};

pub(crate) const GEMMA3: Family = Family {
    model_type: "gemma3_text",
    architecture: "gemma3",
    describe: |config, keys| {
        expect_bool(config, "attention_bias", false, false)?;
        expect_bool(config, "use_bidirectional_attention", false, false)?;
        let tanh = "gelu_pytorch_tanh";
        expect_activation(config, "hidden_activation", tanh, &[tanh])?;
        for capped in ["attn_logit_softcapping", "final_logit_softcapping"] {
            if config.get(capped).is_some() {
                return Err(config.wrong(capped, "null: caps on logits are not supported"));
            }
        }
        let shape = describe(config, keys, Some(256), 1_000_000.0)?;
        let scalar = config.opt_f32("query_pre_attn_scalar")?.unwrap_or(256.0);
        if scalar <= 0.0 {
            return Err(config.wrong("query_pre_attn_scalar", "a number above 0"));
        }
        keys.float("attention.scale", 1.0 / scalar.sqrt());
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
};

/// Which layers have a sliding window, how wide it is and what they rotate by.
fn windows(config: &Node<'_>, keys: &mut Keys<'_>, n_layers: u32) -> Result<()> {
    keys.size("attention.sliding_window", config.opt_size("sliding_window")?.unwrap_or(4096));
    let local = rope::rope(config, "sliding_attention", "rope_local_base_freq")?;
    keys.float("rope.freq_base_swa", local.theta.unwrap_or(10_000.0));
    let Some(types) = config.opt_array("layer_types")? else {
        let old = config.opt_size("_sliding_window_pattern")?;
        keys.size("attention.sliding_window_pattern", config.opt_size("sliding_window_pattern")?.or(old).unwrap_or(6));
        return Ok(());
    };
    if types.len() as u64 != u64::from(n_layers) {
        return Err(config.wrong("layer_types", format!("an array of num_hidden_layers = {n_layers}")));
    }
    let is_local = |value: &serde_json::Value| match value.as_str() {
        Some("sliding_attention") => Ok(true),
        Some("full_attention") => Ok(false),
        _ => Err(config.invalid(
            "layer_types",
            "sliding_attention or full_attention",
            super::super::json::describe(value),
        )),
    };
    let local = types.iter().map(is_local).collect::<Result<Vec<bool>>>()?;
    keys.set("attention.sliding_window_pattern", Value::Bools(local));
    Ok(())
}
