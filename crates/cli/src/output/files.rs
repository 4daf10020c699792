//! Files that commands write beside what they print (`--save`, `--chart`): made sure of at the
//! beginning, and never what is read.

use crate::exit::UsageError;
use anyhow::Result;
use pacemark_files::{Output, look, resolved};
use pacemark_modelfile::ModelFile;
use std::path::{Path, PathBuf};

/// What a command reads, and so does not write over.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// A file.
    File(&'a Path),
    /// A model: all its files.
    Model(&'a Path),
    /// Another output, which is as little to be lost.
    Output(&'a Path),
}

/// Makes sure that `path`, the value of `flag`, can be written: an hour's work is not to be lost to
/// a folder that is not there.
pub(crate) fn create(flag: &str, path: &Path, inputs: &[Input<'_>]) -> Result<Output> {
    if let Some(input) = inputs.iter().find(|input| input.is(path)) {
        let what = match input {
            Input::File(_) => "is read too",
            Input::Model(_) => "is part of the model",
            Input::Output(_) => "is to be written twice",
        };
        return Err(UsageError(format!("{flag} {}: it {what}", path.display())).into());
    }
    Ok(Output::create(path)?)
}

impl Input<'_> {
    /// Whether writing to `path` would cost this.
    fn is(&self, path: &Path) -> bool {
        // Of what is no regular file nothing is lost: a terminal is read and written, too.
        let is_file = look::at(path).is_ok_and(|about| about.is_none_or(|about| about.is_file()));
        is_file
            && match self {
                Input::File(file) => look::is_same(file, path),
                Input::Model(model) => {
                    ModelFile::open(model).is_ok_and(|model| model.is_read_from(path))
                }
                Input::Output(other) => {
                    look::is_same(other, path)
                        || place(other).is_some_and(|other| place(path) == Some(other))
                }
            }
    }
}

/// One name for all spellings of a path whose file may not exist yet.
fn place(path: &Path) -> Option<PathBuf> {
    let target = std::path::absolute(resolved(path).ok()?).ok()?;
    Some(target.parent()?.canonicalize().ok()?.join(target.file_name()?))
}
