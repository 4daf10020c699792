//! A block of lines for each row, for reading on a terminal: figures by name, and distributions side by side.
//!
//! Which figures belong together is in their names: `ttft_ms_p50` and `ttft_ms_p99` are one line. What is absent is a dash,
//! or no line where all of it is.

use super::markdown::{figure, load_name};
use super::{Closing, Render, Renderer};
use crate::{Form, Layout, Row};
use pacemark_record::Metric;

pub(super) const RENDERER: Renderer = Renderer {
    name: "table",
    help: "a block of lines for each test",
    streams: true,
    tells: true,
    new: || Box::new(Table),
};

struct Table;

/// Columns of a distribution: the endings of the metrics' names.
const COLUMNS: &[&str] = &["mean", "p50", "p90", "p95", "p99", "min", "max"];

/// Width of the names.
const NAMES: usize = 18;

impl Render for Table {
    fn begin(&mut self, _: &Layout<'_>) -> String {
        String::new()
    }

    fn row(&mut self, layout: &Layout<'_>, row: &Row<'_>) -> String {
        let mut text = format!("{}\n", heading(layout, row));
        let (spread, single): (Vec<&Metric>, Vec<&Metric>) =
            layout.metrics.iter().partition(|metric: &&Metric| ending(metric).is_some());
        for metric in single {
            // The ends of an interval are shown with what they bound.
            let is_end = metric.name.ends_with("_low") || metric.name.ends_with("_high");
            if !is_end && (metric.of)(row.trial).is_some() {
                text += &format!("  {:NAMES$} {}\n", metric.title, with_interval(layout, row, metric));
            }
        }
        let mut stems: Vec<&str> = spread.iter().filter_map(|metric| Some(ending(metric)?.0)).collect();
        stems.dedup();
        let lines: String = stems.iter().filter_map(|stem| distribution(layout, row, stem)).collect();
        if !lines.is_empty() {
            let heads: String = COLUMNS.iter().map(|column| format!("{column:>10}")).collect();
            text += &format!("  {:NAMES$}{heads}\n{lines}", "ms");
        }
        text + "\n"
    }

    fn end(&mut self, _: &Layout<'_>, closing: &Closing<'_>) -> String {
        let notes: String = closing.notes.iter().map(|note| format!("note: {note}\n")).collect();
        format!("{notes}build: {} ({})\n", closing.env.commit, closing.env.build_number)
    }
}

fn heading(layout: &Layout<'_>, row: &Row<'_>) -> String {
    match layout.form {
        Form::LlamaBench | Form::BatchedBench => format!("{}, {}", row.trial.model.model_type, row.trial.test_name()),
        Form::Load => {
            let text = |name: &str| row.trial.params.get(name).and_then(|value| value.as_str()).unwrap_or("-");
            let lengths = format!("{} → {} tokens", text("input_lengths"), text("output_lengths"));
            format!("{}, {}, {lengths}, {}", load_name(row), text("model"), text("url"))
        }
    }
}

/// Stem and ending of a metric that is part of a distribution.
fn ending(metric: &Metric) -> Option<(&'static str, &'static str)> {
    let (stem, end) = metric.name.rsplit_once('_')?;
    (stem.ends_with("_ms") && COLUMNS.contains(&end)).then_some((stem, end))
}

/// A line, unless all of it is absent.
fn distribution(layout: &Layout<'_>, row: &Row<'_>, stem: &str) -> Option<String> {
    let of =
        |end: &str| layout.metrics.iter().find(|metric| ending(metric).is_some_and(|(s, e)| s == stem && e == end));
    let figures: Vec<Option<&Metric>> = COLUMNS.iter().map(|end| of(end)).collect();
    if figures.iter().flatten().all(|metric| (metric.of)(row.trial).is_none()) {
        return None;
    }
    let cells: String =
        figures.iter().map(|metric| format!("{:>10}", metric.map_or("-".to_owned(), |m| figure(m, row)))).collect();
    let name = stem.trim_end_matches("_ms").replace('_', " ");
    Some(format!("  {name:NAMES$}{cells}\n"))
}

/// A figure, and its interval where there are metrics of that name with `_low` and `_high`.
fn with_interval(layout: &Layout<'_>, row: &Row<'_>, metric: &Metric) -> String {
    let end = |ending: &str| {
        let name = format!("{}{ending}", metric.name);
        let end = layout.metrics.iter().find(|metric| metric.name == name)?;
        (end.of)(row.trial).map(|_| figure(end, row))
    };
    let verdict = if metric.name == "output_ts_steady" { row.trial.steady() } else { None };
    let verdict = verdict.map_or(String::new(), |steady| format!(", {}", steady.verdict.name().replace('_', " ")));
    let shown = figure(metric, row);
    match end("_low").zip(end("_high")) {
        Some((low, high)) => format!("{shown} ({low} to {high}){verdict}"),
        None => format!("{shown}{verdict}"),
    }
}
