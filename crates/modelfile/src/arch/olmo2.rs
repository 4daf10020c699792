//! `olmo2`: OLMo 2.

use super::llama::llama;
use super::{Arch, ModelConfig, NewKeys, NormPlacement, Part, QkNorm};
use crate::hf::family::{Family, How, Widths, expect_none, rule};

/// Norms after each block only, and over all queries and all keys of a token (the OLMo 2 report,
/// 2025). Files of Olmo 3, which llama.cpp calls by the same name, have windows: refused by key.
pub(super) const OLMO2: Arch = Arch {
    name: "olmo2",
    config: |keys| {
        Ok(ModelConfig {
            placement: NormPlacement::Post,
            qk_norm: QkNorm::Whole,
            ..ModelConfig::plain(keys)?
        })
    },
    keys: NewKeys::plain,
    hf: Family {
        inside: &[
            rule("self_attn.q_proj", Part::Q, How::AsIs),
            rule("self_attn.k_proj", Part::K, How::AsIs),
            rule("self_attn.v_proj", Part::V, How::AsIs),
            rule("self_attn.o_proj", Part::AttnOutput, How::AsIs),
            rule("self_attn.q_norm", Part::QNorm, How::AsIs),
            rule("self_attn.k_norm", Part::KNorm, How::AsIs),
            rule("post_attention_layernorm", Part::AttnPostNorm, How::AsIs),
            rule("mlp.gate_proj", Part::Gate, How::AsIs),
            rule("mlp.up_proj", Part::Up, How::AsIs),
            rule("mlp.down_proj", Part::Down, How::AsIs),
            rule("post_feedforward_layernorm", Part::FfnPostNorm, How::AsIs),
        ],
        ..Family::plain("olmo2", |config, keys| {
            expect_none(config, &["sliding_window"])?;
            let widths = Widths {
                hidden: 4096,
                intermediate: 11008,
                layers: 32,
                heads: 32,
                kv_heads: None,
                context: 2048,
                eps: 1e-5,
            };
            llama(config, keys, &widths, 10_000.0)
        })
    },
};
