//! Why a measurement ended without its result.

use pacemark_backend::BackendError;
use pacemark_load::plan::PlanError;

/// Any error of an experiment.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BenchError {
    /// The backend refused or failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The backend ended a request without all the tokens that were asked for.
    #[error("the backend generated {found} of {expected} tokens")]
    TooFewTokens {
        /// Tokens asked for.
        expected: usize,
        /// Tokens that came.
        found: usize,
    },
    /// The KV cache did not hold what the test put there, so the time would be that of another
    /// test.
    #[error("the test needs {expected} tokens in the KV cache, the backend reports {found}")]
    CachedTokens {
        /// Depth of the test.
        expected: usize,
        /// What `Started` reported.
        found: usize,
    },
    /// A depth test on a backend that can't keep a prefix.
    #[error("{backend} cannot keep a prefix, so it cannot be measured at a depth")]
    NoPrefixReuse {
        /// The backend.
        backend: String,
    },
    /// An experiment was given what it does not measure.
    #[error("{experiment} does not measure that")]
    Mismatch {
        /// Its name.
        experiment: &'static str,
    },
    /// The machine could not be asked.
    #[error("{0}")]
    Machine(String),
    /// The load could not be made.
    #[error("{0}")]
    Load(String),
    /// A batch on a backend that computes one sequence at a time.
    #[error("{backend} cannot compute several requests together")]
    NoBatches {
        /// The backend.
        backend: String,
    },
    /// A reference of another vocabulary.
    #[error(
        "the reference predicts {expected} tokens of a vocabulary, the model {found}: they cannot be \
         compared"
    )]
    Vocabulary {
        /// Logits of the reference.
        expected: usize,
        /// Of the candidate.
        found: usize,
    },
    /// Logits that are no numbers.
    #[error("of scored token {token} of a chunk not all logits are finite numbers")]
    NotFinite {
        /// Its number among the scored tokens of its chunk, from 0.
        token: usize,
    },
    /// A text shorter than one chunk.
    #[error("the text has {found} tokens: expected at least {n_ctx}, a chunk")]
    TextTooShort {
        /// Tokens of the text.
        found: usize,
        /// Tokens of a chunk.
        n_ctx: usize,
    },
    /// A study of a text that is too short for it.
    #[error(
        "the text has {found} tokens: expected at least {n_tokens} for each of {wanted} samples, \
         there is room for {room}"
    )]
    TooFewStretches {
        /// Tokens of the text.
        found: usize,
        /// Tokens of a sample.
        n_tokens: usize,
        /// Samples that it has room for.
        room: usize,
        /// Samples wanted.
        wanted: usize,
    },
    /// A chunk length that leaves nothing to score or does not halve.
    #[error("a chunk of {0} tokens: it must be even and at least 4")]
    ChunkLength(usize),
}

impl From<PlanError> for BenchError {
    fn from(error: PlanError) -> BenchError {
        BenchError::Load(error.to_string())
    }
}
