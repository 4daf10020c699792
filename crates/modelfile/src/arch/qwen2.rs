//! `qwen2`: Qwen 1.5, 2 and 2.5 without experts.

use super::{Arch, ModelConfig, NewKeys};
use crate::Result;
use crate::hf::family::{
    Family, Node, SILU, Widths, describe, expect_activation, expect_bool, expect_layers,
    expect_none,
};

/// As llama, with biases on Q, K and V, and rows in the order of rotate-half (the Qwen2 technical
/// report, 2024).
pub(super) const QWEN2: Arch = Arch {
    name: "qwen2",
    config: |keys| Ok(ModelConfig { qkv_bias: true, ..ModelConfig::plain(keys)? }),
    keys: NewKeys::plain,
    hf: Family {
        // Read by the class only where use_sliding_window is true.
        harmless: &["sliding_window", "max_window_layers"],
        ..Family::plain("qwen2", |config, keys| {
            no_windows(config)?;
            expect_activation(config, "hidden_act", "silu", SILU)?;
            describe(config, keys, &WIDTHS, None, 10_000.0)
        })
    },
};

/// The defaults of both generations.
pub(super) const WIDTHS: Widths = Widths {
    hidden: 4096,
    intermediate: 22016,
    layers: 32,
    heads: 32,
    kv_heads: Some(32),
    context: 32768,
    eps: 1e-6,
};

/// That every layer sees everything, and that nothing is capped.
pub(super) fn no_windows(config: &Node<'_>) -> Result<()> {
    expect_bool(config, "use_sliding_window", false, false)?;
    expect_none(config, &["attn_logit_softcapping", "final_logit_softcapping"])?;
    expect_layers(config, "full_attention")
}
