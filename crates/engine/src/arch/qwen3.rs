//! `qwen3`: Qwen 3 without experts.

use super::{Arch, qwen2::qwen};

/// As qwen2, but every query and key head has an RMS norm in place of the biases (the Qwen3
/// technical report, 2025).
pub const QWEN3: Arch = Arch {
    name: "qwen3",
    config: |keys| {
        let config = qwen(keys, "qwen3")?;
        Ok(crate::ModelConfig { qkv_bias: false, qk_norm: true, ..config })
    },
};
