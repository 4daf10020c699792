//! What is wrong with a file, all of it at once.

use std::fmt;

/// Of more mistakes than this the first are told, and how many there are.
const TOLD: usize = 20;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its line, from 1; 0 where it is of the file as a whole.
    pub line: u64,
    /// The keys that lead to it, e.g. `benchmark.latency.input_lengths[2]`; empty at the top.
    pub path: String,
    /// What was expected, and what is there.
    pub what: String,
}

/// A file that cannot be read as what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// The file's name.
    pub file: String,
    /// What is wrong with it, by line.
    pub mistakes: Vec<Mistake>,
}

impl std::error::Error for YamlError {}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.iter().take(TOLD).enumerate() {
            let between = if i == 0 { "" } else { "\n" };
            write!(f, "{between}{}:", self.file)?;
            if mistake.line > 0 {
                write!(f, "{}:", mistake.line)?;
            }
            if !mistake.path.is_empty() {
                write!(f, " {}:", mistake.path)?;
            }
            write!(f, " {}", mistake.what)?;
        }
        match self.mistakes.len().checked_sub(TOLD) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\n{}: and {more} mistakes more", self.file),
        }
    }
}

/// A path and the key that goes on from it.
pub(crate) fn joined(path: &str, key: &str) -> String {
    let key = pacemark_files::excerpt(key);
    if path.is_empty() { key.into_owned() } else { format!("{path}.{key}") }
}

/// What to say of a key that nobody knows.
pub(crate) fn unknown_key<'n>(key: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    match pacemark_files::nearest(key, known.clone()) {
        Some(name) => format!("unknown key, did you mean {name}?"),
        None => {
            let known = pacemark_files::by_likeness(key, known).join(", ");
            format!("unknown key, expected one of {}", pacemark_files::excerpt(&known))
        }
    }
}
