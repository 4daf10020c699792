//! `llama`: Llama 1–3, TinyLlama, SmolLM2, Mistral-shaped models.

use super::Arch;
use crate::{Ffn, LayerKind, ModelConfig, NormKind, NormPlacement, RopeStyle};

/// Pre-norm, SiLU-gated, grouped-query attention. GGUF files store Q and K for the interleaved RoPE
/// of the original code.
pub const LLAMA: Arch = Arch {
    name: "llama",
    config: |keys| {
        let (n_embd, n_heads) =
            (keys.size("embedding_length")?, keys.size("attention.head_count")?);
        let head_dim = keys.head_dim(n_embd / n_heads)?;
        let layer = LayerKind {
            window: None,
            rope_theta: keys.opt_f32("rope.freq_base")?.unwrap_or(10_000.0),
            rope_factor: keys.rope_factor()?,
        };
        Ok(ModelConfig {
            architecture: "llama",
            n_embd,
            n_ff: keys.size("feed_forward_length")?,
            n_heads,
            n_kv_heads: keys.opt_size("attention.head_count_kv")?.unwrap_or(n_heads),
            head_dim,
            n_vocab: 0,
            n_ctx_train: keys.size("context_length")?,
            norm: NormKind::Rms,
            norm_eps: keys.f32("attention.layer_norm_rms_epsilon")?,
            placement: NormPlacement::Pre,
            parallel_residual: false,
            fused_qkv: false,
            qkv_bias: false,
            output_bias: false,
            learned_positions: false,
            qk_norm: false,
            ffn: Ffn::GatedSilu,
            rope_style: RopeStyle::Interleaved,
            rope_dim: keys.opt_size("rope.dimension_count")?.unwrap_or(head_dim),
            embed_scale: 1.0,
            attn_scale: 1.0 / (head_dim as f32).sqrt(),
            logit_softcap: None,
            layers: vec![layer; keys.size("block_count")?.min(1 << 16)],
        })
    },
};
