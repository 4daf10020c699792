//! `llama`: Llama 1–3, TinyLlama, SmolLM2, OpenLLaMA, Mistral-shaped models.

use super::{Arch, ModelConfig, NewKeys, Part, RopeStyle};
use crate::Result;
use crate::hf::family::{
    Family, HfShape, How, Node, Rule, SILU, Widths, describe, expect_activation, expect_bool,
    expect_layers, expect_none, rule,
};

/// Pre-norm, SiLU-gated, grouped-query attention. GGUF files store Q and K for the interleaved RoPE
/// of the original code.
pub(super) const LLAMA: Arch = Arch {
    name: "llama",
    config: |keys| {
        Ok(ModelConfig { rope_style: RopeStyle::Interleaved, ..ModelConfig::plain(keys)? })
    },
    keys: NewKeys::plain,
    hf: Family {
        inside: INSIDE,
        harmless: &["pretraining_tp"],
        ..Family::plain("llama", |config, keys| {
            expect_none(config, &["sliding_window"])?;
            let widths = Widths {
                hidden: 4096,
                intermediate: 11008,
                layers: 32,
                heads: 32,
                kv_heads: None,
                context: 2048,
                eps: 1e-6,
            };
            llama(config, keys, &widths, 10_000.0)
        })
    },
};

/// Names within a layer, in checkpoints whose GGUF files are for interleaved RoPE.
pub(super) const INSIDE: &[Rule] = &[
    rule("input_layernorm", Part::AttnNorm, How::AsIs),
    rule("self_attn.q_proj", Part::Q, How::Interleave),
    rule("self_attn.k_proj", Part::K, How::Interleave),
    rule("self_attn.v_proj", Part::V, How::AsIs),
    rule("self_attn.o_proj", Part::AttnOutput, How::AsIs),
    rule("post_attention_layernorm", Part::FfnNorm, How::AsIs),
    rule("mlp.gate_proj", Part::Gate, How::AsIs),
    rule("mlp.up_proj", Part::Up, How::AsIs),
    rule("mlp.down_proj", Part::Down, How::AsIs),
];

/// The keys of llama, and of what differs from it by the kinds of its layers only. `theta` is the
/// class's default base of the rotation.
pub(super) fn llama(
    config: &Node<'_>,
    keys: &mut NewKeys<'_>,
    widths: &Widths,
    theta: f32,
) -> Result<HfShape> {
    expect_bool(config, "attention_bias", false, false)?;
    expect_bool(config, "mlp_bias", false, false)?;
    expect_none(config, &["attn_logit_softcapping", "final_logit_softcapping"])?;
    expect_layers(config, "full_attention")?;
    expect_activation(config, "hidden_act", "silu", SILU)?;
    let shape = describe(config, keys, widths, None, theta)?;
    keys.size("rope.dimension_count", shape.head_dim);
    Ok(shape)
}
