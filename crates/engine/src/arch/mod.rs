//! The architectures: each a file that reads its metadata to a [`ModelConfig`], and one line in [`ARCHS`].

mod gemma3;
mod gpt2;
mod gptneox;
mod llama;
mod qwen2;
mod qwen3;

use crate::{EngineError, Ffn, ModelConfig, NormKind};
use pacemark_kernels::MAX_HEAD_DIM;
use pacemark_modelfile::{Metadata, ModelFile, ModelFileError, Value};

/// One architecture.
pub struct Arch {
    /// `general.architecture` of its files.
    pub name: &'static str,
    /// Reads its configuration; `n_vocab` is filled in by the caller.
    pub(crate) config: fn(&Metadata) -> Result<ModelConfig, EngineError>,
}

/// Every supported architecture.
pub const ARCHS: &[Arch] = &[llama::LLAMA, qwen2::QWEN2, qwen3::QWEN3, gemma3::GEMMA3, gpt2::GPT2, gptneox::GPTNEOX];

/// The configuration of an open model file, checked.
pub fn config(file: &ModelFile) -> Result<ModelConfig, EngineError> {
    let metadata = file.metadata();
    let found = metadata.architecture()?;
    let arch = ARCHS.iter().find(|arch| arch.name == found).ok_or_else(|| EngineError::Architecture {
        file: file.path().display().to_string(),
        found: found.to_string(),
        supported: ARCHS.iter().map(|arch| arch.name).collect::<Vec<_>>().join(", "),
    })?;
    let mut config = (arch.config)(metadata)?;
    let embedding = file.tensor("token_embd.weight").map(|t| t.dims.clone());
    match embedding.as_deref() {
        Some(&[n_embd, n_vocab]) if n_embd == config.n_embd as u64 => config.n_vocab = n_vocab as usize,
        found => {
            let (name, expected) = ("token_embd.weight".to_string(), vec![config.n_embd as u64, 0]);
            let file = file.path().display().to_string();
            return Err(match found {
                Some(found) => EngineError::TensorShape { file, name, expected, found: found.to_vec() },
                None => EngineError::MissingTensor { file, name, expected },
            });
        }
    }
    check(metadata, &config)?;
    Ok(config)
}

