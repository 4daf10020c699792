//! What can go wrong, with the line of the template where it did.

use pacemark_files::bounded;

/// Why a template was not compiled or not rendered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a template.
    #[error("line {line}: {}", bounded(message))]
    Syntax {
        /// Counted from 1.
        line: u32,
        /// What is wrong there.
        message: String,
    },
    /// The template called `raise_exception`.
    #[error("{}", bounded(.0))]
    Raised(String),
    /// What Python would have raised, or what is refused.
    #[error("line {line}: {}", bounded(message))]
    Render {
        /// Of the statement, counted from 1.
        line: u32,
        /// What went wrong.
        message: String,
    },
    /// A bound on what a template may do.
    #[error("expected at most {limit} {what}, found more")]
    Limit {
        /// How many are allowed.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
}

/// Boxed, so that a result is not larger than the value in it.
pub(crate) type Result<T> = std::result::Result<T, Box<Error>>;

/// An error of rendering; the statement it leaves adds its line.
pub(crate) fn failure(message: impl Into<String>) -> Box<Error> {
    Box::new(Error::Render { line: 0, message: message.into() })
}

/// [`failure`] as a result.
pub(crate) fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(failure(message))
}

/// An error of compiling.
pub(crate) fn syntax<T>(line: u32, message: impl Into<String>) -> Result<T> {
    Err(Box::new(Error::Syntax { line, message: message.into() }))
}

impl Error {
    /// Says where it happened, unless that is known.
    pub(crate) fn at(mut self: Box<Error>, statement: u32) -> Box<Error> {
        if let Error::Render { line: line @ 0, .. } = &mut *self {
            *line = statement;
        }
        self
    }
}
