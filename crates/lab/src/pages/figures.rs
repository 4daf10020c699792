//! What a row of the list says of a run.

use pacemark_bench::EXPERIMENTS;
use pacemark_bench::experiment::find;
use pacemark_record::Metric;
use pacemark_report::Cell;
use pacemark_report::layout::rfc3339;
use pacemark_store::{Entry, IndexedTrial};

/// Figures of a run that are shown; a study has dozens.
const SHOWN: usize = 3;

/// A time to the minute.
pub(super) fn minute(unix_s: u64) -> String {
    rfc3339(unix_s).chars().take(16).collect::<String>().replace('T', " ")
}

/// The models of a run, each once.
pub(super) fn models(entry: &Entry) -> String {
    let mut models: Vec<&str> = entry.trials.iter().map(|trial| trial.model.as_str()).collect();
    models.dedup();
    models.join(", ")
}

/// Headline figures in a line, e.g. `t/s pp512: 301.20; tg128: 45.11`.
pub(super) fn line(entry: &Entry) -> String {
    let metrics = find(EXPERIMENTS, &entry.experiment).map_or(&[][..], |e| e.metrics());
    let told = |trial: &IndexedTrial| {
        let (name, value) = trial.figure.as_ref()?;
        let metric = metrics.iter().find(|metric| metric.name() == *name);
        let value = match metric.map(Metric::unit) {
            Some(unit) => Cell::Figure(Some(*value), unit).text(),
            None => format!("{value:.4}"),
        };
        Some((metric.map_or(name.clone(), Metric::title), format!("{}: {value}", trial.test)))
    };
    let told: Vec<(String, String)> = entry.trials.iter().filter_map(told).collect();
    let Some((title, _)) = told.first() else {
        let tests = entry.trials.iter().take(SHOWN).map(|trial| trial.test.as_str());
        return tests.collect::<Vec<_>>().join("; ");
    };
    let shown: Vec<&str> =
        told.iter().take(SHOWN).map(|(_, text)| text.trim_start_matches(": ")).collect();
    let more = told.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    format!("{title} {}{more}", shown.join("; "))
}
