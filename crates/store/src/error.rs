//! What can go wrong with a history, in words that say what to do.

use pacemark_files::excerpt;
use pacemark_record::RecordError;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why a history does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the history {}: {trouble}", path.display())]
    Database {
        /// Its file.
        path: PathBuf,
        /// What kind of failure it is.
        trouble: Trouble,
        /// SQLite's own words.
        source: rusqlite::Error,
    },
    /// Its folder cannot be made or looked into.
    #[error("the history {}", path.display())]
    Folder {
        /// Its file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is a database of another program.
    #[error("{}: expected a history of Pacemark, found a database of another program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error(
        "the history {} has schema {found}, this version reads up to {known}: use a newer Pacemark, \
         or another file (PACEMARK_HISTORY)",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: usize,
        /// The latest that is known.
        known: usize,
    },
    /// No run has that id.
    #[error(
        "{}: no run of the history has this id (see `pacemark history list`); expected the first \
         digits of one, latest or latest~N",
        excerpt(name)
    )]
    Unknown {
        /// As it was asked for.
        name: String,
    },
    /// Several have.
    #[error("{name}: several runs have an id that begins so: {}", found.join(", "))]
    Ambiguous {
        /// As it was asked for.
        name: String,
        /// Some of them.
        found: Vec<String>,
    },
    /// Fewer runs than that are kept.
    #[error("{name}: the history has {kept} runs")]
    TooFew {
        /// As it was asked for.
        name: String,
        /// How many there are.
        kept: u64,
    },
    /// A record in it cannot be read.
    #[error("run {id} of the history")]
    Record {
        /// The run's id.
        id: String,
        /// Why.
        source: RecordError,
    },
}

/// Kinds of failure of a database that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Another process does not let go of it.
    Locked,
    /// What is in the file is no database, or a broken one.
    Damaged,
    /// It may be read only.
    ReadOnly,
    /// There is no room for more.
    Full,
    /// Anything else.
    Other,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Trouble::Locked => "another process has held it for too long",
            Trouble::Damaged => {
                "it is no database, or a damaged one; if it was a history, move it away, and \
                 `pacemark history import` what was exported of it"
            }
            Trouble::ReadOnly => "it may not be written",
            Trouble::Full => "there is no room left for it",
            Trouble::Other => "it failed",
        })
    }
}

impl StoreError {
    /// What SQLite said of the database at `path`.
    pub(crate) fn database(path: &Path, source: rusqlite::Error) -> StoreError {
        let trouble = match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Trouble::Locked,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Trouble::ReadOnly,
            Some(ErrorCode::DiskFull) => Trouble::Full,
            _ => Trouble::Other,
        };
        StoreError::Database { path: path.to_owned(), trouble, source }
    }

    /// What kind of failure of the database it is, if it is one.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            StoreError::Database { trouble, .. } => Some(*trouble),
            _ => None,
        }
    }
}
