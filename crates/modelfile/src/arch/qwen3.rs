//! `qwen3`: Qwen 3 without experts.

use super::qwen2::{QWEN2, WIDTHS, no_windows};
use super::{Arch, ModelConfig, QkNorm};
use crate::hf::family::{Family, SILU, describe, expect_activation, expect_bool};

/// As qwen2, but every query and key head has an RMS norm in place of the biases (the Qwen3
/// technical report, 2025).
pub(super) const QWEN3: Arch = Arch {
    name: "qwen3",
    config: |keys| Ok(ModelConfig { qk_norm: QkNorm::Head, ..ModelConfig::plain(keys)? }),
    hf: Family {
        harmless: QWEN2.hf.harmless,
        ..Family::plain("qwen3", |config, keys| {
            no_windows(config)?;
            expect_bool(config, "attention_bias", false, false)?;
            expect_activation(config, "hidden_act", "silu", SILU)?;
            describe(config, keys, &WIDTHS, Some(128), 10_000.0)
        })
    },
    ..QWEN2
};
