//! What a command is given: text by flag, file or standard input.

use crate::exit::UsageError;
use anyhow::{Context, Result};
use pacemark_backend::BackendInfo;
use pacemark_files::{bounded, text};
use pacemark_yaml::YamlError;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

/// Tells what was passed over while a model was read.
pub(crate) fn warn(info: &BackendInfo) {
    for warning in &info.warnings {
        eprintln!("warning: {}", bounded(warning));
    }
}

/// The prompt given by `-p` or `-f`, else all of standard input.
pub(crate) fn prompt(text: Option<&str>, file: Option<&PathBuf>) -> Result<String> {
    match (text, file) {
        (Some(text), _) => Ok(text.to_string()),
        (None, Some(path)) => read_file(path),
        (None, None) if std::io::stdin().is_terminal() => {
            Err(UsageError("no prompt: give -p TEXT, -f FILE, or text on standard input".into())
                .into())
        }
        (None, None) => read_stdin(),
    }
}

/// A file's text, without a byte-order mark.
pub(crate) fn read_file(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    decoded(bytes, &path.display().to_string())
}

/// All of standard input, without a byte-order mark.
pub(crate) fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    decoded(bytes, "standard input")
}

/// What to say of a file with mistakes: each has a line of its own, however many there are.
pub(crate) fn mistaken(error: &YamlError) -> anyhow::Error {
    if error.mistakes.len() > 1 {
        error.to_string().lines().for_each(|line| eprintln!("{line}"));
        let n = error.mistakes.len();
        return UsageError(format!("{}: {n} mistakes", error.file)).into();
    }
    UsageError(error.to_string()).into()
}

fn decoded(bytes: Vec<u8>, source: &str) -> Result<String> {
    text::decode(bytes).with_context(|| source.to_owned())
}
