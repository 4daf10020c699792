//! `gemma3`: five layers with a sliding window for each one that sees everything.

use super::{Arch, Keys};
use crate::{Ffn, LayerKind, ModelConfig, NormKind, NormPlacement, RopeStyle};

/// Every sixth layer is global; the others see `sliding_window` positions and rotate with base 10000 (the Gemma 3
/// technical report, 2025). GGUF files have the `1 +` of Gemma's norms folded into their weights.
pub const GEMMA3: Arch = Arch {
    name: "gemma3",
    config: |metadata| {
        let keys = Keys::new(metadata, "gemma3");
        let (n_embd, n_heads) = (keys.size("embedding_length")?, keys.size("attention.head_count")?);
        let n_layers = keys.size("block_count")?.min(1 << 16);
        let head_dim = keys.head_dim(256)?;
        let window = keys.opt_size("attention.sliding_window")?;
        let global = LayerKind {
            window: None,
            rope_theta: keys.opt_f32("rope.freq_base")?.unwrap_or(1_000_000.0),
            rope_factor: keys.rope_factor()?,
        };
        let local_theta = keys.opt_f32("rope.freq_base_swa")?.unwrap_or(10_000.0);
        let local = LayerKind { window, rope_theta: local_theta, rope_factor: 1.0 };
        // The 27B model (62 layers) scales queries by its embedding's share of a head instead of the head's size.
        let scaled_by = if n_layers == 62 { n_embd / n_heads } else { head_dim };
        let attn_scale = keys.opt_f32("attention.scale")?.unwrap_or(1.0 / (scaled_by as f32).sqrt());
        let is_local = keys.window_pattern(6, n_layers)?;
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
            rope_dim: head_dim,
            embed_scale: (n_embd as f32).sqrt(),
            attn_scale,
            layers: is_local.into_iter().map(|is_local| if is_local { local } else { global }).collect(),
        })
    },
};
