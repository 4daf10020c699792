//! The dimensions of a model, and the table of shapes that are known by name.

use crate::arch::{self, ARCHS, Arch, ArchError, ModelConfig};
use crate::{Metadata, ModelFileError, Result, Value};
use serde::Deserialize;
use std::path::Path;

/// Everything that decides how fast a model runs and how much memory it takes, but for its types.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// What it is called in reports.
    #[serde(default = "unnamed")]
    pub name: String,
    /// GGUF's name of the architecture; one of `ARCHS`.
    pub architecture: String,
    /// Width of the residual stream.
    pub n_embd: u32,
    /// Width of the feed-forward block.
    pub n_ff: u32,
    /// Layers.
    pub n_layers: u32,
    /// Query heads.
    pub n_heads: u32,
    /// Key and value heads; as many as query heads where not given.
    #[serde(default)]
    pub n_kv_heads: Option<u32>,
    /// Elements of a head; `n_embd / n_heads` where not given.
    #[serde(default)]
    pub head_dim: Option<u32>,
    /// Tokens of the vocabulary.
    pub n_vocab: u32,
    /// Context that the model says it was trained for.
    #[serde(default = "default_context")]
    pub n_ctx: u32,
    /// Base of the rotation's frequencies.
    #[serde(default = "default_theta")]
    pub rope_theta: f32,
    /// The embedding is the output matrix too.
    #[serde(default)]
    pub tied: bool,
}

fn unnamed() -> String {
    "custom".into()
}

fn default_context() -> u32 {
    8192
}

fn default_theta() -> f32 {
    10_000.0
}

/// `(name, architecture, [n_embd, n_ff, n_layers, n_heads, n_kv_heads, head_dim, n_vocab, n_ctx],
/// rope_theta, tied)`
type Row = (&'static str, &'static str, [u32; 8], f32, bool);

/// The shapes known by name, from the `config.json` of each model.
#[rustfmt::skip]
pub const SHAPES: &[Row] = &[
    ("smollm2-135m",   "llama",   [ 576,  1536, 30,  9,  3,  64,  49152,   8192],   100_000.0, true),
    ("gemma3-270m",    "gemma3",  [ 640,  2048, 18,  4,  1, 256, 262144,  32768], 1_000_000.0, true),
    ("qwen2.5-0.5b",   "qwen2",   [ 896,  4864, 24, 14,  2,  64, 151936,  32768], 1_000_000.0, true),
    ("qwen2.5-1.5b",   "qwen2",   [1536,  8960, 28, 12,  2, 128, 151936,  32768], 1_000_000.0, false),
    ("qwen3-0.6b",     "qwen3",   [1024,  3072, 28, 16,  8, 128, 151936,  40960], 1_000_000.0, true),
    ("tinyllama-1.1b", "llama",   [2048,  5632, 22, 32,  4,  64,  32000,   2048],    10_000.0, false),
    ("llama3.2-1b",    "llama",   [2048,  8192, 16, 32,  8,  64, 128256, 131072],   500_000.0, true),
    ("llama3.2-3b",    "llama",   [3072,  8192, 28, 24,  8, 128, 128256, 131072],   500_000.0, true),
    ("openllama-7b",   "llama",   [4096, 11008, 32, 32, 32, 128,  32000,   2048],    10_000.0, false),
    ("olmo2-1b",       "olmo2",   [2048,  8192, 16, 16, 16, 128, 100352,   4096],   500_000.0, false),
    ("smollm3-3b",     "smollm3", [2048, 11008, 36, 16,  4, 128, 128256,  65536], 5_000_000.0, true),
    ("pythia-2.8b",    "gptneox", [2560, 10240, 32, 32, 32,  80,  50304,   2048],    10_000.0, false),
    ("gpt2",           "gpt2",    [ 768,  3072, 12, 12, 12,  64,  50257,   1024],    10_000.0, true),
    ("gpt2-medium",    "gpt2",    [1024,  4096, 24, 16, 16,  64,  50257,   1024],    10_000.0, true),
];

impl Shape {
    /// The shape of this name in [`SHAPES`].
    pub fn named(name: &str) -> Option<Shape> {
        let &(name, architecture, sizes, rope_theta, tied) =
            SHAPES.iter().find(|row| row.0 == name)?;
        let [n_embd, n_ff, n_layers, n_heads, n_kv_heads, head_dim, n_vocab, n_ctx] = sizes;
        Some(Shape {
            name: name.into(),
            architecture: architecture.into(),
            n_embd,
            n_ff,
            n_layers,
            n_heads,
            n_kv_heads: Some(n_kv_heads),
            head_dim: Some(head_dim),
            n_vocab,
            n_ctx,
            rope_theta,
            tied,
        })
    }

