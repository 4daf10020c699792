//! The targets of a suite's file, judged by what its steps measured. What a name means and when a
//! target is met is `bench::targets`' business; here each target meets the steps that it is of.

use super::models::Model;
use super::plan::{Kind, Step};
use super::state::State;
use pacemark_bench::targets::{Names, Outcome, Target, judge};
use pacemark_record::{Run, TargetVerdict};
use std::path::Path;

/// Figures of one request at a time, which concurrent requests and batches have too and are not
/// meant by.
const ALONE: [&str; 5] = ["decode_tps", "ttft_ms", "tpot_ms", "e2e_ms", "prefill_tps"];

/// The part whose steps a target is of, where it does not say; of all where that part was not asked
/// for.
fn part(target: &Target) -> Option<&'static str> {
    let is_open = target.test.is_none() && target.params.is_empty();
    let name = target.figure.name();
    let alone = ALONE.iter().any(|alone| name.starts_with(alone));
    match name {
        "peak_memory_gb" if is_open => Some("memory"),
        _ if is_open && alone => Some("latency"),
        _ => None,
    }
}

/// Every target of every model, failures first; targets of models that are not in the suite are
/// told in a note.
pub(super) fn judged(state: &State, targets: &[Target], folder: &Path) -> Outcome {
    let mut outcome = Outcome::default();
    for model in &state.models {
        let of = |target: &&Target| match &target.model {
            None => true,
            Some(name) => *name == model.name || *name == model.of,
        };
        for target in targets.iter().filter(of) {
            outcome.judged.extend(one(state, model, target, folder).judged);
        }
    }
    let is_measured = |name: &String| state.models.iter().any(|m| [&m.name, &m.of].contains(&name));
    let mut others: Vec<&str> = targets
        .iter()
        .filter_map(|target| target.model.as_ref())
        .filter(|name| !is_measured(name))
        .map(String::as_str)
        .collect();
    others.dedup();
    if !others.is_empty() {
        let names = others.join(", ");
        outcome.notes.push(format!("targets of models that were not measured: {names}"));
    }
    outcome.judged.sort_by_key(|judged| judged.verdict != TargetVerdict::Missed);
    outcome
}

/// A target against the steps of a model: each that has its figure, or that none has.
fn one(state: &State, model: &Model, target: &Target, folder: &Path) -> Outcome {
    let of_model = || state.steps.iter().filter(|step| step.model == model.name);
    let is_of = |step: &Step, part: &str| step.kind != Kind::Experiment && step.part == part;
    let part = part(target).filter(|part| of_model().any(|step| is_of(step, part)));
    let steps = of_model().filter(|step| part.is_none_or(|part| is_of(step, part)));
    let run = |step: &Step| -> Option<(String, Run)> {
        let mut run = state.record(step, folder)?;
        // The user's name, by which the target knows it.
        for trial in &mut run.trials {
            trial.params.insert("model".to_owned(), model.name.as_str().into());
        }
        Some((format!("{} {}", step.part, step.what).trim().to_owned(), run))
    };
    let runs: Vec<(String, Run)> = steps.filter_map(run).collect();
    let target = [Target { model: None, ..target.clone() }];
    let names = Names { only: None, files: &|_| Vec::new() };
    let mut outcome = judge(&target, &runs, &names);
    let is_measured = |verdict| verdict != TargetVerdict::NotMeasured;
    if outcome.judged.iter().any(|judged| is_measured(judged.verdict)) {
        outcome.judged.retain(|judged| is_measured(judged.verdict));
    } else if outcome.judged.is_empty() {
        let nothing = [("nothing".to_owned(), Run::default())];
        outcome = judge(&target, &nothing, &names);
    }
    outcome.judged.truncate(if outcome.judged.iter().any(|j| is_measured(j.verdict)) {
        outcome.judged.len()
    } else {
        1
    });
    for judged in &mut outcome.judged {
        judged.model.clone_from(&model.name);
    }
    outcome
}
