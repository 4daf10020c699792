//! The record of `--save`: a file that is whole after every row.

use super::files::{Input, create};
use anyhow::{Context, Result};
use pacemark_files::Output;
use pacemark_record::Run;
use std::path::{Path, PathBuf};

/// A record in the making.
pub(crate) struct Record {
    path: PathBuf,
    /// Ready to be written: that it can be is known before anything is measured.
    file: Option<Output>,
}

impl Record {
    /// The record that `--save` asks for, never over one of `inputs`.
    pub(crate) fn create(path: Option<&Path>, inputs: &[Input<'_>]) -> Result<Option<Record>> {
        let Some(path) = path else { return Ok(None) };
        let file = create("--save", path, inputs)?;
        Ok(Some(Record { path: path.to_owned(), file: Some(file) }))
    }

    /// Writes all that there is so far, in place of what was written before. What is no file, a
    /// FIFO or a device, gets the whole record at the end and nothing before.
    pub(crate) fn keep(&mut self, run: &Run) -> Result<()> {
        if self.file.as_ref().is_some_and(|file| !file.replaces()) {
            return Ok(());
        }
        self.write(run)
    }

    /// Writes all of it.
    pub(crate) fn finish(mut self, run: &Run) -> Result<()> {
        self.write(run)
    }

    fn write(&mut self, run: &Run) -> Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => Output::create(&self.path)?,
        };
        serde_json::to_writer(&mut file, run)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        file.finish()?;
        Ok(())
    }
}

/// The command line without what it may hold of keys.
pub(super) fn command_line() -> Vec<String> {
    without_secrets(std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect())
}

fn without_secrets(mut command: Vec<String>) -> Vec<String> {
    let mut hide = false;
    for word in &mut command {
        // A query may hold one.
        if let Some((before, _)) = word.split_once('?').filter(|(before, _)| before.contains("://"))
        {
            *word = format!("{before}?…");
        }
        if std::mem::take(&mut hide) {
            *word = "…".to_owned();
        } else if matches!(word.as_str(), "--api-key" | "--header") {
            hide = true;
        } else if let Some((name @ ("--api-key" | "--header"), _)) = word.split_once('=') {
            *word = format!("{name}=…");
        }
    }
    command
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_not_kept() {
        let command = [
            "load",
            "--api-key",
            "s1",
            "--header=X: s2",
            "--url",
            "http://u?key=s4",
            "--header",
            "s3",
        ];
        let kept = super::without_secrets(command.map(str::to_owned).to_vec()).join(" ");
        assert_eq!(kept, "load --api-key … --header=… --url http://u?… --header …");
    }
}
