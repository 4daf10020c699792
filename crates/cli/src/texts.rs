//! Texts that are measured on: a file, all texts of a folder, or the book that comes with Pacemark.

use crate::exit::UsageError;
use crate::input;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The book that comes with Pacemark. Its origin: `texts/README.md`.
const BOOK: &str = include_str!("../texts/tempest.txt");

/// A text and what it is called.
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) name: String,
}

/// The book.
pub(crate) fn book() -> Text {
    Text { text: BOOK.to_owned(), name: "tempest.txt (comes with Pacemark)".into() }
}

/// What `--text` asks for.
pub(crate) fn read(path: Option<&Path>) -> Result<Text> {
    let Some(path) = path else { return Ok(book()) };
    let name = path.display().to_string();
    let text = if path.is_dir() { folder(path)? } else { input::read_file(path)? };
    Ok(Text { text, name })
}

/// All its `.txt` files one after the other, in the order of their names.
fn folder(path: &Path) -> Result<String> {
    let cannot = || format!("cannot read {}", path.display());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).with_context(cannot)? {
        files.push(entry.with_context(cannot)?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    if files.is_empty() {
        let why = format!("--text {}: there is no file *.txt in it", path.display());
        return Err(UsageError(why).into());
    }
    let texts: Result<Vec<String>> = files.iter().map(|file| input::read_file(file)).collect();
    Ok(texts?.join("\n"))
}
