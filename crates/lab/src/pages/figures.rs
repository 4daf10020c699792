//! What a row of the list says of a run.

use pacemark_bench::headline;
pub(super) use pacemark_report::layout::minute;
use pacemark_store::{Entry, IndexedTrial};

/// The models of a run, each once.
pub(super) fn models(entry: &Entry) -> String {
    let mut models: Vec<&str> = entry.trials.iter().map(|trial| trial.model.as_str()).collect();
    models.dedup();
    models.join(", ")
}

/// Headline figures in a line, e.g. `t/s pp512: 301.20; tg128: 45.11`.
pub(super) fn line(entry: &Entry) -> String {
    let rows: Vec<headline::Row> = entry.trials.iter().map(row).collect();
    headline::line(&entry.experiment, &rows)
}

fn row(trial: &IndexedTrial) -> headline::Row<'_> {
    let figure = trial.figure.as_ref().map(|(name, value)| (name.as_str(), *value));
    headline::Row { test: &trial.test, figure }
}
