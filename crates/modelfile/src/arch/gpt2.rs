//! `gpt2`: GPT-2, DistilGPT-2 and what was trained in their shape.

use super::config::n_layers;
use super::keys::Keys;
use super::{Arch, ArchError, Ffn, LayerKind, ModelConfig, NormKind, Part};
use crate::Value;
use crate::hf::family::{
    Family, HfShape, How, expect_activation, expect_bool, expect_layers, expect_none, head_dim,
    rule,
};

/// Learned positions, layer norms and biases everywhere (Radford et al., 2019). The matrices of its
/// checkpoints are stored `[in, out]`.
pub(super) const GPT2: Arch = Arch {
    name: "gpt2",
    config: |keys| {
        let layer =
            LayerKind { window: None, rope_theta: 10_000.0, rope_factor: 1.0, rotates: false };
        let biased = biased(keys)?;
        Ok(ModelConfig {
            learned_positions: true,
            ffn: keys.gelu(Ffn::GeluTanh)?,
            layers: vec![layer; n_layers(keys)?],
            ..biased
        })
    },
    keys: |_, keys| keys.float("attention.layer_norm_epsilon", 1e-5),
    hf: Family {
        prefix: "transformer.",
        layers: "h.",
        outside: &[
            rule("wte", Part::Embedding, How::AsIs),
            rule("wpe", Part::Positions, How::Table),
            rule("ln_f", Part::OutputNorm, How::AsIs),
            rule("lm_head", Part::Output, How::AsIs),
        ],
        inside: &[
            rule("ln_1", Part::AttnNorm, How::AsIs),
            rule("attn.c_attn", Part::Qkv, How::Transpose),
            rule("attn.c_proj", Part::AttnOutput, How::Transpose),
            rule("ln_2", Part::FfnNorm, How::AsIs),
            rule("mlp.c_fc", Part::Up, How::Transpose),
            rule("mlp.c_proj", Part::Down, How::Transpose),
        ],
        buffers: &["attn.bias", "attn.masked_bias"],
        tied: true,
        aliases: &[
            ("hidden_size", "n_embd"),
            ("max_position_embeddings", "n_positions"),
            ("num_attention_heads", "n_head"),
            ("num_hidden_layers", "n_layer"),
        ],
        harmless: &[
            "classifier_dropout",
            "embd_pdrop",
            "attn_pdrop",
            "hidden_dropout",
            "resid_pdrop",
            "reorder_and_upcast_attn", // the same sums in another order
            "summary_activation",
            "summary_first_dropout",
            "summary_last_dropout",
            "summary_proj_to_labels",
            "summary_type",
            "summary_use_proj",
        ],
        ..Family::plain("gpt2", |config, keys| {
            expect_bool(config, "scale_attn_weights", true, true)?;
            expect_none(
                config,
                &["sliding_window", "attn_logit_softcapping", "final_logit_softcapping"],
            )?;
            expect_layers(config, "full_attention")?;
            expect_bool(config, "scale_attn_by_inverse_layer_idx", false, false)?;
            expect_bool(config, "add_cross_attention", false, false)?;
            let known = ["gelu_new", "gelu", "gelu_fast", "gelu_pytorch_tanh"];
            let activation = expect_activation(config, "activation_function", "gelu_new", &known)?;
            let (n_embd, n_heads) = (config.size_or("n_embd", 768)?, config.size_or("n_head", 12)?);
            let (n_layers, n_ctx) =
                (config.size_or("n_layer", 12)?, config.size_or("n_positions", 1024)?);
            let head_dim = head_dim(config, ("n_embd", n_embd), ("n_head", n_heads), None)?;
            keys.size("block_count", n_layers);
            keys.size("context_length", n_ctx);
            keys.size("embedding_length", n_embd);
            keys.size(
                "feed_forward_length",
                config.opt_size("n_inner")?.unwrap_or(n_embd.saturating_mul(4)),
            );
            keys.size("attention.head_count", n_heads);
            keys.float("attention.layer_norm_epsilon", config.f32_or("layer_norm_epsilon", 1e-5)?);
            keys.set("hidden_activation", Value::String(activation.into()));
            Ok(HfShape { n_layers, n_heads, head_dim, n_ctx, rope_factors: None })
        })
    },
};

/// Layer norms and biases everywhere, Q, K and V in one matrix, heads that share out the stream: all
/// of gpt2 and gptneox but their layers, positions and GELU.
pub(super) fn biased(keys: &Keys<'_>) -> Result<ModelConfig, ArchError> {
    let (n_embd, n_heads) = (keys.size("embedding_length")?, keys.size("attention.head_count")?);
    let sized = ModelConfig::sized(keys, keys.whole_heads(n_embd, n_heads)?)?;
    Ok(ModelConfig {
        norm: NormKind::Layer,
        norm_eps: keys.f32("attention.layer_norm_epsilon")?,
        fused_qkv: true,
        qkv_bias: true,
        output_bias: true,
        ..sized
    })
}
