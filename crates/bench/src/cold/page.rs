//! Cold starts on a page: a row for each way to start, where memory goes, how ways compare.

use super::{COMMAND, ColdStart, PAGE_CACHE};
use crate::experiment::head;
use crate::parameter::MODEL;
use crate::{Experiment, Warning, warnings};
use pacemark_record::{Comparison, Run, Start, Trial, Verdict};
use pacemark_report::{Cell, Column, Document, Rank, Row, Table, TrialRow, size};
use serde_json::Value;

/// Fewer starts have no interval.
const INTERVAL: usize = 5;

/// How to read the table.
const LEGEND: &str = "cold TTFT: from asking the system for the process to its first token, loading \
    included; of another engine's command to the first byte that it prints. wall: to its end. ±: half \
    of the 95 % interval. + load, + inference: resident memory that loading and then generating added; \
    peak: the most; storage: what was read from it.";

/// All of it.
pub(super) fn document(experiment: &ColdStart, run: &Run, varied: &[&str]) -> Document {
    let layout = experiment.layout(varied);
    let compared = experiment.comparisons(&run.trials);
    let rows = run.trials.iter().zip(&compared);
    let mut document = head(&layout, run);
    let table = &mut document.tables[0];
    (table.in_blocks, table.legend) = (false, Some(LEGEND.to_owned()));
    table.rows = rows
        .map(|(trial, comparisons)| layout.row(&TrialRow { env: &run.env, trial, comparisons }))
        .map(|row| Row { block: None, ..row })
        .collect();
    document.tables.extend(each(&run.trials));
    document.tables.extend(weights(&run.trials));
    document.tables.extend(against(&compared.concat()));
    document
}

/// What is started, and how, in few words.
pub(super) fn name(trial: &Trial) -> String {
    const ROOM: usize = 30;
    let text = |name: &str| trial.params.get(name).and_then(Value::as_str);
    let what = text(COMMAND).or(text(MODEL.name)).unwrap_or("-");
    let short: String = what.chars().take(ROOM).collect();
    let cut = if short.len() < what.len() { "…" } else { "" };
    match text(PAGE_CACHE) {
        Some(state @ ("warm" | "cold")) => format!("{short}{cut}, {state}"),
        _ => format!("{short}{cut}"),
    }
}

/// Every start, in the order of its own way's.
fn each(trials: &[Trial]) -> Option<Table> {
    let columns = [
        ("each start", 10, Rank::Key),
        ("of", -30, Rank::Key),
        ("cold TTFT ms", 12, Rank::Main),
        ("wall ms", 10, Rank::Main),
        ("load ms", 10, Rank::Other),
    ];
    let ms =
        |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| format!("{:.1}", ns as f64 / 1e6));
    let row = |name: &str, i: usize, start: &Start| -> Row {
        let load_ns = start.inside.as_ref().map(|inside| inside.load_ns);
        let times = [start.first_ns, Some(start.ended_ns), load_ns].map(ms);
        let head = [(i + 1).to_string(), name.to_owned()];
        head.into_iter().chain(times).map(Cell::Text).collect::<Vec<_>>().into()
    };
    let of = |(trial, name): (&Trial, String)| -> Vec<Row> {
        let starts = trial.cold().map_or(&[][..], |cold| &cold.starts);
        starts.iter().enumerate().map(|(i, start)| row(&name, i, start)).collect()
    };
    let columns = columns.map(|(title, width, rank)| Column::for_people(title, width).ranked(rank));
    let rows: Vec<Row> = trials.iter().zip(names(trials)).flat_map(of).collect();
    (!rows.is_empty()).then(|| Table { columns: columns.into(), rows, ..Table::default() })
}

