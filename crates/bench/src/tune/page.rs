//! A search on a page: what it found and how to run it, a row for each setting, and how it was decided.

use super::figures::OBJECTIVE;
use super::outcome::{Outcome, beside, fate, is_default, outcome, times};
use super::picture::on_front;
use super::{ALIKE, COMMAND, CONFIRMATION, MAXIMIZE, PART, TARGETS, Tune, Verdict, is_race, name};
use crate::experiment::head;
use crate::reported::{Rows, of_rows};
use crate::{Experiment, Warning, warnings};
use pacemark_record::stats::{CONFIDENCE, PAIRED_RATIO};
use pacemark_record::{Better, Comparison, Fate, Run, Trial, Verdict as Ratio, Versus};
use pacemark_report::{Document, Fact, Row, Standing, Table, TrialRow, Verdict as Said};
use serde_json::{Value, json};

/// How to read the table.
const LEGEND: &str = "t/s: the rate that is maximized, the mean over rounds ± half of its 95 % interval. x \
    default: its ratio to the default's, pair by pair, with its 95 % interval. KLD: mean divergence from \
    the default's predictions, nats; 0 where they are the same by construction. runs: those of the \
    rounds, and + those after it for its targets. after: the round that decided its verdict. front: no \
    other setting is better in both, t/s and KLD (K) or t/s and time to the first token (T).";

fn text<'a>(trial: &'a Trial, name: &str) -> &'a str {
    trial.params.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The confirmation: the recommended setting beside its rival, and the rival.
fn confirmation(trials: &[Trial]) -> Option<(Versus, &Trial)> {
    let of = |turn: u64| trials.iter().find(|trial| !is_race(trial) && trial.turn == turn);
    let (rival, chosen) = (of(0)?, of(1)?);
    Some((beside(chosen, rival)?, rival))
}

/// What the confirmation came to.
fn confirmed(versus: &Versus, rival: &Trial) -> String {
    let (what, whose) = match is_default(rival) {
        true => ("the default", "the default's".to_owned()),
        false => (name(rival), format!("that of {}", name(rival))),
    };
    let came_to = match versus.verdict(Better::Higher) {
        Ratio::Faster => "confirmed".to_owned(),
        Ratio::Slower => "refuted".to_owned(),
        Ratio::NotDistinguishable => format!("not confirmed: not distinguishable from {what}"),
        Ratio::TooFewPairs => "not confirmed: too few pairs".to_owned(),
    };
    format!("{came_to}, {}", times(versus, &whose))
}

/// All of it.
pub(super) fn document(experiment: &Tune, run: &Run) -> Document {
    let layout = experiment.layout(&[]);
    let found = outcome(&run.trials);
    let mut document = head(&layout, run);
    document.title = run.trials.first().map(title);
    document.facts = facts(run, &found);
    let fronts = on_front(&run.trials);
    let row = |(trial, front): (&Trial, &String)| {
        // That of the race, or of the confirmation.
        let is_it = |other: &&Trial| is_race(other) == is_race(trial) && is_default(other);
        let default = run.trials.iter().find(is_it).filter(|_| !is_default(trial));
        let compared = default.and_then(|default| against_default(default, trial));
        let comparisons: Vec<Comparison> = compared.into_iter().collect();
        // What is known of all trials together is handed to the row as a parameter of it.
        let mut told = trial.clone();
        told.params.insert("front".to_owned(), front.as_str().into());
        let row = layout.row(&TrialRow { env: &run.env, trial: &told, comparisons: &comparisons });
        Row { block: None, ..row }
    };
    let table = &mut document.tables[0];
    table.rows = run.trials.iter().zip(&fronts).map(row).collect();
    table.in_blocks = false;
    table.legend = Some(LEGEND.to_owned());
    let table = std::mem::take(&mut document.tables[0]);
    document.tables[0] = table.widened();
    document.tables.push(Table { legend: Some(decided(run)), ..Table::default() });
    document
}

fn against_default(default: &Trial, trial: &Trial) -> Option<Comparison> {
    let versus = beside(trial, default)?;
    let (low, high) = (versus.interval.map(|i| i.low), versus.interval.map(|i| i.high));
    Some(Comparison {
        metric: OBJECTIVE.name,
        title: OBJECTIVE.title,
        first: name(trial).to_owned(),
        second: name(default).to_owned(),
        ratio: versus.ratio,
        ci95_low: low,
        ci95_high: high,
        pairs: versus.pairs,
        verdict: versus.verdict(Better::Higher),
        method: PAIRED_RATIO,
        model_type: trial.model.model_type.clone(),
        params: trial.params.clone(),
    })
}

fn facts(run: &Run, found: &Outcome) -> Vec<Fact> {
    let chosen = found.recommended.map(|index| &run.trials[index]);
    let setting = chosen.map(name);
    let command = chosen.map(|trial| text(trial, COMMAND));
    let told = |name, value: Value, title: &str, words: String| Fact {
        name,
        value,
        told: Some((title.to_owned(), words)),
    };
    let words = found.verdict.words().to_owned();
    let mut facts = vec![told("verdict", found.verdict.name().into(), "verdict", words)];
    facts.push(match setting {
        Some(name) => told("recommended", name.into(), "recommended", name.to_owned()),
        None => Fact::value("recommended", Value::Null),
    });
    facts.push(told("reason", found.reason.as_str().into(), "why", found.reason.clone()));
    facts.push(match command {
        Some(command) => told("command", command.into(), "run it", command.to_owned()),
        None => Fact::value("command", Value::Null),
    });
    let targets =
        if found.not_met.is_empty() { "met".to_owned() } else { found.not_met.join("; ") };
    let has_targets = run.trials.first().is_some_and(|trial| !text(trial, TARGETS).is_empty());
    facts.push(match has_targets && found.verdict != Verdict::NotOver {
        true => told("not_met", found.not_met.clone().into(), "targets", targets),
        false => Fact::value("not_met", found.not_met.clone()),
    });
    facts.push(match confirmation(&run.trials) {
        Some((versus, rival)) => {
            let words = confirmed(&versus, rival);
            told("confirmation", as_json(&versus, name(rival)), "confirmation", words)
        }
        None => Fact::value(CONFIRMATION, Value::Null),
    });
    facts
}

