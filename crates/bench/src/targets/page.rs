//! Targets as a table: what was to be, what was, where it lies, and the verdict. What was not shown
//! to be met is said in a line of its own before it.

use super::{Judged, Outcome};
use pacemark_record::{Bound, TargetVerdict, Unit};
use pacemark_report::{Cell, Column, Document, Fact, Kind, Rank, Standing, Table, Verdict};
use serde_json::Value;

const LEGEND: &str = "met: the whole 95 % interval keeps the target; missed: the whole interval misses it; \
    undecided: the target lies within, and the number of further runs is an estimate from the present \
    spread. A value without an interval was read off once.";

/// All of it.
pub fn document(outcome: &Outcome) -> Document {
    let count = |name: &str| outcome.judged.iter().filter(|j| j.verdict.name() == name).count();
    let mut facts: Vec<Fact> = ["met", "missed", "undecided", "not_measured"]
        .map(|name| Fact::value(name, count(name)))
        .into();
    let failed = outcome.judged.iter().filter(|judged| judged.verdict != TargetVerdict::Met);
    facts.extend(failed.map(|judged| Fact::told("", sentence(judged))));
    let mut columns = vec![
        Column::new("run", Kind::Text, "run", -12).ranked(Rank::Other),
        Column::new("model", Kind::Text, "model", -16),
        Column::new("test", Kind::Text, "test", -10).ranked(Rank::Key),
        Column::new("metric", Kind::Text, "figure", -16).ranked(Rank::Key),
        Column::for_people("target", -12).ranked(Rank::Main),
        Column::for_programs("min", Kind::Float),
        Column::for_programs("max", Kind::Float),
        Column::new("actual", Kind::Float, "actual", 10).ranked(Rank::Main),
        Column::new("ci95_low", Kind::Float, "95 % from", 10),
        Column { joined: true, ..Column::new("ci95_high", Kind::Float, "to", 10) },
        Column::new("runs", Kind::Int, "runs", 5),
        Column::new("verdict", Kind::Text, "verdict", -12).ranked(Rank::Main),
        Column::new("more_runs", Kind::Int, "more runs", 9),
    ];
    let rows: Vec<Vec<Cell>> = outcome.judged.iter().map(row).collect();
    for (i, column) in columns.iter_mut().enumerate().filter(|(_, column)| column.width < 0) {
        // In a file too, names stand within their column.
        let longest = rows.iter().map(|row| row[i].text().chars().count()).max().unwrap_or(0);
        column.width = column.width.min(-(longest as isize));
    }
    let table = Table {
        name: "targets".to_owned(),
        columns,
        rows: rows.into_iter().map(Into::into).collect(),
        legend: Some(LEGEND.to_owned()),
        ..Table::default()
    };
    Document { facts, tables: vec![table], notes: outcome.notes.clone(), ..Document::default() }
}

fn row(judged: &Judged) -> Vec<Cell> {
    let Judged { target, run, model, test, found, verdict } = judged;
    let figure = found.map(|found| found.measure.figure);
    let unit = found.map_or(Unit::Number, |found| found.unit);
    let value = |value: Option<f64>| Cell::Figure(value, unit);
    let interval = figure.and_then(|figure| figure.interval);
    let more = match verdict {
        TargetVerdict::Undecided(more) => more.map(|more| more as i64),
        _ => None,
    };
    vec![
        Cell::Text(run.clone()),
        Cell::Text(model.clone()),
        Cell::Text(test.clone()),
        Cell::Text(target.figure.name().to_owned()),
        Cell::Text(bound(target.bound, unit)),
        target.bound.min.into(),
        target.bound.max.into(),
        value(figure.and_then(|figure| figure.value)),
        value(interval.map(|interval| interval.low)),
        value(interval.map(|interval| interval.high)),
        found.map_or(Cell::Absent, |found| Cell::Int(found.measure.runs as i64)),
        Cell::Told(verdict.name().into(), verdict.name().replace('_', " ")),
        match more {
            Some(more) => Cell::Told(more.into(), format!("about {more}")),
            None => Cell::Told(Value::Null, "-".to_owned()),
        },
    ]
}

/// `Failed: ttft_ms = 612 (target: at most 500)`.
fn sentence(judged: &Judged) -> String {
    let label = match judged.verdict {
        TargetVerdict::Missed => "Failed",
        TargetVerdict::Undecided(_) => "Undecided",
        _ => "Not measured",
    };
    let test = if judged.test.is_empty() { String::new() } else { format!(" [{}]", judged.test) };
    format!("{label}: {}{test}", actual(judged))
}

/// Each as a sentence, for a report.
pub fn verdicts(outcome: &Outcome) -> Vec<Verdict> {
    let one = |judged: &Judged| match judged.verdict {
        TargetVerdict::Met => {
            let test =
                if judged.test.is_empty() { String::new() } else { format!(" [{}]", judged.test) };
            Verdict { standing: Standing::Good, text: format!("Met: {}{test}", actual(judged)) }
        }
        TargetVerdict::Missed => Verdict { standing: Standing::Bad, text: sentence(judged) },
        _ => Verdict { standing: Standing::Open, text: sentence(judged) },
    };
    outcome.judged.iter().map(one).collect()
}

/// The target, e.g. `ttft_ms at most 500`.
pub(super) fn what(judged: &Judged) -> String {
    format!("{} {}", judged.target.figure.name(), judged.target.bound)
}

/// What was found beside the target.
pub(super) fn actual(judged: &Judged) -> String {
    let Judged { target, found, verdict, run, model, .. } = judged;
    let (name, target) = (target.figure.name(), target.bound);
    let Some(found) = found.filter(|found| found.measure.figure.value.is_some()) else {
        let measure = found.map(|found| found.measure);
        let why = match (verdict, measure.and_then(|measure| measure.needs)) {
            (TargetVerdict::Undecided(_), Some(needs)) => {
                format!("takes {needs} runs, there are {}", measure.map_or(0, |m| m.runs))
            }
            _ if model.is_empty() => format!("no trial of {run} has it"),
            _ => format!("no trial of {model} in {run} has it"),
        };
        return format!("{name} = - (target: {target}; {why})");
    };
    let value = found.measure.figure.value.map_or("-".to_owned(), short);
    let rest = match (verdict, found.measure.figure.interval) {
        (TargetVerdict::Undecided(more), interval) => {
            let lies = interval.map_or("no interval yet".to_owned(), |interval| {
                format!("95 %: {} to {}", short(interval.low), short(interval.high))
            });
            let more =
                more.map_or("far more than is practical".to_owned(), |n| format!("about {n} more"));
            format!("; {lies}; needs {more} runs")
        }
        _ => String::new(),
    };
    format!("{name} = {value} (target: {target}{rest})")
}

/// Four digits that say something.
fn short(value: f64) -> String {
    let magnitude = value.abs().max(1e-300).log10().floor();
    let decimals = (3.0 - magnitude).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// In the figure's unit, as its values are.
fn bound(bound: Bound, unit: Unit) -> String {
    match unit {
        Unit::Ratio | Unit::Probability => {
            let percent = |x: Option<f64>| x.map(|x| x * 100.0);
            format!("{} %", Bound { min: percent(bound.min), max: percent(bound.max) })
        }
        _ => bound.to_string(),
    }
}
