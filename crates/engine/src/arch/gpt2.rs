//! `gpt2`: GPT-2 and what was trained in its shape.

use super::Arch;
use crate::{Ffn, LayerKind, ModelConfig, NormKind, NormPlacement, RopeStyle};

/// Learned positions, layer norms and biases everywhere (Radford et al., 2019).
pub const GPT2: Arch = Arch {
    name: "gpt2",
    config: |keys| {
        let (n_embd, n_heads) =
            (keys.size("embedding_length")?, keys.size("attention.head_count")?);
        let head_dim = keys.whole_heads(n_embd, n_heads)?;
        let layer = LayerKind { window: None, rope_theta: 10_000.0, rope_factor: 1.0 };
        Ok(ModelConfig {
            architecture: "gpt2",
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
            parallel_residual: false,
            fused_qkv: true,
            qkv_bias: true,
            output_bias: true,
            learned_positions: true,
            qk_norm: false,
            ffn: keys.gelu(Ffn::GeluTanh)?,
            rope_style: RopeStyle::Half,
            rope_dim: 0,
            embed_scale: 1.0,
            attn_scale: 1.0 / (head_dim as f32).sqrt(),
            logit_softcap: None,
            layers: vec![layer; keys.size("block_count")?.min(1 << 16)],
        })
    },
};