fn as_json(versus: &Versus, rival: &str) -> Value {
    json!({
        "against": rival,
        "ratio": versus.ratio,
        "ci95_low": versus.interval.map(|i| i.low),
        "ci95_high": versus.interval.map(|i| i.high),
        "pairs": versus.pairs,
        "verdict": versus.verdict(Better::Higher),
        "method": PAIRED_RATIO,
    })
}

/// What it came to, for a report: the verdict, what to take, whether that keeps its targets and was
/// confirmed, and the rates of it and of the default.
pub(super) fn verdicts(experiment: &Tune, run: &Run) -> Vec<Said> {
    let found = outcome(&run.trials);
    let standing = match found.verdict {
        Verdict::Winner => Standing::Good,
        Verdict::NoDifference | Verdict::NotOver => Standing::Open,
        Verdict::NoneMeets => Standing::Bad,
    };
    let words = found.verdict.words();
    let chosen = found.recommended.map(|index| name(&run.trials[index]));
    let text = match chosen {
        Some(setting) => format!("{words}; recommended: {setting}"),
        None => words.to_owned(),
    };
    let mut said = vec![Said { standing, text }];
    let missed = |line: &String| {
        let is_missed = found.verdict == Verdict::NoneMeets || line.contains(": missed (");
        let standing = if is_missed { Standing::Bad } else { Standing::Open };
        Said { standing, text: format!("target {line}") }
    };
    said.extend(found.not_met.iter().map(missed));
    if let Some((versus, rival)) = confirmation(&run.trials) {
        let standing = match versus.verdict(Better::Higher) {
            Ratio::Faster => Standing::Good,
            Ratio::Slower => Standing::Bad,
            Ratio::NotDistinguishable | Ratio::TooFewPairs => Standing::Open,
        };
        let text = format!("confirmation: {}", confirmed(&versus, rival));
        said.push(Said { standing, text });
    }
    let told = |index: &usize| {
        let trial = &run.trials[*index];
        is_race(trial) && (found.recommended == Some(*index) || is_default(trial))
    };
    let rows = Rows::of(experiment, run);
    said.extend(of_rows(&rows, (0..run.trials.len()).filter(told)));
    said
}

/// What was searched, in a line.
fn title(trial: &Trial) -> String {
    let targets = match text(trial, TARGETS) {
        "" => String::new(),
        targets => format!(" under {}", targets.replace(',', ", ")),
    };
    format!(
        "{}: the most {}{targets}, prompts of {} tokens and {} generated",
        text(trial, "source"),
        text(trial, MAXIMIZE),
        trial.count("n_prompt"),
        trial.count("n_gen"),
    )
}

/// How it was decided.
fn decided(run: &Run) -> String {
    let n = |wanted: Fate| run.trials.iter().filter(|trial| fate(trial) == wanted).count();
    let race = run.trials.iter().filter(|trial| is_race(trial)).count();
    let parts = [
        (n(Fate::Worse) - (run.trials.len() - race), "shown to be worse"),
        (n(Fate::Missed), "shown to miss a target"),
        (n(Fate::TooFar), "not near enough in answers"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, words)| format!("{n} {words}"))
        .collect();
    let dropped = if parts.is_empty() { "none dropped".to_owned() } else { parts.join(", ") };
    format!(
        "{race} settings raced in turn, every other round in the opposite order: {dropped}. A setting is \
         dropped for another only where {:.0} of 100 races between equals would drop none.",
        CONFIDENCE * 100.0
    )
}

/// What a reader should know besides.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let mut notes: Vec<String> = warnings(&run.env, &[]).iter().map(Warning::to_string).collect();
    let stolen = run.trials.iter().filter_map(|trial| trial.steal_share).fold(0.0, f64::max);
    if stolen > 0.02 {
        let percent = stolen * 100.0;
        notes.push(format!("the hypervisor gave {percent:.0} % of the processors' time to others"));
    }
    for trial in &run.trials {
        notes.extend(trial.notes.iter().map(|note| format!("{}: {note}", name(trial))));
    }
    notes.dedup();
    let differ = run.trials.iter().any(|t| t.params.get(ALIKE) == Some(&Value::Bool(false)));
    if differ && run.trials.iter().all(|trial| trial.distances().is_none()) {
        notes.push(
            "answers were not compared: weights that are drawn have no quality, so --max-kld decided \
             nothing"
                .to_owned(),
        );
    }
    let cut = run.trials.iter().find(|trial| trial.params.contains_key(PART));
    let cut = cut.filter(|trial| trial.samples().len() < trial.repetitions);
    notes.extend(cut.map(|trial| {
        format!(
            "the confirmation was cut short: {} of {} pairs",
            trial.samples().len(),
            trial.repetitions
        )
    }));
    notes
}

#[cfg(test)]
mod tests;
