//! What a report is of: runs by file, by name in the history, or all that a folder has.

use crate::commands::show;
use crate::measured;
use anyhow::{Context, Result, bail};
use pacemark_bench::experiment::{EXPERIMENTS, Experiment, find};
use pacemark_record::Run;
use std::path::{Path, PathBuf};

/// A run with what measured it.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) run: Run,
    pub(super) experiment: &'static dyn Experiment,
}

/// All of them, those of one experiment beside each other where they are of one folder.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Source>> {
    measured::once(&paths.iter().collect::<Vec<_>>())?;
    let mut sources = Vec::new();
    for path in paths {
        if path.is_dir() {
            sources.extend(folder(path)?);
        } else {
            sources.push(one(path)?);
        }
    }
    Ok(sources)
}

fn one(path: &Path) -> Result<Source> {
    let found = measured::read(path)?;
    let name = found.name.clone();
    show::check(&found.run).with_context(|| name.clone())?;
    let first = &found.run.trials[0].experiment;
    let experiment = find(EXPERIMENTS, first).context("a run that was checked has one")?;
    Ok(Source { name, run: found.run, experiment })
}

/// What a suite or a study left in its folder. Records of steps that did not succeed are not there.
fn folder(path: &Path) -> Result<Vec<Source>> {
    let shown = path.display();
    let mut files = Vec::new();
    for folder in [path.to_owned(), path.join("steps")] {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(_) if folder != path => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
        };
        for entry in entries {
            let file = entry.with_context(|| format!("cannot read {shown}"))?.path();
            // A study has a folder of its own among the steps.
            files.push(if file.is_dir() { file.join("record.json") } else { file });
        }
    }
    files.retain(|file| file.extension().is_some_and(|end| end == "json") && file.is_file());
    files.sort();
    let mut sources: Vec<Source> = Vec::new();
    for file in files.iter().filter(|file| is_record(file)) {
        sources.push(one(file)?);
    }
    if sources.is_empty() {
        bail!(
            "{shown}: there is no record in it: nothing succeeded, or it is not a suite's folder"
        );
    }
    let place =
        |source: &Source| EXPERIMENTS.iter().position(|e| e.name() == source.experiment.name());
    sources.sort_by_key(place);
    Ok(sources)
}

/// Not how far a suite is, nor its report.
fn is_record(file: &Path) -> bool {
    let others = ["suite.json", "report.json", "results.json"];
    !file.file_name().is_some_and(|name| others.iter().any(|other| name == *other))
}
