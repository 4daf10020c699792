//! The bounds within which the decoder can compute a configuration.

use crate::{EngineError, ModelConfig, NormKind};
use pacemark_kernels::MAX_HEAD_DIM;
use pacemark_modelfile::{Metadata, ModelFile, ModelFileError, arch};

/// The configuration of an open model file, checked.
pub fn config(file: &ModelFile) -> Result<ModelConfig, EngineError> {
    let config = arch::config(file)?;
    check(file.metadata(), &config)?;
    Ok(config)
}

fn invalid(metadata: &Metadata, key: &str, expected: &str, found: impl ToString) -> EngineError {
    ModelFileError::invalid(metadata.file(), key, expected, found.to_string()).into()
}

/// Bounds that the decoder relies on. Sizes far beyond any model are refused before anything is
/// multiplied.
fn check(metadata: &Metadata, c: &ModelConfig) -> Result<(), EngineError> {
    let arch = c.architecture;
    let within = |key: &str, value: usize, max: usize| {
        let expected = format!("at most {max}");
        if value <= max {
            Ok(())
        } else {
            Err(invalid(metadata, &format!("{arch}.{key}"), &expected, value))
        }
    };
    within("block_count", c.layers.len(), 1024)?;
    within("embedding_length", c.n_embd, 1 << 20)?;
    within("feed_forward_length", c.n_ff, 1 << 24)?;
    within("attention.head_count", c.n_heads, 1 << 12)?;
    within("attention.key_length", c.head_dim, MAX_HEAD_DIM)?;
    within("context_length", c.n_ctx_train, i32::MAX as usize)?;
    if !c.n_heads.is_multiple_of(c.n_kv_heads) {
        let expected = format!("a divisor of the {} query heads", c.n_heads);
        return Err(invalid(
            metadata,
            &format!("{arch}.attention.head_count_kv"),
            &expected,
            c.n_kv_heads,
        ));
    }
    // Learned positions are in place of a rotation; without either the model would not know the
    // order of its tokens.
    let no_rotation = c.rope_dim == 0 && !c.learned_positions;
    if no_rotation || c.rope_dim > c.head_dim || !c.rope_dim.is_multiple_of(2) {
        let expected = format!("an even number up to the head's {}", c.head_dim);
        return Err(invalid(
            metadata,
            &format!("{arch}.rope.dimension_count"),
            &expected,
            c.rope_dim,
        ));
    }
    let finite = |x: f32| x.is_finite() && x > 0.0;
    if !(c.norm_eps.is_finite() && c.norm_eps >= 0.0) {
        let key = match c.norm {
            NormKind::Rms => "attention.layer_norm_rms_epsilon",
            NormKind::Layer => "attention.layer_norm_epsilon",
        };
        return Err(invalid(metadata, &format!("{arch}.{key}"), "a number >= 0", c.norm_eps));
    }
    if !finite(c.attn_scale) {
        return Err(invalid(
            metadata,
            &format!("{arch}.attention.scale"),
            "a number above 0",
            c.attn_scale,
        ));
    }
    if let Some(cap) = c.logit_softcap.filter(|&cap| !finite(cap)) {
        return Err(invalid(
            metadata,
            &format!("{arch}.final_logit_softcapping"),
            "a number above 0",
            cap,
        ));
    }
    match c.layers.iter().find(|l| !finite(l.rope_theta) || !finite(l.rope_factor)) {
        Some(l) => Err(invalid(
            metadata,
            &format!("{arch}.rope.freq_base"),
            "positive numbers",
            format!("a base of {} and a factor of {}", l.rope_theta, l.rope_factor),
        )),
        None => Ok(()),
    }
}
