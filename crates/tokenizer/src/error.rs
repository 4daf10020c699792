//! What can be wrong with a vocabulary, or with the ids asked for.

use pacemark_modelfile::ModelFileError;

/// Why a tokenizer could not be built or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The metadata does not describe a usable vocabulary; names file, key, expected and found.
    #[error(transparent)]
    Metadata(#[from] ModelFileError),
    /// An id that no token has.
    #[error("token id: expected less than {vocab_size}, the size of the vocabulary; found {id}")]
    UnknownId {
        /// The id asked for.
        id: u32,
        /// Tokens in the vocabulary.
        vocab_size: usize,
    },
}
