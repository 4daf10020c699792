//! `gptneox`: GPT-NeoX and Pythia.

use super::config::n_layers;
use super::gpt2::biased;
use super::{Arch, Ffn, LayerKind, ModelConfig, Part};
use crate::Value;
use crate::hf::family::{
    Family, HfShape, How, expect_activation, expect_bool, expect_layers, expect_none, head_dim,
    rope, rule,
};

/// Layer norms and biases as in gpt2, a rotation of a part of each head, and both blocks of a layer
/// beside each other (Black et al., 2022). The rows of its fused matrix are all of Q, then K, then
/// V, as llama.cpp's converter sorts them.
pub(super) const GPTNEOX: Arch = Arch {
    name: "gptneox",
    config: |keys| {
        let biased = biased(keys)?;
        Ok(ModelConfig {
            parallel_residual: keys.bool("use_parallel_residual")?,
            ffn: keys.gelu(Ffn::GeluErf)?,
            rope_dim: keys.opt_size("rope.dimension_count")?.unwrap_or(biased.head_dim),
            layers: vec![LayerKind::plain(keys)?; n_layers(keys)?],
            ..biased
        })
    },
    keys: |shape, keys| {
        keys.size("rope.dimension_count", shape.head_dim() / 4 / 2 * 2); // a quarter, in pairs
        keys.float("attention.layer_norm_epsilon", 1e-5);
        keys.float("rope.freq_base", shape.rope_theta);
        keys.set("use_parallel_residual", Value::Bool(true));
    },
    hf: Family {
        layers: "gpt_neox.layers.",
        outside: &[
            rule("gpt_neox.embed_in", Part::Embedding, How::AsIs),
            rule("gpt_neox.final_layer_norm", Part::OutputNorm, How::AsIs),
            rule("embed_out", Part::Output, How::AsIs),
            rule("lm_head", Part::Output, How::AsIs), // since transformers 5
        ],
        inside: &[
            rule("input_layernorm", Part::AttnNorm, How::AsIs),
            rule("attention.query_key_value", Part::Qkv, How::SplitHeads),
            rule("attention.dense", Part::AttnOutput, How::AsIs),
            rule("post_attention_layernorm", Part::FfnNorm, How::AsIs),
            rule("mlp.dense_h_to_4h", Part::Up, How::AsIs),
            rule("mlp.dense_4h_to_h", Part::Down, How::AsIs),
        ],
        buffers: &["attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"],
        harmless: &[
            "classifier_dropout",
            "hidden_dropout",
            "is_decoder", // asks for a warning only
        ],
        ..Family::plain("gpt_neox", |config, keys| {
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
            Ok(HfShape { n_layers, n_heads, head_dim, n_ctx, rope_factors })
        })
    },
};
