//! `gpt2`: GPT-2 and DistilGPT-2. Its matrices are stored `[in, out]`.

use super::attributes::expect_none;
use super::{Family, How, Shape, expect_activation, expect_bool, expect_layers, head_dim, rule};
use crate::Value;

pub(crate) const GPT2: Family = Family {
    model_type: "gpt2",
    architecture: "gpt2",
    describe: |config, keys| {
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
        Ok(Shape { n_layers, n_heads, head_dim, n_ctx, rope_factors: None })
    },
    prefix: "transformer.",
    layers: "h.",
    outside: &[
        rule("wte", "token_embd", How::AsIs),
        rule("wpe", "position_embd", How::Table),
        rule("ln_f", "output_norm", How::AsIs),
        rule("lm_head", "output", How::AsIs),
    ],
    inside: &[
        rule("ln_1", "attn_norm", How::AsIs),
        rule("attn.c_attn", "attn_qkv", How::Transpose),
        rule("attn.c_proj", "attn_output", How::Transpose),
        rule("ln_2", "ffn_norm", How::AsIs),
        rule("mlp.c_fc", "ffn_up", How::Transpose),
        rule("mlp.c_proj", "ffn_down", How::Transpose),
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
};
