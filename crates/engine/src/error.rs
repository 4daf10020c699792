//! Why a model cannot be loaded or run.

use pacemark_files::excerpt;
use pacemark_modelfile::ModelFileError;
use pacemark_modelfile::arch::ArchError;

/// Any error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file cannot be read, or a key has the wrong form.
    #[error(transparent)]
    ModelFile(#[from] ModelFileError),
    /// The file is no model of an architecture that is known.
    #[error(transparent)]
    Arch(#[from] ArchError),
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
