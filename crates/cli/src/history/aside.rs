//! A run that the history does not take: a file beside it, or in a temporary folder.

use pacemark_files::write;
use pacemark_report::layout::compact_time;
use pacemark_store::{KeptRun, lines};
use std::path::{Path, PathBuf};

/// Digits of a run's id in the name of its file.
const DIGITS: usize = 12;

/// Writes it, and tells where.
pub(super) fn put(run: &KeptRun, history: Option<&Path>) {
    let name =
        format!("{}_{}.json", compact_time(run.run().env.started_unix_s), &run.id()[..DIGITS]);
    let mut failed = Vec::new();
    for folder in folders(history) {
        let path = folder.join(&name);
        match put_in(&folder, &path, &lines::line(run)) {
            Ok(()) => {
                let path = path.display();
                return eprintln!("It is in {path}: `pacemark history import {path}` takes it in.");
            }
            Err(why) => failed.push(format!("{}: {why}", path.display())),
        }
    }
    eprintln!("Nor could it be written to a file: {}", failed.join("; "));
}

/// Where it may lie, the best first.
fn folders(history: Option<&Path>) -> Vec<PathBuf> {
    let beside = history.and_then(Path::parent).map(|folder| folder.join("unsaved"));
    beside.into_iter().chain([std::env::temp_dir().join("pacemark-unsaved")]).collect()
}

fn put_in(folder: &Path, path: &Path, line: &str) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    write(path, line.as_bytes()).map(drop).map_err(|error| error.source.to_string())
}