/// Access to the keys of one architecture, `{architecture}.{key}`.
pub(crate) struct Keys<'a> {
    metadata: &'a Metadata,
    prefix: &'static str,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(metadata: &'a Metadata, prefix: &'static str) -> Self {
        Keys { metadata, prefix }
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    /// A required size: at least 1.
    pub(crate) fn size(&self, key: &str) -> Result<usize, EngineError> {
        let value = self.metadata.u32(&self.key(key))? as usize;
        if value == 0 { Err(invalid(self.metadata, &self.key(key), "at least 1", "0")) } else { Ok(value) }
    }

    /// A size that may be absent.
    pub(crate) fn opt_size(&self, key: &str) -> Result<Option<usize>, EngineError> {
        if self.metadata.get(&self.key(key)).is_none() { Ok(None) } else { self.size(key).map(Some) }
    }

    pub(crate) fn f32(&self, key: &str) -> Result<f32, EngineError> {
        Ok(self.metadata.f32(&self.key(key))?)
    }

    pub(crate) fn opt_f32(&self, key: &str) -> Result<Option<f32>, EngineError> {
        Ok(self.metadata.opt_f32(&self.key(key))?)
    }

    pub(crate) fn bool(&self, key: &str) -> Result<bool, EngineError> {
        Ok(self.metadata.bool(&self.key(key))?)
    }

    /// Which of `n_layers` layers have a sliding window: all but every `default`-th, where the file does not say otherwise
    /// by another such number or by a list.
    pub(crate) fn window_pattern(&self, default: usize, n_layers: usize) -> Result<Vec<bool>, EngineError> {
        let key = self.key("attention.sliding_window_pattern");
        let every = match self.metadata.get(&key) {
            Some(Value::Bools(list)) if list.len() == n_layers => return Ok(list.clone()),
            Some(Value::Bools(list)) => {
                let expected = format!("an entry for each of {n_layers} layers");
                return Err(invalid(self.metadata, &key, &expected, list.len()));
            }
            _ => self.opt_size("attention.sliding_window_pattern")?.unwrap_or(default),
        };
        Ok((1..=n_layers).map(|layer| !layer.is_multiple_of(every)).collect())
    }

    /// Elements of a head where the heads share out the stream evenly and the file does not say otherwise.
    pub(crate) fn whole_heads(&self, n_embd: usize, n_heads: usize) -> Result<usize, EngineError> {
        if !n_embd.is_multiple_of(n_heads) {
            let expected = format!("a divisor of embedding_length {n_embd}");
            return Err(invalid(self.metadata, &self.key("attention.head_count"), &expected, n_heads));
        }
        self.head_dim(n_embd / n_heads)
    }

    /// Which GELU a feed-forward block without a gate has: `default` where the file does not say, as GGUF files of these
    /// architectures do not. The key and its values are those of Hugging Face's configurations, whose reader sets it.
    pub(crate) fn gelu(&self, default: Ffn) -> Result<Ffn, EngineError> {
        let key = self.key("hidden_activation");
        match self.metadata.opt_string(&key)? {
            None => Ok(default),
            Some("gelu") => Ok(Ffn::GeluErf),
            Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Ffn::GeluTanh),
            Some(other) => {
                let expected = "gelu, gelu_new, gelu_fast or gelu_pytorch_tanh";
                Err(invalid(self.metadata, &key, expected, other))
            }
        }
    }

    /// Elements of a head, `default` where the file does not say; keys and values must have the same.
    pub(crate) fn head_dim(&self, default: usize) -> Result<usize, EngineError> {
        let key = self.opt_size("attention.key_length")?.unwrap_or(default);
        match self.opt_size("attention.value_length")? {
            Some(value) if value != key => {
                let expected = format!("the keys' {key}");
                Err(invalid(self.metadata, &self.key("attention.value_length"), &expected, value))
            }
            _ => Ok(key),
        }
    }

    /// The divisor of positions: 1 without scaling; only linear scaling is known.
    pub(crate) fn rope_factor(&self) -> Result<f32, EngineError> {
        match self.metadata.opt_string(&self.key("rope.scaling.type"))? {
            None | Some("none") => Ok(self.opt_f32("rope.scale_linear")?.unwrap_or(1.0)),
            Some("linear") => self.f32("rope.scaling.factor"),
            Some(other) => Err(EngineError::Unsupported {
                file: self.metadata.file().display().to_string(),
                what: format!("{}: {other} is not supported (supported: none, linear)", self.key("rope.scaling.type")),
            }),
        }
    }
}

fn invalid(metadata: &Metadata, key: &str, expected: &str, found: impl ToString) -> EngineError {
    ModelFileError::invalid(metadata.file(), key, expected, found.to_string()).into()
}

/// Bounds that the decoder relies on. Sizes far beyond any model are refused before anything is multiplied.
fn check(metadata: &Metadata, c: &ModelConfig) -> Result<(), EngineError> {
    let arch = c.architecture;
    let within = |key: &str, value: usize, max: usize| {
        let expected = format!("at most {max}");
        if value <= max { Ok(()) } else { Err(invalid(metadata, &format!("{arch}.{key}"), &expected, value)) }
    };
    within("block_count", c.layers.len(), 1024)?;
    within("embedding_length", c.n_embd, 1 << 20)?;
    within("feed_forward_length", c.n_ff, 1 << 24)?;
    within("attention.head_count", c.n_heads, 1 << 12)?;
    within("attention.key_length", c.head_dim, MAX_HEAD_DIM)?;
    within("context_length", c.n_ctx_train, i32::MAX as usize)?;
    if !c.n_heads.is_multiple_of(c.n_kv_heads) {
        let expected = format!("a divisor of the {} query heads", c.n_heads);
        return Err(invalid(metadata, &format!("{arch}.attention.head_count_kv"), &expected, c.n_kv_heads));
    }
    // Learned positions are in place of a rotation; without either the model would not know the order of its tokens.
    let no_rotation = c.rope_dim == 0 && !c.learned_positions;
    if no_rotation || c.rope_dim > c.head_dim || !c.rope_dim.is_multiple_of(2) {
        let expected = format!("an even number up to the head's {}", c.head_dim);
        return Err(invalid(metadata, &format!("{arch}.rope.dimension_count"), &expected, c.rope_dim));
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
        return Err(invalid(metadata, &format!("{arch}.attention.scale"), "a number above 0", c.attn_scale));
    }
    match c.layers.iter().find(|l| !finite(l.rope_theta) || !finite(l.rope_factor)) {
        Some(l) => Err(invalid(metadata, &format!("{arch}.rope.freq_base"), "positive numbers", format!("{l:?}"))),
        None => Ok(()),
    }
}