/// The names of all, each with the parameters in which they differ.
pub(super) fn names(trials: &[Trial]) -> Vec<String> {
    let is_command = |trial: &&Trial| trial.params.contains_key(COMMAND);
    let of = |trial: &Trial| -> Vec<String> {
        let ours = || trials.iter().filter(|trial| !is_command(trial));
        let other = |key: &str| ours().any(|t| t.params.get(key) != trial.params.get(key));
        // What is in the name already.
        let is_told = |key: &str| [COMMAND, PAGE_CACHE, MODEL.name].contains(&key);
        let differing = trial.params.iter().filter(|(key, _)| !is_told(key) && other(key));
        differing.map(|(key, value)| format!("{key} {}", value_text(value))).collect()
    };
    let full = |trial: &Trial| {
        let more = if is_command(&trial) { Vec::new() } else { of(trial) };
        std::iter::once(name(trial)).chain(more).collect::<Vec<_>>().join(", ")
    };
    let all: Vec<String> = trials.iter().map(full).collect();
    // Long command lines may begin alike.
    let numbered =
        |(i, name): (usize, &String)| match all.iter().filter(|other| *other == name).count() {
            1 => name.clone(),
            _ => format!("{name} ({})", i + 1),
        };
    all.iter().enumerate().map(numbered).collect()
}

fn value_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The first way against the others, start by start.
fn against(compared: &[Comparison]) -> Option<Table> {
    let columns = [
        ("compared", -40, Rank::Key),
        ("ratio of", -12, Rank::Key),
        ("ratio", 7, Rank::Main),
        ("95 % from", 9, Rank::Other),
        ("to", 7, Rank::Other),
        ("verdict", -20, Rank::Main),
    ];
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let row = |c: &Comparison| -> Row {
        let verdict = match c.verdict {
            Verdict::Faster => "the first is faster",
            Verdict::Slower => "the first is slower",
            Verdict::NotDistinguishable => "not distinguishable",
            Verdict::TooFewPairs => "too few starts",
        };
        let cells = [
            format!("{} / {}", c.first, c.second),
            c.title.to_owned(),
            number(Some(c.ratio)),
            number(c.ci95_low),
            number(c.ci95_high),
            verdict.to_owned(),
        ];
        cells.map(Cell::Text).to_vec().into()
    };
    let columns = columns.map(|(title, width, rank)| Column::for_people(title, width).ranked(rank));
    let rows: Vec<Row> = compared.iter().map(row).collect();
    (!rows.is_empty()).then(|| Table { columns: columns.into(), rows, ..Table::default() })
}

/// Bytes of weights by type, of each model once.
fn weights(trials: &[Trial]) -> Option<Table> {
    let mut rows: Vec<Row> = Vec::new();
    for (i, trial) in trials.iter().enumerate() {
        let is_new = trials[..i].iter().all(|other| other.model.path != trial.model.path);
        for (name, bytes) in trial.cold().filter(|_| is_new).iter().flat_map(|cold| &cold.weights) {
            let cells = [trial.model.model_type.clone(), name.clone(), size(*bytes)];
            rows.push(cells.map(Cell::Text).to_vec().into());
        }
    }
    let columns =
        [("weights of", -30, Rank::Key), ("type", -8, Rank::Key), ("size", 11, Rank::Main)];
    let columns = columns.map(|(title, width, rank)| Column::for_people(title, width).ranked(rank));
    (!rows.is_empty()).then(|| Table { columns: columns.into(), rows, ..Table::default() })
}

/// What is to be known besides.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let mut notes: Vec<String> = warnings(&run.env, &[]).iter().map(Warning::to_string).collect();
    let n = |trial: &Trial| trial.cold().map_or(0, |cold| cold.starts.len());
    if run.trials.iter().any(|trial| n(trial) < INTERVAL) {
        notes.push(format!("there are no intervals: they take {INTERVAL} starts (-r)"));
    }
    for trial in &run.trials {
        if n(trial) < trial.repetitions {
            notes.push(format!("cut short after {} of {} starts", n(trial), trial.repetitions));
        }
        notes.extend(trial.notes.iter().cloned());
    }
    notes.dedup();
    notes
}
