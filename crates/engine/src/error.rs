//! Why a model cannot be loaded or run.

use pacemark_files::{bounded, excerpt};
use pacemark_modelfile::ModelFileError;

/// Any error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file cannot be read, or a key has the wrong form.
    #[error(transparent)]
    ModelFile(#[from] ModelFileError),
    /// The file's architecture has no row in `ARCHS`.
    #[error(
        "{}: general.architecture: {} is not supported (supported: {supported})",
        excerpt(file),
        excerpt(found)
    )]
    Architecture {
        /// The file.
        file: String,
        /// What it says.
        found: String,
        /// What there is.
        supported: String,
    },
    /// A feature that this version cannot compute.
    #[error("{}: {}", excerpt(file), bounded(what))]
    Unsupported {
        /// The file.
        file: String,
        /// Key and value, and what would be supported.
        what: String,
    },
    /// A tensor that the architecture needs.
    #[error("{}: {}: no such tensor (expected {expected:?})", excerpt(file), excerpt(name))]
    MissingTensor {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// Its shape, ggml order.
        expected: Vec<u64>,
    },
    /// A tensor of another shape than the metadata implies.
    #[error("{}: {}: expected {expected:?}, found {found:?}", excerpt(file), excerpt(name))]
    TensorShape {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// Shape by the metadata, ggml order.
        expected: Vec<u64>,
        /// Shape in the file.
        found: Vec<u64>,
    },
    /// A tensor that the architecture does not have: ignoring it would compute another model.
    #[error(
        "{}: {}: not a tensor of architecture {architecture} as Pacemark knows it",
        excerpt(file),
        excerpt(name)
    )]
    UnknownTensor {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// The file's architecture.
        architecture: String,
    },
    /// The weights and the KV cache would not fit.
    #[error(
        "the model needs {needed_mib} MiB of memory ({weights_mib} MiB of weights, {kv_mib} MiB of KV cache for {n_ctx} \
         tokens, {work_mib} MiB to compute with), but {available_mib} MiB are available{bound_by}; a smaller context (-c) or \
         quantization needs less"
    )]
    Memory {
        /// All of these.
        needed_mib: u64,
        /// Packed weights.
        weights_mib: u64,
        /// KV cache.
        kv_mib: u64,
        /// Activations and the like.
        work_mib: u64,
        /// Tokens of context.
        n_ctx: usize,
        /// What the system offers.
        available_mib: u64,
        /// Who limits it, where that is not the machine: in parentheses, after a blank.
        bound_by: String,
    },
    /// `PACEMARK_ISA` names something that this machine lacks.
    #[error(transparent)]
    Isa(#[from] pacemark_kernels::IsaError),
    /// Weights could not be packed.
    #[error("{}: {}: {source}", excerpt(file), excerpt(name))]
    Pack {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// Why.
        source: pacemark_kernels::MatrixError,
    },
    /// The system does not let the weights be locked in memory.
    #[error(
        "cannot lock {weights_mib} MiB of weights in memory (--mlock): {source}; this process may lock {limit} (RLIMIT_MEMLOCK, \
         shown and raised by ulimit -l)"
    )]
    Lock {
        /// Packed weights.
        weights_mib: u64,
        /// What the process may lock, with its unit.
        limit: String,
        /// Why.
        source: std::io::Error,
    },
    /// Threads cannot run where they are to.
    #[error(transparent)]
    Place(#[from] pacemark_kernels::PlaceError),
    /// Compute threads could not be started.
    #[error("cannot start compute threads: {0}")]
    Threads(std::io::Error),
    /// The KV cache has no free block left.
    #[error("the KV cache is full: all {n_blocks} blocks are in use")]
    KvFull {
        /// Blocks there are.
        n_blocks: usize,
    },
    /// A sequence longer than there are learned positions.
    #[error(
        "the model has learned {n_positions} positions: a sequence of {n_tokens} tokens is too long for it"
    )]
    Positions {
        /// Tokens of the sequence, the new ones included.
        n_tokens: usize,
        /// Positions there are.
        n_positions: usize,
    },
    /// A token that the model does not have.
    #[error("token {token} is outside the vocabulary of {n_vocab}")]
    Token {
        /// The token.
        token: u32,
        /// Tokens there are.
        n_vocab: usize,
    },
}
