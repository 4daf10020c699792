//! A block of lines for each row, for reading on a terminal: figures by name, and distributions
//! side by side.
//!
//! Which figures belong together is in their names: `ttft_ms_p50` and `ttft_ms_p99` are one line.
//! What is absent is a dash, or no line where all of it is.

use super::markdown::{figure, load_name};
use super::{Closing, Render, Renderer};
use crate::{Form, Layout, Row};
use pacemark_record::{Grade, Metric, stats};
use std::collections::BTreeSet;

pub(super) const RENDERER: Renderer = Renderer {
    name: "table",
    help: "a block of lines for each test",
    streams: true,
    tells: true,
    new: || Box::new(Table::default()),
};

/// Remembers the rows of a load, which are compared at the end.
#[derive(Default)]
struct Table {
    /// Name and figures of each.
    summary: Vec<(String, Vec<String>)>,
    /// Percentiles that a sample did not support.
    suppressed: BTreeSet<&'static str>,
}

/// Figures that rows are compared by.
const SUMMARY: &[&str] = &[
    "requests",
    "failed",
    "request_rate",
    "output_ts_total",
    "output_ts_steady",
    "ttft_ms_p50",
    "ttft_ms_p99",
    "tpot_ms_p50",
    "tpot_ms_p99",
    "e2e_ms_p50",
    "good_share",
];

/// Columns that are percentiles, and which.
const PERCENTILES: &[(&str, f64)] = &[("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// Columns of a distribution: the endings of the metrics' names.
const COLUMNS: &[&str] = &["mean", "sd", "p50", "p90", "p95", "p99", "min", "max"];

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
                text +=
                    &format!("  {:NAMES$} {}\n", metric.title, with_interval(layout, row, metric));
            }
        }
        if layout.form == Form::Load
            && let Some(Grade { name, tokens_per_second, ttft_ms }) = row.trial.grade()
        {
            text += &format!(
                "  {:NAMES$} {name} ({tokens_per_second:.1} t/s, ttft {ttft_ms:.0} ms)\n",
                "grade"
            );
        }
        let mut stems: Vec<&str> =
            spread.iter().filter_map(|metric| Some(ending(metric)?.0)).collect();
        stems.dedup();
        let lines: String =
            stems.iter().filter_map(|stem| self.distribution(layout, row, stem)).collect();
        if !lines.is_empty() {
            let heads: String = COLUMNS.iter().map(|column| format!("{column:>10}")).collect();
            text += &format!("  {:NAMES$}{heads}\n{lines}", "ms");
        }
        if layout.form == Form::Load {
            let cells = summary(layout).map(|metric| figure(metric, row)).collect();
            self.summary.push((load_name(row), cells));
        }
        text + "\n"
    }

    fn end(&mut self, layout: &Layout<'_>, closing: &Closing<'_>) -> String {
        let mut text = String::new();
        if self.summary.len() > 1 {
            let titles = summary(layout).map(|metric| metric.title.to_owned()).collect();
            self.summary.insert(0, (String::new(), titles));
            // What no row has is no column.
            let has = |i: usize| self.summary.iter().skip(1).any(|(_, cells)| cells[i] != "-");
            let shown: Vec<usize> = (0..self.summary[0].1.len()).filter(|i| has(*i)).collect();
            for (name, cells) in &self.summary {
                let cells: String = shown.iter().map(|i| format!("{:>11}", cells[*i])).collect();
                text += &format!("{name:NAMES$}{cells}\n");
            }
            text += "\n";
        }
        if !self.suppressed.is_empty() {
            let needs = PERCENTILES
                .iter()
                .filter(|(name, _)| self.suppressed.contains(name))
                .filter_map(|(name, p)| {
                    Some(format!("{name} takes {}", stats::least_samples(*p, stats::CONFIDENCE)?))
                });
            text += &format!(
                "-: not enough for its 95 % interval: {}\n",
                needs.collect::<Vec<_>>().join(", ")
            );
        }
        text.extend(closing.notes.iter().map(|note| format!("note: {note}\n")));
        text + &format!("build: {} ({})\n", closing.env.commit, closing.env.build_number)
    }
}

/// Figures of the summary, in its order.
fn summary<'a>(layout: &Layout<'a>) -> impl Iterator<Item = &'a Metric> + use<'a> {
    let metrics: &'static [Metric] = layout.metrics;
    SUMMARY.iter().filter_map(move |name| metrics.iter().find(|metric| metric.name == *name))
}

fn heading(layout: &Layout<'_>, row: &Row<'_>) -> String {
    match layout.form {
        Form::LlamaBench | Form::BatchedBench => {
            format!("{}, {}", row.trial.model.model_type, row.trial.test_name())
        }
        Form::Load => {
            let text = |name: &str| {
                row.trial.params.get(name).and_then(|value| value.as_str()).unwrap_or("-")
            };
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

impl Table {
    /// A line, unless all of it is absent, or says again what the line without the schedule says.
    fn distribution(&mut self, layout: &Layout<'_>, row: &Row<'_>, stem: &str) -> Option<String> {
        let of = |stem: &str, end: &str| {
            layout.metrics.iter().find(|m| ending(m).is_some_and(|(s, e)| s == stem && e == end))
        };
        let figures: Vec<Option<&Metric>> = COLUMNS.iter().map(|end| of(stem, end)).collect();
        let values = |figures: &[Option<&Metric>]| -> Vec<Option<f64>> {
            figures.iter().map(|metric| metric.and_then(|metric| (metric.of)(row.trial))).collect()
        };
        let found = values(&figures);
        if found.iter().all(Option::is_none) {
            return None;
        }
        if let Some(sent) = stem.strip_suffix("_scheduled_ms") {
            let sent = format!("{sent}_ms");
            if found == values(&COLUMNS.iter().map(|end| of(&sent, end)).collect::<Vec<_>>()) {
                return None;
            }
        }
        // A figure that has a mean has samples.
        if found[0].is_some() {
            let absent = COLUMNS.iter().zip(&found).filter(|(_, value)| value.is_none());
            self.suppressed.extend(absent.map(|(name, _)| *name));
        }
        let cells: String = figures
            .iter()
            .map(|metric| format!("{:>10}", metric.map_or("-".to_owned(), |m| figure(m, row))))
            .collect();
        let name = stem.trim_end_matches("_ms").replace('_', " ");
        Some(format!("  {name:NAMES$}{cells}\n"))
    }
}

/// A figure, and its interval where there are metrics of that name with `_low` and `_high`.
fn with_interval(layout: &Layout<'_>, row: &Row<'_>, metric: &Metric) -> String {
    let end = |ending: &str| {
        let name = format!("{}{ending}", metric.name);
        let end = layout.metrics.iter().find(|metric| metric.name == name)?;
        (end.of)(row.trial).map(|_| figure(end, row))
    };
    let verdict = if metric.name == "output_ts_steady" { row.trial.steady() } else { None };
    let verdict = verdict
        .map_or(String::new(), |steady| format!(", {}", steady.verdict.name().replace('_', " ")));
    let shown = figure(metric, row);
    match end("_low").zip(end("_high")) {
        Some((low, high)) => format!("{shown} ({low} to {high}){verdict}"),
        None => format!("{shown}{verdict}"),
    }
}
