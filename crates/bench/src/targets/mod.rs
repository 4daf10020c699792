//! Targets of a file, judged against runs.
//!
//! Which figure a name means is [`Named`]'s business, whether an interval keeps a bound
//! [`Bound::judge`]'s. Here every target meets every trial that it is for, and one that no trial can
//! answer is told rather than passed over.

mod junit;
mod page;
mod read;

use crate::named::{Found, Named};
pub use junit::junit;
use pacemark_record::{Bound, Run, TargetVerdict, Trial};
pub use page::{document, verdicts};
pub use read::{read, read_tree};
use std::path::Path;

/// A bound for a figure of some trials.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The model that it is for; of all where there is none.
    pub model: Option<String>,
    /// The figure, as the file names it.
    pub figure: Named,
    /// What it is to be.
    pub bound: Bound,
    /// The test that it is for, in llama-bench's words, e.g. `tg128`.
    pub test: Option<String>,
    /// Parameters that a trial must have, and their values as text.
    pub params: Vec<(String, String)>,
    /// Its line in the file.
    pub line: u64,
}

/// A target and what a trial came to.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The target.
    pub target: Target,
    /// The run's name.
    pub run: String,
    /// The model's file.
    pub model: String,
    /// The test; empty where no trial has the figure.
    pub test: String,
    /// The figure.
    pub found: Option<Found>,
    /// Whether it was kept.
    pub verdict: TargetVerdict,
}

/// What targets came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Each, failures first.
    pub judged: Vec<Judged>,
    /// What was not judged and why, a sentence each.
    pub notes: Vec<String>,
}

/// Whose targets count for a trial.
pub struct Names<'a> {
    /// The one whose targets are for all trials, whatever model they say they are of.
    pub only: Option<&'a str>,
    /// File names that a model's name in a catalog stands for.
    pub files: &'a dyn Fn(&str) -> Vec<String>,
}

/// Judges every target against the runs, which have names.
pub fn judge(targets: &[Target], runs: &[(String, Run)], names: &Names<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let models = |run: &Run| run.trials.iter().map(model_name).collect::<Vec<_>>();
    for (name, run) in runs {
        let of_model = |target: &&Target, trial: &Trial| match (&target.model, names.only) {
            (None, _) => true,
            (Some(model), Some(only)) => model == only,
            (Some(model), None) => is_of(trial, model, names),
        };
        let mut others: Vec<&str> = Vec::new();
        let mut any = false;
        for target in targets {
            let trials: Vec<&Trial> =
                run.trials.iter().filter(|trial| of_model(&target, trial)).collect();
            match &target.model {
                Some(model) if trials.is_empty() => {
                    if !others.contains(&model.as_str()) {
                        others.push(model);
                    }
                }
                _ => {
                    any = true;
                    outcome.judged.extend(against(target, name, &trials));
                }
            }
        }
        if !others.is_empty() {
            let mut found = models(run);
            found.dedup();
            let note = format!(
                "{name} is of {}: the targets of {} were not judged (--model NAME judges by those of NAME)",
                found.join(", "),
                others.join(", ")
            );
            outcome.notes.push(note);
        }
        // A file of targets none of which is for this run must not pass.
        if !any && let Some(target) = targets.first() {
            outcome.judged.push(nothing(target, name));
        }
    }
    outcome.judged.sort_by_key(|judged| rank(judged.verdict));
    outcome
}

/// A target against the trials of its model: each that has the figure, or one row that says none
/// has.
fn against(target: &Target, run: &str, trials: &[&Trial]) -> Vec<Judged> {
    let fits = |trial: &&&Trial| {
        let test = target.test.as_ref().is_none_or(|test| *test == test_of(trial));
        test && target.params.iter().all(|(name, value)| {
            trial.params.get(name).is_some_and(|found| as_text(found) == *value)
        })
    };
    let judged: Vec<Judged> = trials
        .iter()
        .filter(fits)
        .filter_map(|trial| {
            let found = target.figure.of(trial)?;
            let verdict = target.bound.judge(&found.measure);
            Some(Judged {
                target: target.clone(),
                run: run.to_owned(),
                model: model_name(trial),
                test: test_of(trial),
                found: Some(found),
                verdict,
            })
        })
        .collect();
    // Of several tests some have nothing to say of it: a prompt has no rate of generation.
    let (with, without): (Vec<_>, Vec<_>) =
        judged.into_iter().partition(|judged| judged.verdict != TargetVerdict::NotMeasured);
    match (with.is_empty(), without.into_iter().next()) {
        (false, _) => with,
        (true, Some(one)) => vec![one],
        (true, None) => vec![nothing(target, run)],
    }
}

fn nothing(target: &Target, run: &str) -> Judged {
    Judged {
        target: target.clone(),
        run: run.to_owned(),
        model: target.model.clone().unwrap_or_default(),
        test: target.test.clone().unwrap_or_default(),
        found: None,
        verdict: TargetVerdict::NotMeasured,
    }
}

/// Failures first.
fn rank(verdict: TargetVerdict) -> u8 {
    match verdict {
        TargetVerdict::Missed => 0,
        TargetVerdict::NotMeasured => 1,
        TargetVerdict::Undecided(_) => 2,
        TargetVerdict::Met => 3,
    }
}

/// A trial's test, in the words of its kind.
pub(crate) fn test_of(trial: &Trial) -> String {
    match trial.experiment.as_str() {
        pacemark_record::LOAD_EXPERIMENT => pacemark_report::layout::load_name(trial),
        "throughput" | "batched" => trial.test_name(),
        other => match trial.params.get("name").or_else(|| trial.params.get("method")) {
            Some(name) => as_text(name),
            None => other.to_owned(),
        },
    }
}

/// What a trial's model is called: a load says it, others have a file.
pub(crate) fn model_name(trial: &Trial) -> String {
    let said = trial.params.get("model").and_then(|model| model.as_str());
    let file = Path::new(&trial.model.path).file_name().map(|name| name.to_string_lossy());
    match (said, file) {
        (Some(said), _) => said.to_owned(),
        (None, Some(file)) => file.into_owned(),
        (None, None) => "an unnamed model".to_owned(),
    }
}

/// A trial is of the model that a target names: by its name, file, or type, in any case.
fn is_of(trial: &Trial, model: &str, names: &Names<'_>) -> bool {
    let path = Path::new(&trial.model.path);
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let stem = path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let known =
        [Some(trial.model.path.clone()), file.clone(), stem, Some(trial.model.model_type.clone())];
    let mut known = known.into_iter().flatten().chain([model_name(trial)]);
    known.any(|known| known.eq_ignore_ascii_case(model))
        || file.is_some_and(|file| (names.files)(model).contains(&file))
}

/// A parameter as it is written in a file of targets.
pub(crate) fn as_text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
