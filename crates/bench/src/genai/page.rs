//! A repeated prompt on a page: its figures, the report where the process's time was kept, and what
//! is to be known besides. What is in the report is left to `report`.

use super::figures::GENERATE;
use super::report;
use super::trend::Trend;
use crate::{Warning, warnings};
use pacemark_record::{Measured, Request, Run, Trial, stats};
use pacemark_report::{Document, Layout, Row, TrialRow, Verdict};
use serde_json::{Map, Value};

/// How to read the first table.
const LEGEND: &str = "time: from the prompt's text to the answer's, tokenization and detokenization \
    included; stability: 1 − standard deviation / mean of it; t/s: all output tokens over that time; \
    decode t/s: tokens after the first over theirs. Intervals take five iterations (-n 5).";

/// All of it.
pub(super) fn document(run: &Run, layout: &Layout<'_>) -> Document {
    let mut document = crate::experiment::head(layout, run);
    let measured: Vec<&Trial> = measured(run).collect();
    let table = &mut document.tables[0];
    (table.in_blocks, table.legend) = (false, Some(LEGEND.to_owned()));
    let row = |trial: &&Trial| {
        let row = layout.row(&TrialRow { env: &run.env, trial, comparisons: &[] });
        Row { block: None, ..row }
    };
    table.rows = measured.iter().map(row).collect();
    if let Some((trial, spent)) = measured.first().zip(spent(run)) {
        report::add(&mut document, trial, spent);
    }
    document
}

/// The process's time by stages, where a report was asked for.
fn spent(run: &Run) -> Option<&Map<String, Value>> {
    run.trials.iter().find_map(|trial| match &trial.measured {
        Measured::Facts { facts } => Some(facts),
        _ => None,
    })
}

/// A run without that: what has figures.
pub(super) fn iterated(run: &Run) -> Run {
    let trials = measured(run).cloned().collect();
    Run { trials, ..run.clone() }
}

/// What the report of a run judges it by.
pub(super) fn verdicts(run: &Run) -> Vec<Verdict> {
    let trial = measured(run).next().filter(|_| spent(run).is_some());
    trial.map_or(Vec::new(), report::verdicts)
}

/// The trials that hold iterations.
fn measured(run: &Run) -> impl Iterator<Item = &Trial> {
    run.trials.iter().filter(|trial| trial.load().is_some())
}

/// What is to be known besides.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let trials: Vec<Trial> = measured(run).cloned().collect();
    let mut notes: Vec<String> =
        warnings(&run.env, &trials).iter().map(Warning::to_string).collect();
    for trial in &trials {
        let requests = trial.requests();
        if requests.len() < trial.repetitions {
            let (n, wanted) = (requests.len(), trial.repetitions);
            notes.push(format!("cut short after {n} of {wanted} iterations"));
        }
        let early = |request: &&Request| request.finish_reason.as_deref() == Some("stop");
        if let Some(request) = requests.last().filter(early) {
            let (n, wanted) = (request.chunks_ns.len(), request.output_wanted.unwrap_or(0));
            notes.push(format!("the model ended its answer after {n} of {wanted} tokens"));
        }
        let far = stats::outliers(&(GENERATE.of)(trial));
        if !far.is_empty() {
            let far: Vec<String> = far.iter().map(|i| (i + 1).to_string()).collect();
            let numbers = far.join(", ");
            notes.push(format!("the time of iteration {numbers} lies far from the others"));
        }
        let trend = Trend::of(trial);
        if trend.beyond_noise.is_some() {
            notes.push(trend.verdict());
        }
        notes.extend(trial.notes.iter().cloned());
    }
    notes
}
