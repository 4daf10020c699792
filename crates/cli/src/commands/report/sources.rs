//! What a report is of: runs by file, by name in the history, or all that a folder has.

use crate::commands::show;
use crate::measured;
use anyhow::{Context, Result, bail};
use pacemark_bench::experiment::{EXPERIMENTS, Experiment, find};
use pacemark_record::{Measured, Run, Trial};
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

/// That there is a figure to report: a run of which nothing succeeded is named, and if all are such it is
/// an error.
pub(super) fn with_figures(sources: &[Source]) -> Result<()> {
    // Facts about a run are no figures of it, unless it is made of nothing else.
    let is_facts = |trial: &&Trial| matches!(trial.measured, Measured::Facts { .. });
    let has_figure = |source: &&Source| {
        let trials = || source.run.trials.iter();
        let only_facts = trials().all(|trial| is_facts(&trial));
        trials().any(|trial| trial.measured.has_result() && (only_facts || !is_facts(&trial)))
    };
    let (with, without): (Vec<&Source>, Vec<&Source>) = sources.iter().partition(has_figure);
    let names: Vec<&str> = without.iter().map(|source| source.name.as_str()).collect();
    if with.is_empty() {
        bail!("{}: there is no figure in it: nothing succeeded", names.join(", "));
    }
    for name in names {
        eprintln!("report: {name}: there is no figure in it: nothing succeeded");
    }
    Ok(())
}

fn one(path: &Path) -> Result<Source> {
    let found = measured::read(path)?;
    let name = found.name.clone();
    let is_facts = |trial: &Trial| matches!(trial.measured, Measured::Facts { .. });
    if found.run.trials.iter().all(is_facts) && !measured::is_ours(path) && path.is_file() {
        bail!(
            "{name}: a result of another tool, without samples that a report is made of: `pacemark compare` reads it"
        );
    }
    show::check(&found.run).with_context(|| name.clone())?;
    let first = &found.run.trials[0].experiment;
    let experiment = find(EXPERIMENTS, first).context("a run that was checked has one")?;
    Ok(Source { name, run: found.run, experiment })
}

/// What a suite or a study left in its folder. Records of steps that did not succeed are not there.
fn folder(path: &Path) -> Result<Vec<Source>> {
    let shown = path.display();
    let mut files = Vec::new();
    within(path, DEPTH, &mut files).with_context(|| format!("cannot read {shown}"))?;
    files.sort();
    let sources: Result<Vec<Source>> = files.iter().map(|file| one(file)).collect();
    let mut sources = sources?;
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

/// A suite has its steps in a folder, a study there one of its own, with one for each time it ran.
const DEPTH: usize = 3;

/// All records of a folder.
fn within(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && depth > 0 {
            within(&path, depth - 1, files)?;
        } else if path.extension().is_some_and(|end| end == "json") && measured::is_ours(&path) {
            files.push(path);
        }
    }
    Ok(())
}
