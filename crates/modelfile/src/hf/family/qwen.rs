//! `qwen2` and `qwen3`.

use super::attributes::expect_none;
use super::llama::{OUTSIDE, SILU, Widths, describe};
use super::{Family, How, expect_activation, expect_bool, expect_layers, rule};
use crate::Result;
use crate::hf::json::Node;

pub(crate) const QWEN2: Family = Family {
    model_type: "qwen2",
    architecture: "qwen2",
    describe: |config, keys| {
        no_windows(config)?;
        expect_activation(config, "hidden_act", "silu", SILU)?;
        describe(config, keys, &WIDTHS, None)
    },
    prefix: "",
    layers: "model.layers.",
    outside: OUTSIDE,
    inside: INSIDE,
    buffers: &["self_attn.rotary_emb.inv_freq"],
    tied: false,
    aliases: &[],
    // Read by the class only where use_sliding_window is true.
    harmless: &["sliding_window", "max_window_layers"],
};

pub(crate) const QWEN3: Family = Family {
    model_type: "qwen3",
    architecture: "qwen3",
    describe: |config, keys| {
        no_windows(config)?;
        expect_bool(config, "attention_bias", false, false)?;
        expect_activation(config, "hidden_act", "silu", SILU)?;
        describe(config, keys, &WIDTHS, Some(128))
    },
    ..QWEN2
};

const WIDTHS: Widths = Widths {
    hidden: 4096,
    intermediate: 22016,
    layers: 32,
    heads: 32,
    kv_heads: Some(32),
    context: 32768,
};

/// That every layer sees everything, and that nothing is capped.
fn no_windows(config: &Node<'_>) -> Result<()> {
    expect_bool(config, "use_sliding_window", false, false)?;
    expect_none(config, &["attn_logit_softcapping", "final_logit_softcapping"])?;
    expect_layers(config, "full_attention")
}

/// Both generations; which of biases and head norms a model has is for the engine to check.
const INSIDE: &[super::Rule] = &[
    rule("input_layernorm", "attn_norm", How::AsIs),
    rule("self_attn.q_proj", "attn_q", How::AsIs),
    rule("self_attn.k_proj", "attn_k", How::AsIs),
    rule("self_attn.v_proj", "attn_v", How::AsIs),
    rule("self_attn.o_proj", "attn_output", How::AsIs),
    rule("self_attn.q_norm", "attn_q_norm", How::AsIs),
    rule("self_attn.k_norm", "attn_k_norm", How::AsIs),
    rule("post_attention_layernorm", "ffn_norm", How::AsIs),
    rule("mlp.gate_proj", "ffn_gate", How::AsIs),
    rule("mlp.up_proj", "ffn_up", How::AsIs),
    rule("mlp.down_proj", "ffn_down", How::AsIs),
];
