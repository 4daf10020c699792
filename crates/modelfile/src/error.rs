//! The one error type of this crate: each names the file, the field in it, what was expected and what was found.

use std::path::{Path, PathBuf};

/// Why a model file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The operating system refused.
    #[error("{}: cannot {action}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, e.g. `open the file`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The content breaks the format, or is not what the reader needs.
    #[error("{}: {field}: expected {expected}, found {found}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The key, tensor or part of the header.
        field: String,
        /// What would have been right.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl ModelFileError {
    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> ModelFileError {
        ModelFileError::Io { path: path.to_owned(), action, source }
    }

    /// An [`ModelFileError::Invalid`]: for this crate and for those that read a model's content (engine, tokenizer).
    pub fn invalid(
        path: &Path,
        field: impl ToString,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ModelFileError {
        let (field, expected, found) = (field.to_string(), expected.into(), found.into());
        ModelFileError::Invalid { path: path.to_owned(), field, expected, found }
    }
}
