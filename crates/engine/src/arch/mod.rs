//! The architectures: each a file that reads its metadata to a [`ModelConfig`], and one line in
//! [`ARCHS`].

mod gemma3;
mod gpt2;
mod gptneox;
mod keys;
mod llama;
mod qwen2;
mod qwen3;

use crate::{EngineError, ModelConfig, NormKind};
use keys::Keys;
use pacemark_kernels::MAX_HEAD_DIM;
use pacemark_modelfile::{Metadata, ModelFile, ModelFileError};

/// One architecture.
pub struct Arch {
    /// `general.architecture` of its files.
    pub name: &'static str,
    /// Reads its configuration; `n_vocab` is filled in by the caller.
    pub(crate) config: fn(&Keys<'_>) -> Result<ModelConfig, EngineError>,
}

/// Every supported architecture.
pub const ARCHS: &[Arch] =
    &[llama::LLAMA, qwen2::QWEN2, qwen3::QWEN3, gemma3::GEMMA3, gpt2::GPT2, gptneox::GPTNEOX];

/// The configuration of an open model file, checked.
pub fn config(file: &ModelFile) -> Result<ModelConfig, EngineError> {
    let metadata = file.metadata();
    let found = metadata.architecture()?;
    let arch =
        ARCHS.iter().find(|arch| arch.name == found).ok_or_else(|| EngineError::Architecture {
            file: file.path().display().to_string(),
            found: found.to_string(),
            supported: ARCHS.iter().map(|arch| arch.name).collect::<Vec<_>>().join(", "),
        })?;
    let keys = Keys::new(metadata, arch.name);
    let mut config = (arch.config)(&keys)?;
    keys.expect_all_read()?;
    let embedding = file.tensor("token_embd.weight").map(|t| t.dims.clone());
    match embedding.as_deref() {
        Some(&[n_embd, n_vocab]) if n_embd == config.n_embd as u64 => {
            config.n_vocab = n_vocab as usize
        }
        found => {
            let (name, expected) = ("token_embd.weight".to_string(), vec![config.n_embd as u64, 0]);
            let file = file.path().display().to_string();
            return Err(match found {
                Some(found) => {
                    EngineError::TensorShape { file, name, expected, found: found.to_vec() }
                }
                None => EngineError::MissingTensor { file, name, expected },
            });
        }
    }
    check(metadata, &config)?;
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
            format!("{l:?}"),
        )),
        None => Ok(()),
    }
}
