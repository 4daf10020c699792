//! How far a suite is: `suite.json` in its folder, written anew after each step, whole or not at all.

use super::models::Model;
use super::plan::Step;
use super::settings::Setting;
use crate::exit::UsageError;
use anyhow::{Context, Result, bail};
use pacemark_record::{Env, Run};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the file.
const SCHEMA: u32 = 1;

/// The file's name.
pub(super) const FILE: &str = "suite.json";

/// A suite: what it is to be, and what is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub schema: u32,
    /// The suite's file, as it was named; empty without one.
    pub file: String,
    /// The machine and the build.
    pub env: Env,
    /// Every value and where it came from.
    pub settings: Vec<Setting>,
    pub models: Vec<Model>,
    pub steps: Vec<Step>,
    /// Steps that came to an end, in order.
    pub done: Vec<Done>,
}

/// A step that came to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Done {
    /// [`Step::id`].
    pub id: String,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<String>,
}

impl State {
    pub(super) fn new(
        file: String,
        env: Env,
        settings: Vec<Setting>,
        models: Vec<Model>,
        steps: Vec<Step>,
    ) -> State {
        State { schema: SCHEMA, file, env, settings, models, steps, done: Vec::new() }
    }

    /// Reads that of a folder.
    pub(super) fn load(folder: &Path) -> Result<State> {
        let path = folder.join(FILE);
        let text = crate::input::read_file(&path)?;
        let wrong = || format!("{}: not the state of a suite", path.display());
        let state: serde_json::Value = serde_json::from_str(&text).with_context(wrong)?;
        let schema = state.get("schema").and_then(serde_json::Value::as_u64);
        if schema.is_some_and(|schema| schema > SCHEMA.into()) {
            let found = schema.unwrap_or_default();
            bail!("{}: schema {found}, this version reads up to {SCHEMA}", path.display());
        }
        serde_json::from_value(state).with_context(wrong)
    }

    pub(super) fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec_pretty(self)?;
        pacemark_files::write(&path, &text).with_context(|| path.display().to_string())?;
        Ok(())
    }

    /// What is still to be run: also what failed before.
    pub(super) fn pending(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.skipped.is_none() && !self.is_done(step))
    }

    pub(super) fn is_done(&self, step: &Step) -> bool {
        self.done.iter().any(|done| done.id == step.id)
    }

    /// Forgets the failures and what has no record any more, for another try.
    pub(super) fn try_again(&mut self, folder: &Path) {
        let steps = self.steps.clone();
        let has_record = |done: &Done| {
            let step = steps.iter().find(|step| step.id == done.id);
            step.is_some_and(|step| record_file(step, folder).is_some())
        };
        self.done.retain(|done| done.error.is_none() && has_record(done));
    }

    /// Refuses to go on with a suite that has become another.
    pub(super) fn check_same(&self, now: &State) -> Result<(), UsageError> {
        let differs =
            |a: &Setting| now.settings.iter().all(|b| (&a.key, &a.value) != (&b.key, &b.value));
        if let Some(setting) = self.settings.iter().find(|setting| differs(setting)) {
            let (key, value) = (&setting.key, &setting.value);
            return Err(UsageError(format!(
                "--resume: {key} was {value} when the suite began and is not now; it goes on only as \
                 it began"
            )));
        }
        let build = |state: &State| (state.env.version.clone(), state.env.commit.clone());
        let why = if let Some((before, _)) =
            self.models.iter().zip(&now.models).find(|(before, now)| before != now)
        {
            format!("the model {} is not what it was", pacemark_files::excerpt(&before.name))
        } else if build(self) != build(now) {
            let (before, after) = (&self.env.commit, &now.env.commit);
            format!("it began with the build {before}, this is {after}")
        } else if self.steps != now.steps {
            "its steps are not those that it began with".to_owned()
        } else {
            return Ok(());
        };
        Err(UsageError(format!("--resume: {why}; it goes on only as it began")))
    }

    /// The record of a step that succeeded.
    pub(super) fn record(&self, step: &Step, folder: &Path) -> Option<Run> {
        let done = self.done.iter().find(|done| done.id == step.id)?;
        let path = record_file(step, folder).filter(|_| done.error.is_none())?;
        Run::from_json(&std::fs::read_to_string(path).ok()?).ok()
    }
}

/// The file of a step's record; an experiment may have made a folder of its own for it.
fn record_file(step: &Step, folder: &Path) -> Option<PathBuf> {
    let record = step.record(folder);
    if record.is_file() {
        return Some(record);
    }
    let entries = std::fs::read_dir(&record).ok()?.flatten();
    entries.map(|entry| entry.path().join("record.json")).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::super::settings::Origin;
    use super::*;

    #[test]
    fn a_suite_goes_on_only_as_it_began() {
        let step = |id: &str| Step { id: id.into(), ..Step::default() };
        let setting = |n: u64| Setting { key: "a".into(), value: n.into(), from: Origin::Default };
        let state = |n: u64, steps| {
            State::new("f".into(), Env::default(), vec![setting(n)], Vec::new(), steps)
        };
        let mut began = state(1, vec![step("x"), step("y")]);
        began.done.push(Done { id: "x".into(), seconds: 1.0, error: Some("broken".into()) });
        assert_eq!(began.pending().count(), 1);
        began.try_again(Path::new("nowhere"));
        assert_eq!(began.pending().count(), 2);
        assert!(began.check_same(&state(1, vec![step("x"), step("y")])).is_ok());
        let said = began.check_same(&state(2, began.steps.clone())).unwrap_err().0;
        assert!(said.contains("a was 1"), "{said}");
        assert!(began.check_same(&state(1, vec![step("x")])).is_err());
    }
}
