//! Why a file is no model of an architecture that is known.

use crate::ModelFileError;
use pacemark_files::{bounded, excerpt};

/// What is wrong with a file's keys or tensors.
#[derive(Debug, thiserror::Error)]
pub enum ArchError {
    /// A key has the wrong form.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The file's architecture has no row in [`super::ARCHS`].
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
}
