//! A row as lines: single figures by name, distributions side by side.

use super::{Layout, TrialRow};
use crate::cell::in_unit;
use crate::document::{Block, Spread};
use pacemark_record::Statistic::{Least, Mean, Most, Quantile, StandardDeviation};
use pacemark_record::{Figure, Metric, Statistic, Unit};

/// The statistics of a distribution, in the order of [`Spread::COLUMNS`].
const SPREAD: [Statistic; 8] = [
    Mean,
    StandardDeviation,
    Quantile(0.5),
    Quantile(0.9),
    Quantile(0.95),
    Quantile(0.99),
    Least,
    Most,
];

/// The block of one row.
pub(super) fn block(layout: &Layout<'_>, row: &TrialRow<'_>, figures: &[Figure]) -> Block {
    let all: Vec<(&Metric, &Figure)> = layout.metrics.iter().zip(figures).collect();
    let is_spread = |metric: &Metric| {
        metric.series.unit == Unit::Milliseconds && SPREAD.contains(&metric.statistic)
    };
    let single = all.iter().filter(|(metric, figure)| !is_spread(metric) && figure.value.is_some());
    let remark = |metric: &Metric| (layout.form.remark)(row.trial, &metric.name());
    let mut lines: Vec<(String, String)> = single
        .map(|(metric, figure)| (metric.title(), with_interval(metric, figure, remark(metric))))
        .collect();
    lines.extend((layout.form.lines)(row.trial));
    let summary = layout.form.summary.map(|summary| {
        let found =
            summary.figures.iter().filter_map(|name| all.iter().find(|(m, _)| m.name() == *name));
        let cells = found.map(|(metric, figure)| (metric.title(), value(metric, figure.value)));
        ((summary.name)(row.trial), cells.collect())
    });
    let heading = layout.told_apart((layout.form.heading)(row), row);
    Block { heading, lines, spreads: spreads(&all), summary }
}

/// A line for each series of which something is known; not for one that says again what the line
/// without the schedule says.
fn spreads(all: &[(&Metric, &Figure)]) -> Vec<Spread> {
    let mut found: Vec<(&str, Vec<Option<f64>>)> = Vec::new();
    let mut spreads = Vec::new();
    for (metric, _) in all.iter().filter(|(m, _)| m.series.unit == Unit::Milliseconds) {
        let name = metric.series.name;
        if found.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let of = |statistic: &Statistic| {
            all.iter().find(|(m, _)| m.series.name == name && m.statistic == *statistic)
        };
        let figures: Vec<_> = SPREAD.iter().map(of).collect();
        let values: Vec<_> = figures.iter().map(|f| f.and_then(|(_, f)| f.value)).collect();
        let sent = name.replace("_scheduled", "");
        let is_new = found.iter().all(|(known, other)| *known != sent || *other != values);
        found.push((name, values.clone()));
        if values.iter().all(Option::is_none) || !is_new {
            continue;
        }
        let unsupported = |i: usize| match SPREAD[i] {
            // A series that has a mean has values.
            Quantile(p) if figures[i].is_some() && values[0].is_some() && values[i].is_none() => {
                Some(p)
            }
            _ => None,
        };
        spreads.push(Spread {
            name: name.trim_end_matches("_ms").replace('_', " "),
            values: std::array::from_fn(|i| {
                values[i].map_or("-".to_owned(), |value| in_unit(value, Unit::Milliseconds))
            }),
            unsupported: (0..SPREAD.len()).filter_map(unsupported).collect(),
        });
    }
    spreads
}

fn value(metric: &Metric, value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| in_unit(value, metric.unit()))
}

/// A figure, the interval that has columns of its own, and what is said of it.
fn with_interval(metric: &Metric, figure: &Figure, remark: Option<String>) -> String {
    let shown = value(metric, figure.value);
    let remark = remark.map_or(String::new(), |remark| format!(", {remark}"));
    match figure.interval.filter(|_| metric.ends.is_some()) {
        Some(interval) => {
            let [low, high] = [interval.low, interval.high].map(|end| value(metric, Some(end)));
            format!("{shown} ({low} to {high}){remark}")
        }
        None => format!("{shown}{remark}"),
    }
}
