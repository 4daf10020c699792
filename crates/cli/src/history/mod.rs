//! The history as every command sees it: where it is, which of its flags a command that measures has,
//! and how a run gets into it. Reading it is left to `commands/history`.

mod aside;
mod when;

use crate::exit::UsageError;
use crate::hub::Cache;
use anyhow::{Result, anyhow};
use pacemark_bench::EXPERIMENTS;
use pacemark_bench::experiment::find;
use pacemark_files::bounded;
use pacemark_record::{Run, Trial};
use pacemark_store::{KeptRun, Label, Store, StoreError, check_note, check_tag};
use std::path::{Path, PathBuf};
pub(crate) use when::{age, since};

/// Where the history is, if not in the home of models; `off` for none.
const VARIABLE: &str = "PACEMARK_HISTORY";

/// Where these flags stand in the help.
const HEADING: &str = "History";

/// What a command says of its run to the history.
#[derive(clap::Args, Debug)]
pub(crate) struct HistoryArgs {
    /// Keep this run out of the history (`pacemark history`)
    #[arg(long, help_heading = HEADING)]
    no_history: bool,
    /// A word to find this run by; again for several
    #[arg(long = "tag", value_name = "TAG", value_parser = tag, conflicts_with = "no_history", help_heading = HEADING)]
    tags: Vec<String>,
    /// What there is to say of this run
    #[arg(long, value_name = "TEXT", value_parser = note, conflicts_with = "no_history", help_heading = HEADING)]
    note: Option<String>,
}

/// A tag, as it may be.
pub(crate) fn tag(text: &str) -> Result<String, String> {
    check_tag(text).map(|()| text.to_owned())
}

/// A note, as it may be.
pub(crate) fn note(text: &str) -> Result<String, String> {
    check_note(text).map(|()| text.to_owned())
}

/// Where a run goes when it ends: to the history, once.
pub(crate) struct Archive(Option<Said>);

/// What is said of it there.
struct Said {
    tags: Vec<String>,
    note: Option<String>,
}

impl HistoryArgs {
    /// Where the run of a command with these flags goes.
    pub(crate) fn archive(&self) -> Archive {
        let said = || Said { tags: self.tags.clone(), note: self.note.clone() };
        Archive((!self.no_history).then(said))
    }

    /// The same of a command whose run goes there only where something was said of it.
    pub(crate) fn archive_if_said(&self) -> Archive {
        let is_said = !self.tags.is_empty() || self.note.is_some();
        if is_said { self.archive() } else { Archive(None) }
    }
}

impl Archive {
    /// Keeps the run. If the history does not take it, it goes to a file, and standard error says
    /// which: who measured is not stopped by that.
    pub(crate) fn keep(&mut self, run: &Run) {
        let Some(Said { tags, note }) = self.0.take() else { return };
        let Some(place) = place().transpose() else { return };
        let kept = match KeptRun::of(run) {
            Ok(kept) => kept.said(tags, note),
            Err(error) => return eprintln!("warning: this run is not in the history: {error}"),
        };
        let saved = match &place {
            Ok(path) => save(&kept, path).map_err(|error| format!("{error:#}")),
            Err(error) => Err(format!("{error:#}")),
        };
        if let Err(why) = saved {
            eprintln!("warning: this run is not in the history: {}", bounded(&why));
            aside::put(&kept, place.as_deref().ok());
        }
    }
}

fn save(run: &KeptRun, path: &Path) -> Result<()> {
    Store::open(path)?.save(std::slice::from_ref(run), &label)?;
    Ok(())
}

/// The history's file; `None` where none is wanted.
pub(crate) fn place() -> Result<Option<PathBuf>> {
    match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        Some(value) if value == "off" => Ok(None),
        Some(path) => Ok(Some(PathBuf::from(path))),
        None => Ok(Some(Cache::from_env()?.home().join("history.db"))),
    }
}

/// Whether `text` can name a run there: `latest`, `latest~N` or the beginning of an id.
pub(crate) fn is_name(text: &str) -> bool {
    let is_recent = text.strip_prefix("latest").is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('~').is_some_and(|n| n.parse::<usize>().is_ok())
    });
    is_recent || (!text.is_empty() && text.bytes().all(|c| c.is_ascii_hexdigit()))
}

/// The history, which has a run at least.
pub(crate) fn existing() -> Result<Store> {
    let path = required()?;
    Store::open_existing(&path)?.ok_or_else(|| {
        anyhow!("there is no history yet at {}: a command that measures makes it", path.display())
    })
}

/// Where the history is to be.
pub(crate) fn required() -> Result<PathBuf> {
    place()?
        .ok_or_else(|| UsageError("there is no history: PACEMARK_HISTORY is off".to_owned()).into())
}

/// The id of a run that was named on the command line.
pub(crate) fn found(store: &Store, name: &str) -> Result<String> {
    store.find(name).map_err(|error| match error {
        StoreError::Unknown { .. } | StoreError::Ambiguous { .. } | StoreError::TooFew { .. } => {
            UsageError(error.to_string()).into()
        }
        error => error.into(),
    })
}

/// The id of the run of that name.
pub(crate) fn id(name: &str) -> Result<String> {
    found(&existing()?, name)
}

/// The run of that name.
pub(crate) fn run(name: &str) -> Result<Run> {
    let store = existing()?;
    Ok(store.load(&found(&store, name)?)?.run().clone())
}

/// What the index says of a trial.
pub(crate) fn label(run: &Run, trial: &Trial) -> Label {
    let experiment = find(EXPERIMENTS, &trial.experiment);
    // One that a later version knows is kept all the same.
    let Some(experiment) = experiment.filter(|experiment| experiment.reads(&trial.measured)) else {
        return Label { test: trial.test_name(), figure: None };
    };
    let value =
        experiment.headline().and_then(|metric| Some((metric.name(), metric.of(trial).value?)));
    Label { test: experiment.row_name(run, trial), figure: value }
}
