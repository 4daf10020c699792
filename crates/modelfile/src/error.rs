//! The one error type of this crate: each names the file, the field in it, what was expected and
//! what was found.

use pacemark_files::{OutputError, bounded, excerpt};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Why a model file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The operating system refused.
    #[error("{}: cannot {action}", excerpt(&path.to_string_lossy()))]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, e.g. `open the file`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The content breaks the format, or is not what the reader needs.
    #[error("{}: {field}: expected {expected}, found {found}", excerpt(&path.to_string_lossy()))]
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
    /// The file ends before what it says it holds: fields as of [`ModelFileError::Invalid`].
    #[error("{}: {field}: expected {expected}, found {found}: the file is cut short or damaged", excerpt(&path.to_string_lossy()))]
    #[allow(missing_docs, reason = "the fields are those above")]
    CutShort { path: PathBuf, field: String, expected: String, found: String },
    /// The file could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl ModelFileError {
    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> ModelFileError {
        ModelFileError::Io { path: path.to_owned(), action, source }
    }

    /// An [`ModelFileError::Invalid`]: for this crate and for those that read a model's content
    /// (engine, tokenizer). Each text may be the file's, of any length, and is cut to an excerpt.
    pub fn invalid(
        path: &Path,
        field: impl ToString,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ModelFileError {
        let [field, expected, found] = cut([field.to_string(), expected.into(), found.into()]);
        ModelFileError::Invalid { path: path.to_owned(), field, expected, found }
    }

    pub(crate) fn cut_short(
        path: &Path,
        field: &dyn Display,
        expected: String,
        found: String,
    ) -> ModelFileError {
        let [field, expected, found] = cut([field.to_string(), expected, found]);
        ModelFileError::CutShort { path: path.to_owned(), field, expected, found }
    }
}

/// What was expected is in our words, and may be a list of names.
fn cut([field, expected, found]: [String; 3]) -> [String; 3] {
    [excerpt(&field), bounded(&expected), excerpt(&found)].map(|text| text.into_owned())
}
