//! `gptneox`: GPT-NeoX and Pythia.

use super::Arch;
use crate::{Ffn, LayerKind, ModelConfig, NormKind, NormPlacement, RopeStyle};

/// Layer norms and biases as in gpt2, a rotation of a part of each head, and both blocks of a layer
/// beside each other (Black et al., 2022). The rows of its fused matrix are all of Q, then K, then
/// V, as llama.cpp's converter sorts them.
pub const GPTNEOX: Arch = Arch {
    name: "gptneox",
    config: |keys| {
        let (n_embd, n_heads) =
            (keys.size("embedding_length")?, keys.size("attention.head_count")?);
        let head_dim = keys.whole_heads(n_embd, n_heads)?;
        let layer = LayerKind {
            window: None,
            rope_theta: keys.opt_f32("rope.freq_base")?.unwrap_or(10_000.0),
            rope_factor: keys.rope_factor()?,
        };
        Ok(ModelConfig {
            architecture: "gptneox",
            n_embd,
            n_ff: keys.size("feed_forward_length")?,
            n_heads,
            n_kv_heads: keys.opt_size("attention.head_count_kv")?.unwrap_or(n_heads),
            head_dim,
            n_vocab: 0,
            n_ctx_train: keys.size("context_length")?,
            norm: NormKind::Layer,
            norm_eps: keys.f32("attention.layer_norm_epsilon")?,
            placement: NormPlacement::Pre,
            parallel_residual: keys.bool("use_parallel_residual")?,
            fused_qkv: true,
            qkv_bias: true,
            output_bias: true,
            learned_positions: false,
            qk_norm: false,
            ffn: keys.gelu(Ffn::GeluErf)?,
            rope_style: RopeStyle::Half,
            rope_dim: keys.opt_size("rope.dimension_count")?.unwrap_or(head_dim),
            embed_scale: 1.0,
            attn_scale: 1.0 / (head_dim as f32).sqrt(),
            logit_softcap: None,
            layers: vec![layer; keys.size("block_count")?.min(1 << 16)],
        })
    },
};
