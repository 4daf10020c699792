//! What an architecture is: one description, read by everything that deals with its models.
//!
//! A file here says how keys become a [`ModelConfig`], what a Hugging Face directory calls the same,
//! and which keys a model of given dimensions has; the configuration then says which tensors there
//! are ([`ModelConfig::tensors`]). The loader, synthetic models, test models, the translation of
//! directories, the mixtures of types and the account of bytes that a token reads all go by these.
//! An architecture is one file and one line in [`ARCHS`].
//!
//! What is computed from a configuration, and within which bounds it can be, is left to `engine`.

mod config;
mod error;
mod gemma3;
mod gpt2;
mod gptneox;
mod keys;
mod llama;
mod olmo2;
mod part;
mod qwen2;
mod qwen3;
mod smollm3;
mod tensors;

pub use config::{Ffn, LayerKind, ModelConfig, NormKind, NormPlacement, QkNorm, RopeStyle};
pub use error::ArchError;
pub use part::{Part, Role, TensorName};
pub use tensors::TensorSpec;

pub(crate) use keys::NewKeys;

use crate::hf::family::Family;
use crate::synth::Shape;
use crate::{Metadata, ModelFile};
use keys::Keys;

/// One architecture.
pub struct Arch {
    /// `general.architecture` of its files.
    pub name: &'static str,
    /// Reads its configuration; `n_vocab` is filled in by the caller.
    config: fn(&Keys<'_>) -> Result<ModelConfig, ArchError>,
    /// Sets what a model of these dimensions says besides the sizes that all models have.
    keys: fn(&Shape, &mut NewKeys<'_>),
    /// How Hugging Face directories hold it.
    pub(crate) hf: Family,
}

/// Every supported architecture.
pub const ARCHS: &[Arch] = &[
    llama::LLAMA,
    qwen2::QWEN2,
    qwen3::QWEN3,
    gemma3::GEMMA3,
    gpt2::GPT2,
    gptneox::GPTNEOX,
    olmo2::OLMO2,
    smollm3::SMOLLM3,
];

impl Arch {
    /// The architecture of this name.
    pub fn named(name: &str) -> Option<&'static Arch> {
        ARCHS.iter().find(|arch| arch.name == name)
    }

    /// Sets the keys of a model of this architecture with these dimensions.
    pub fn describe(&self, shape: &Shape, metadata: &mut Metadata) {
        let keys = &mut NewKeys { metadata, architecture: self.name };
        keys.size("block_count", shape.n_layers);
        keys.size("context_length", shape.n_ctx);
        keys.size("embedding_length", shape.n_embd);
        keys.size("feed_forward_length", shape.n_ff);
        keys.size("attention.head_count", shape.n_heads);
        keys.size("attention.head_count_kv", shape.n_kv_heads());
        (self.keys)(shape, keys);
    }
}

/// The configuration that metadata say, for a vocabulary of `n_vocab`. Every key of the
/// architecture is read or known to change nothing; the numbers are the file's own, of any size.
pub fn read(metadata: &Metadata, n_vocab: usize) -> Result<ModelConfig, ArchError> {
    let found = metadata.architecture()?;
    let arch = Arch::named(found).ok_or_else(|| ArchError::Architecture {
        file: metadata.file().display().to_string(),
        found: found.to_string(),
        supported: ARCHS.iter().map(|arch| arch.name).collect::<Vec<_>>().join(", "),
    })?;
    let keys = Keys::new(metadata, arch.name);
    let config = (arch.config)(&keys)?;
    keys.expect_all_read()?;
    Ok(ModelConfig { n_vocab, ..config })
}

/// The configuration of an open model file, whose embedding has a row for each token.
pub fn config(file: &ModelFile) -> Result<ModelConfig, ArchError> {
    let embedding = TensorName::outside(Part::Embedding).to_string();
    let dims = file.tensor(&embedding).map(|t| t.dims.as_slice());
    let n_vocab = dims.and_then(|dims| dims.get(1)).map_or(0, |&rows| rows as usize);
    let config = read(file.metadata(), n_vocab)?;
    let (name, expected) = (embedding, vec![config.n_embd as u64, 0]);
    let path = || file.path().display().to_string();
    match dims {
        Some(&[n_embd, _]) if n_embd == config.n_embd as u64 => Ok(config),
        Some(found) => {
            Err(ArchError::TensorShape { file: path(), name, expected, found: found.to_vec() })
        }
        None => Err(ArchError::MissingTensor { file: path(), name, expected }),
    }
}
