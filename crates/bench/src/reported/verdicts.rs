//! What a run comes to, in sentences: what stands for each row, and who is faster of those that were
//! measured in turn.

use super::rows::Rows;
use crate::Experiment;
use pacemark_record::{Comparison, Run, Unit, Verdict as Found};
use pacemark_report::picture::number;
use pacemark_report::{Standing, Verdict};

/// More rows than this are for the table.
const MOST_ROWS: usize = 6;

/// Sentences, comparisons first.
pub(crate) fn verdicts(experiment: &(impl Experiment + ?Sized), run: &Run) -> Vec<Verdict> {
    let compared = experiment.comparisons(&run.trials).concat();
    let mut said: Vec<Verdict> = compared.iter().map(contrast).collect();
    let rows = Rows::of(experiment, run);
    if run.trials.len() <= MOST_ROWS {
        said.extend((0..run.trials.len()).filter_map(|i| row(&rows, i)));
    } else {
        said.extend(rows.by_work().into_iter().filter_map(|(_, indices)| best(&rows, &indices)));
    }
    said
}

fn row(rows: &Rows<'_>, i: usize) -> Option<Verdict> {
    if rows.names[i].trim().is_empty() {
        return Some(Verdict::plain(told(rows, i)?));
    }
    Some(Verdict::plain(format!("{}: {}", rows.names[i], told(rows, i)?)))
}

/// The figure of a row with its interval.
fn told(rows: &Rows<'_>, i: usize) -> Option<String> {
    let (metric, figure) = (rows.headline?, rows.figure(i));
    let value = figure.value?;
    let unit = metric.unit();
    let name = rows.heading();
    let one = |value: f64| in_unit(value, unit);
    Some(match figure.interval {
        Some(interval) => {
            format!("{name} {} (95 %: {} to {})", one(value), one(interval.low), one(interval.high))
        }
        None => format!("{name} {}", one(value)),
    })
}

fn in_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => pacemark_report::size(value as u64),
        Unit::Ratio | Unit::Probability => format!("{} %", number(value * 100.0)),
        _ => number(value),
    }
}

/// Of many rows the best.
fn best(rows: &Rows<'_>, indices: &[usize]) -> Option<Verdict> {
    let better = rows.headline?.better();
    let value = |i: &usize| rows.figure(*i).value;
    let sign = if better == pacemark_record::Better::Lower { -1.0 } else { 1.0 };
    let with = indices.iter().filter_map(|i| Some((*i, value(i)? * sign)));
    let (i, _) = with.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let n = indices.len();
    if n == 1 {
        return row(rows, i);
    }
    Some(Verdict::plain(format!("best of {n} rows: {}: {}", rows.names[i], told(rows, i)?)))
}

fn contrast(found: &Comparison) -> Verdict {
    let Comparison { title, first, second, ratio, ci95_low, ci95_high, pairs, .. } = found;
    let title = title.trim();
    let interval = match (ci95_low, ci95_high) {
        (Some(low), Some(high)) => format!(" (95 %: {low:.3} to {high:.3}, {pairs} pairs)"),
        _ => format!(" ({pairs} pairs)"),
    };
    let (standing, text) = match found.verdict {
        Found::Faster => (Standing::Good, "is better"),
        Found::Slower => (Standing::Bad, "is worse"),
        Found::NotDistinguishable => (Standing::Open, "cannot be told apart"),
        Found::TooFewPairs => (Standing::Open, "too few pairs to say"),
    };
    Verdict {
        standing,
        text: format!("{title}: {first} over {second} is {ratio:.3}{interval}: {text}"),
    }
}