    /// Reads a shape from the text of a JSON object with these fields. `file` is what errors name.
    pub fn from_json(text: &str, file: &Path) -> Result<Shape> {
        let shape: Shape = serde_json::from_str(text).map_err(|e| {
            ModelFileError::invalid(file, "shape", "an object of dimensions", e.to_string())
        })?;
        shape.check(file)?;
        Ok(shape)
    }

    /// Key and value heads.
    pub fn n_kv_heads(&self) -> u32 {
        self.n_kv_heads.unwrap_or(self.n_heads)
    }

    /// Elements of a head.
    pub fn head_dim(&self) -> u32 {
        self.head_dim.unwrap_or(self.n_embd / self.n_heads)
    }

    /// The configuration of a model of this shape.
    pub fn config(&self) -> Result<ModelConfig, ArchError> {
        let mut metadata = Metadata::new();
        metadata.set("general.architecture", Value::String(self.architecture.clone()));
        if let Some(arch) = Arch::named(&self.architecture) {
            arch.describe(self, &mut metadata);
        }
        arch::read(&metadata, self.n_vocab as usize)
    }

    /// Bounds within which no product of two dimensions overflows, and the divisions that must come
    /// out even.
    fn check(&self, file: &Path) -> Result<()> {
        let invalid = |field: &str, expected: &str, found: String| {
            Err(ModelFileError::invalid(file, field, expected, found))
        };
        if Arch::named(&self.architecture).is_none() {
            let known: Vec<&str> = ARCHS.iter().map(|arch| arch.name).collect();
            return invalid("architecture", &known.join(", "), self.architecture.clone());
        }
        let bounds = [
            ("n_embd", self.n_embd, 1 << 17),
            ("n_ff", self.n_ff, 1 << 19),
            ("n_layers", self.n_layers, 1024),
            ("n_heads", self.n_heads, 4096),
            ("n_kv_heads", self.n_kv_heads(), 4096),
            ("n_vocab", self.n_vocab, 1 << 22),
            ("n_ctx", self.n_ctx, 1 << 30),
        ];
        for (field, value, max) in bounds {
            if !(1..=max).contains(&value) {
                return invalid(field, &format!("1 to {max}"), value.to_string());
            }
        }
        if self.n_vocab < super::MIN_VOCAB {
            return invalid(
                "n_vocab",
                &format!("at least {}", super::MIN_VOCAB),
                self.n_vocab.to_string(),
            );
        }
        if self.head_dim.is_none() && !self.n_embd.is_multiple_of(self.n_heads) {
            let expected = format!("a divisor of n_embd {}, or a head_dim", self.n_embd);
            return invalid("n_heads", &expected, self.n_heads.to_string());
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads()) {
            let expected = format!("a divisor of n_heads {}", self.n_heads);
            return invalid("n_kv_heads", &expected, self.n_kv_heads().to_string());
        }
        if !(2..=1024).contains(&self.head_dim()) || !self.head_dim().is_multiple_of(2) {
            return invalid(
                "head_dim",
                "an even number from 2 to 1024",
                self.head_dim().to_string(),
            );
        }
        // In some architectures the heads share out the stream, whatever a shape says.
        if self.config().ok().map(|config| config.head_dim) != Some(self.head_dim() as usize) {
            let expected = format!(
                "n_embd {} / n_heads {} in {}",
                self.n_embd, self.n_heads, self.architecture
            );
            return invalid("head_dim", &expected, self.head_dim().to_string());
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
            return invalid("rope_theta", "a positive number", self.rope_theta.to_string());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_valid_shape() {
        for row in SHAPES {
            let shape = Shape::named(row.0).unwrap();
            shape.check(Path::new(row.0)).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_field() {
        let json = |change: &str| {
            let mut fields = serde_json::json!({"architecture": "llama", "n_embd": 64, "n_ff": 96, "n_layers": 2,
                "n_heads": 4, "n_kv_heads": 2, "n_vocab": 512});
            let change: serde_json::Value = serde_json::from_str(change).unwrap();
            fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            Shape::from_json(&fields.to_string(), Path::new("s.json")).map_err(|e| e.to_string())
        };
        assert!(json("{}").is_ok());
        for (change, field) in [
            (r#"{"n_kv_heads": 3}"#, "n_kv_heads"),
            (r#"{"n_heads": 5, "n_kv_heads": 5}"#, "n_heads"),
            (r#"{"head_dim": 7}"#, "head_dim"),
            (r#"{"n_layers": 0}"#, "n_layers"),
            (r#"{"n_vocab": 4000000000}"#, "n_vocab"),
            (r#"{"architecture": "mamba"}"#, "architecture"),
            (r#"{"architecture": "gpt2", "head_dim": 32}"#, "head_dim"),
            (r#"{"n_embed": 64}"#, "shape"),
            (r#"{"rope_theta": 0}"#, "rope_theta"),
        ] {
            let error = json(change).unwrap_err();
            assert!(error.starts_with(&format!("s.json: {field}: expected")), "{change}: {error}");
        }
    }
}
