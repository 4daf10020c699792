//! `gemma3`: five layers with a sliding window for each one that sees everything. Of directories,
//! the models that only read text (`gemma3_text`: 270M, 1B).

use super::{Arch, Ffn, LayerKind, ModelConfig, NewKeys, NormPlacement, Part, QkNorm};
use crate::hf::family::{
    Family, How, Node, Widths, dimensions, expect_activation, expect_bool, expect_none, rope, rule,
};
use crate::hf::json::describe;
use crate::{Result, Value};

/// Every sixth layer is global; the others see `sliding_window` positions and rotate with base
/// 10000 (the Gemma 3 technical report, 2025). GGUF files have the `1 +` of Gemma's norms folded
/// into their weights.
pub(super) const GEMMA3: Arch = Arch {
    name: "gemma3",
    config: |keys| {
        let plain = ModelConfig::plain(keys)?;
        let (n_embd, n_heads, n_layers) = (plain.n_embd, plain.n_heads, plain.layers.len());
        let global = LayerKind::plain(keys)?;
        let local = LayerKind {
            window: keys.opt_count("attention.sliding_window")?,
            rope_theta: keys.opt_f32("rope.freq_base_swa")?.unwrap_or(10_000.0),
            // Not llama.cpp's key: the reader of Hugging Face directories sets it.
            rope_factor: keys.opt_nonzero("rope.scaling.factor_swa")?.unwrap_or(1.0),
            ..global
        };
        let is_local = keys.all_but_every("attention.sliding_window_pattern", 6, n_layers)?;
        // A file without a window has layers of one kind, whatever it says of the other.
        let kind = |is_local: bool| if is_local && local.window.is_some() { local } else { global };
        // The 27B model (62 layers) scales queries by its embedding's share of a head instead of
        // the head's size.
        let scaled_by = if n_layers == 62 { n_embd / n_heads } else { plain.head_dim };
        let attn_scale =
            keys.opt_f32("attention.scale")?.unwrap_or(1.0 / (scaled_by as f32).sqrt());
        Ok(ModelConfig {
            placement: NormPlacement::Sandwich,
            qk_norm: QkNorm::Head,
            ffn: Ffn::GatedGeluTanh,
            embed_scale: (n_embd as f32).sqrt(),
            attn_scale,
            logit_softcap: keys.opt_nonzero("final_logit_softcapping")?,
            layers: is_local.into_iter().map(kind).collect(),
            ..plain
        })
    },
    keys: |shape, keys| {
        keys.heads(shape);
        keys.size("attention.sliding_window", 512);
        keys.norms_and_rotation(shape);
    },
    hf: Family {
        outside: &[
            rule("model.embed_tokens", Part::Embedding, How::AsIs),
            rule("model.norm", Part::OutputNorm, How::AddOne),
            rule("lm_head", Part::Output, How::AsIs),
        ],
        inside: &[
            rule("input_layernorm", Part::AttnNorm, How::AddOne),
            rule("self_attn.q_proj", Part::Q, How::AsIs),
            rule("self_attn.k_proj", Part::K, How::AsIs),
            rule("self_attn.v_proj", Part::V, How::AsIs),
            rule("self_attn.o_proj", Part::AttnOutput, How::AsIs),
            rule("self_attn.q_norm", Part::QNorm, How::AddOne),
            rule("self_attn.k_norm", Part::KNorm, How::AddOne),
            rule("post_attention_layernorm", Part::AttnPostNorm, How::AddOne),
            rule("pre_feedforward_layernorm", Part::FfnNorm, How::AddOne),
            rule("post_feedforward_layernorm", Part::FfnPostNorm, How::AddOne),
            rule("mlp.gate_proj", Part::Gate, How::AsIs),
            rule("mlp.up_proj", Part::Up, How::AsIs),
            rule("mlp.down_proj", Part::Down, How::AsIs),
        ],
        tied: true,
        harmless: &["image_token_id", "mm_tokens_per_image"], // of the models that see
        ..Family::plain("gemma3_text", |config, keys| {
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
                eps: 1e-6,
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
        })
    },
};

/// A number above 0 that may be absent.
fn opt_positive(config: &Node<'_>, field: &str) -> Result<Option<f32>> {
    match config.opt_f32(field)? {
        Some(value) if value <= 0.0 => Err(config.wrong(field, "a number above 0")),
        value => Ok(value),
    }
}

/// Which layers have a sliding window, and how wide it is.
fn windows(config: &Node<'_>, keys: &mut NewKeys<'_>, n_layers: u32) -> Result<()> {
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
