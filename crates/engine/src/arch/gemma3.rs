//! `gemma3`: five layers with a sliding window for each one that sees everything.

use super::Arch;
use crate::{Ffn, LayerKind, ModelConfig, NormKind, NormPlacement, RopeStyle};

/// Every sixth layer is global; the others see `sliding_window` positions and rotate with base
/// 10000 (the Gemma 3 technical report, 2025). GGUF files have the `1 +` of Gemma's norms folded
/// into their weights.
pub const GEMMA3: Arch = Arch {
    name: "gemma3",
    config: |keys| {
        let (n_embd, n_heads) =
            (keys.size("embedding_length")?, keys.size("attention.head_count")?);
        let n_layers = keys.size("block_count")?.min(1 << 16);
        let head_dim = keys.head_dim(n_embd / n_heads)?;
        let global = LayerKind {
            window: None,
            rope_theta: keys.opt_f32("rope.freq_base")?.unwrap_or(10_000.0),
            rope_factor: keys.rope_factor()?,
        };
        let local = LayerKind {
            window: keys.opt_count("attention.sliding_window")?,
            rope_theta: keys.opt_f32("rope.freq_base_swa")?.unwrap_or(10_000.0),
            // Not llama.cpp's key: the reader of Hugging Face directories sets it.
            rope_factor: keys.opt_nonzero("rope.scaling.factor_swa")?.unwrap_or(1.0),
        };
        let is_local = keys.window_pattern(6, n_layers)?;
        // A file without a window has layers of one kind, whatever it says of the other.
        let kind = |is_local: bool| if is_local && local.window.is_some() { local } else { global };
        // The 27B model (62 layers) scales queries by its embedding's share of a head instead of
        // the head's size.
        let scaled_by = if n_layers == 62 { n_embd / n_heads } else { head_dim };
        let attn_scale =
            keys.opt_f32("attention.scale")?.unwrap_or(1.0 / (scaled_by as f32).sqrt());
        Ok(ModelConfig {
            architecture: "gemma3",
            n_embd,
            n_ff: keys.size("feed_forward_length")?,
            n_heads,
            n_kv_heads: keys.opt_size("attention.head_count_kv")?.unwrap_or(n_heads),
            head_dim,
            n_vocab: 0,
            n_ctx_train: keys.size("context_length")?,
            norm: NormKind::Rms,
            norm_eps: keys.f32("attention.layer_norm_rms_epsilon")?,
            placement: NormPlacement::Sandwich,
            parallel_residual: false,
            fused_qkv: false,
            qkv_bias: false,
            output_bias: false,
            learned_positions: false,
            qk_norm: true,
            ffn: Ffn::GatedGeluTanh,
            rope_style: RopeStyle::Half,
            rope_dim: keys.opt_size("rope.dimension_count")?.unwrap_or(head_dim),
            embed_scale: (n_embd as f32).sqrt(),
            attn_scale,
            logit_softcap: keys.opt_nonzero("final_logit_softcapping")?,
            layers: is_local.into_iter().map(kind).collect(),
        })
    },
};
