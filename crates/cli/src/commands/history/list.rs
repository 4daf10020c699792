//! `pacemark history list`.

use super::FilterArgs;
use crate::exit::Exit;
use crate::history::required;
use crate::output;
use anyhow::Result;
use pacemark_bench::headline;
use pacemark_report::layout::{minute, rfc3339};
use pacemark_report::{Cell, Column, Document, Kind, Rank, Readers, Table};
use pacemark_store::{Entry, IndexedTrial, Store};
use serde_json::json;

/// Digits of an id that are shown to people, enough for any history of a person's.
const DIGITS: usize = 10;

#[derive(clap::Args, Debug)]
pub(super) struct ListArgs {
    /// The newest N; 0 for all
    #[arg(short, value_name = "N", default_value = "20")]
    n: usize,
    #[command(flatten)]
    filter: FilterArgs,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = output::formats(&[]))]
    output: String,
}

/// Lists runs; none are there before the first was measured.
pub(super) fn run(args: &ListArgs) -> Result<Exit> {
    let filter = args.filter.newest(args.n);
    let path = required()?;
    let entries = match Store::open_existing(&path)? {
        Some(store) => store.list(&filter)?,
        None => Vec::new(),
    };
    if entries.is_empty() {
        eprintln!("no such run in {}", path.display());
    }
    output::print(&page(&entries), &args.output)?;
    Ok(Exit::Fine)
}

/// A row for each run.
pub(super) fn page(entries: &[Entry]) -> Document {
    let rows = entries.iter().map(|entry| row(entry).into()).collect();
    let table = Table { name: "runs".to_owned(), columns: columns(), rows, ..Table::default() };
    Document { tables: vec![table.fitted()], ..Document::default() }
}

fn columns() -> Vec<Column> {
    use Kind::{Float, Text};
    let programs = Column::for_programs;
    vec![
        Column::new("id", Text, "run", -10).ranked(Rank::Key),
        Column::new("started", Text, "when (UTC)", -16).ranked(Rank::Main),
        Column::new("experiment", Text, "experiment", -10),
        Column::new("model", Text, "model", -20),
        programs("model_file", Text),
        programs("backend", Text),
        programs("test", Text),
        programs("metric", Text),
        programs("value", Float),
        Column { readers: Readers::Json, ..programs("trials", Text) },
        Column::for_people("figures", -30).ranked(Rank::Main),
        programs("version", Text),
        Column::new("commit", Text, "commit", -8),
        programs("host", Text),
        Column::new("tags", Text, "tags", -6),
        Column::new("note", Text, "note", -10),
    ]
}

fn row(entry: &Entry) -> Vec<Cell> {
    let first = entry.trials.first();
    let of_first =
        |of: fn(&IndexedTrial) -> &str| first.map_or(Cell::Absent, |trial| of(trial).into());
    let figure = first.and_then(|trial| trial.figure.as_ref());
    let trials = entry.trials.iter().map(|trial| {
        let (metric, value) = trial.figure.clone().unzip();
        json!({ "test": trial.test, "model": trial.model, "model_file": trial.file,
            "backend": trial.backend, "metric": metric, "value": value })
    });
    vec![
        Cell::Told(entry.id.as_str().into(), entry.id.chars().take(DIGITS).collect()),
        Cell::Told(rfc3339(entry.started_unix_s).into(), minute(entry.started_unix_s)),
        Cell::Text(entry.experiment.clone()),
        Cell::Told(json!(first.map(|trial| &trial.model)), models(entry)),
        of_first(|trial| &trial.file),
        of_first(|trial| &trial.backend),
        of_first(|trial| &trial.test),
        figure.map_or(Cell::Absent, |(metric, _)| Cell::Text(metric.clone())),
        figure.map_or(Cell::Absent, |(_, value)| Cell::Float(*value)),
        Cell::Json(serde_json::Value::from_iter(trials).to_string()),
        Cell::Text(figures(entry)),
        Cell::Text(entry.version.clone()),
        Cell::Text(entry.commit.clone()),
        Cell::Text(entry.host.clone()),
        Cell::Text(entry.tags.join(" ")),
        Cell::Text(entry.note.clone().unwrap_or_default()),
    ]
}

/// The models of a run, each once.
fn models(entry: &Entry) -> String {
    let mut models: Vec<&str> = entry.trials.iter().map(|trial| trial.model.as_str()).collect();
    models.dedup();
    models.join(", ")
}

fn figures(entry: &Entry) -> String {
    let rows: Vec<headline::Row> = entry.trials.iter().map(row_of).collect();
    headline::line(&entry.experiment, &rows)
}

fn row_of(trial: &IndexedTrial) -> headline::Row<'_> {
    let figure = trial.figure.as_ref().map(|(name, value)| (name.as_str(), *value));
    headline::Row { test: &trial.test, figure }
}
