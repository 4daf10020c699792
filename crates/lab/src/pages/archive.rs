//! The history as pages see it: opened for each page, and never a reason to break down.

use super::shell::Wrong;
use pacemark_bench::experiment::find;
use pacemark_bench::{EXPERIMENTS, Experiment};
use pacemark_record::Run;
use pacemark_store::{Store, StoreError, Written};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Digits of an id that are shown to people.
const DIGITS: usize = 10;

/// Where runs are kept.
#[derive(Clone)]
pub(super) struct Archive(Option<Arc<Path>>);

/// A run of it.
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) written: Written,
    pub(super) run: Run,
    pub(super) experiment: &'static dyn Experiment,
}

impl Archive {
    pub(super) fn new(path: Option<PathBuf>) -> Archive {
        Archive(path.map(Into::into))
    }

    /// Whether runs are kept at all.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The history; `None` where no run was kept yet, or none are.
    pub(super) fn open(&self) -> Result<Option<Store>, Wrong> {
        let Some(path) = &self.0 else { return Ok(None) };
        Store::open_existing(path).map_err(|error| wrong(&error))
    }

    /// The same where a run is to be in it.
    pub(super) fn required(&self) -> Result<Store, Wrong> {
        self.open()?.ok_or_else(|| Wrong::unknown(self.absent()))
    }

    /// Why there is no run.
    pub(super) fn absent(&self) -> &'static str {
        match self.is_on() {
            true => "No run was kept yet: a benchmark that ends is.",
            false => "Runs are not kept: the history is off.",
        }
    }
}

/// What a history said, as a page.
pub(super) fn wrong(error: &StoreError) -> Wrong {
    let why = with_causes(error);
    match error {
        StoreError::Unknown { .. } | StoreError::TooFew { .. } => Wrong::unknown(why),
        StoreError::Ambiguous { .. } => Wrong::asked(why),
        StoreError::Record { .. } => Wrong::unshown(why),
        _ => Wrong::history(why),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let said = std::iter::once(error.to_string()).chain(causes.map(ToString::to_string));
    said.collect::<Vec<_>>().join(": ")
}

/// The first digits of an id.
pub(super) fn short(id: &str) -> String {
    id.chars().take(DIGITS).collect()
}

/// The id of the run of that name, and its record as it was written.
pub(super) fn written(store: &Store, name: &str) -> Result<(String, Written), Wrong> {
    let id = store.find(name).map_err(|error| wrong(&error))?;
    let written = store.written(&id).map_err(|error| wrong(&error))?;
    Ok((id, written))
}

/// The run of that name, of one experiment that this version can show.
pub(super) fn kept(store: &Store, name: &str) -> Result<Kept, Wrong> {
    let (id, written) = written(store, name)?;
    let unshown = |why: String| Wrong::unshown(format!("run {}: {why}", short(&id)));
    let run = Run::from_json(&written.record).map_err(|error| unshown(error.to_string()))?;
    let experiment = experiment(&run).map_err(unshown)?;
    Ok(Kept { id, written, run, experiment })
}

/// What measured a run, where all of it can be shown.
fn experiment(run: &Run) -> Result<&'static dyn Experiment, String> {
    let first = run.trials.first().ok_or("there is no row in it")?;
    let name = pacemark_files::quoted(&first.experiment);
    if run.trials.iter().any(|trial| trial.experiment != first.experiment) {
        return Err("its rows are of several experiments".to_owned());
    }
    let experiment = find(EXPERIMENTS, &first.experiment)
        .ok_or_else(|| format!("its experiment {name} is not known to this version"))?;
    match run.trials.iter().all(|trial| experiment.reads(&trial.measured)) {
        true => Ok(experiment),
        false => Err(format!("what was measured is nothing that {name} measures")),
    }
}
