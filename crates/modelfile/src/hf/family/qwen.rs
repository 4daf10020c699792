//! `qwen2` and `qwen3`.

use super::llama::{OUTSIDE, describe};
use super::{Family, How, expect_activation, expect_bool, rule};

pub(crate) const QWEN2: Family = Family {
    model_type: "qwen2",
    architecture: "qwen2",
    describe: |config, keys| {
        expect_bool(config, "use_sliding_window", false, false)?;
        expect_activation(config, "hidden_act", "silu", &["silu"])?;
        describe(config, keys, None, 10_000.0)
    },
    prefix: "",
    layers: "model.layers.",
    outside: OUTSIDE,
    inside: INSIDE,
    buffers: &["self_attn.rotary_emb.inv_freq"],
    tied: false,
};

pub(crate) const QWEN3: Family = Family {
    model_type: "qwen3",
    architecture: "qwen3",
    describe: |config, keys| {
        expect_bool(config, "use_sliding_window", false, false)?;
        expect_bool(config, "attention_bias", false, false)?;
        expect_activation(config, "hidden_act", "silu", &["silu"])?;
        describe(config, keys, Some(128), 10_000.0)
    },
    ..QWEN2
};

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
