//! Why a backend could not do what it was asked. Each variant is a kind of error that a caller
//! treats in its own way: a server gives each a status.

use pacemark_files::bounded;
use std::borrow::Cow;

/// Why a backend could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BackendError {
    /// The request is not one that this model can serve.
    #[error("{}", bounded(.0))]
    InvalidRequest(String),
    /// The backend has no such ability.
    #[error("{backend} cannot {ability}")]
    Unsupported {
        /// The backend's name.
        backend: &'static str,
        /// What was asked, as a verb phrase; of an engine in another process in its own words.
        ability: Cow<'static, str>,
    },
    /// The prompt and the tokens to generate do not fit the context.
    #[error(
        "the prompt has {prompt} tokens and {max_tokens} are to be generated, but the context holds {n_ctx}"
    )]
    ContextExceeded {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens to generate.
        max_tokens: usize,
        /// What fits.
        n_ctx: usize,
    },
    /// They do not fit something else that bounds a sequence.
    #[error("{}", bounded(.found))]
    TooLong {
        /// What was found, in words.
        found: String,
        /// Tokens that would fit.
        n_ctx: usize,
    },
    /// There is no room for the request now; there may be when others have ended.
    #[error("{}", bounded(.0))]
    Full(String),
    /// Anything else the engine reported.
    #[error("{}", bounded(.0))]
    Engine(String),
}
