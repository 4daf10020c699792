//! `gpt_neox`: GPT-NeoX and Pythia.

use super::{Family, How, Shape, expect_activation, expect_bool, head_dim, rope, rule};
use crate::Value;

pub(crate) const GPTNEOX: Family = Family {
    model_type: "gpt_neox",
    architecture: "gptneox",
    describe: |config, keys| {
        expect_bool(config, "attention_bias", true, true)?;
        let known = ["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"];
        let activation = expect_activation(config, "hidden_act", "gelu", &known)?;
        let (n_embd, n_heads) = (config.size("hidden_size")?, config.size("num_attention_heads")?);
        let n_layers = config.size("num_hidden_layers")?;
        let head_dim = head_dim(config, ("hidden_size", n_embd), ("num_attention_heads", n_heads), None)?;
        keys.size("block_count", n_layers);
        keys.size("context_length", config.size("max_position_embeddings")?);
        keys.size("embedding_length", n_embd);
        keys.size("feed_forward_length", config.size("intermediate_size")?);
        keys.size("attention.head_count", n_heads);
        keys.float("attention.layer_norm_epsilon", config.f32("layer_norm_eps")?);
        keys.set("use_parallel_residual", Value::Bool(config.opt_bool("use_parallel_residual")?.unwrap_or(true)));
        keys.set("hidden_activation", Value::String(activation.into()));
        let rope = rope::rope(config, "full_attention", "rotary_emb_base")?;
        let theta = rope.theta.unwrap_or(10_000.0);
        keys.float("rope.freq_base", theta);
        let share = rope.partial.or(config.opt_f32("rotary_pct")?).unwrap_or(0.25);
        if !(share > 0.0 && share <= 1.0) {
            return Err(config.invalid("rotary_pct", "a share above 0, at most 1", share.to_string()));
        }
        let rotated = (head_dim as f32 * share) as u32;
        keys.size("rope.dimension_count", rotated);
        let rope_factors = rope.scaling(keys, theta, rotated)?;
        Ok(Shape { n_layers, n_heads, head_dim, rope_factors })
    },
    prefix: "",
    layers: "gpt_neox.layers.",
    outside: &[
        rule("gpt_neox.embed_in", "token_embd", How::AsIs),
        rule("gpt_neox.final_layer_norm", "output_norm", How::AsIs),
        rule("embed_out", "output", How::AsIs),
        rule("lm_head", "output", How::AsIs), // since transformers 5
    ],
    inside: &[
        rule("input_layernorm", "attn_norm", How::AsIs),
        rule("attention.query_key_value", "attn_qkv", How::SplitHeads),
        rule("attention.dense", "attn_output", How::AsIs),
        rule("post_attention_layernorm", "ffn_norm", How::AsIs),
        rule("mlp.dense_h_to_4h", "ffn_up", How::AsIs),
        rule("mlp.dense_4h_to_h", "ffn_down", How::AsIs),
    ],
    buffers: &["attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"],
    tied: false,
};
