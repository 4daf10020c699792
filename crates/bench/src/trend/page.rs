//! A trend on a page: a row for each run, a chart for each line, a note for each change.

use super::{Line, Point};
use pacemark_record::stats::CHANGE_POINTS;
use pacemark_record::{Better, Part};
use pacemark_report::layout::{minute, rfc3339};
use pacemark_report::{Cell, Chart, Column, Document, Kind, Point as Mark, Rank, Table};

/// Digits of an id that are shown to people.
const DIGITS: usize = 10;

/// The document of lines of the metric of that name.
pub fn document(name: &str, lines: &[Line]) -> Document {
    let rows = lines.iter().enumerate().flat_map(|(number, line)| {
        (0..line.points.len()).map(move |point| row(number, line, point).into())
    });
    let table = Table {
        name: "trend".to_owned(),
        columns: columns(),
        rows: rows.collect(),
        legend: Some(format!("change: a new level begins ({CHANGE_POINTS}).")),
        ..Table::default()
    };
    let runs = lines.iter().map(|line| line.points.len()).sum::<usize>();
    Document {
        title: Some(format!("{name}: {runs} figures of {} tests", lines.len())),
        tables: vec![table.fitted()],
        charts: lines.iter().map(chart).collect(),
        notes: lines.iter().flat_map(notes).collect(),
        ..Document::default()
    }
}

fn columns() -> Vec<Column> {
    use Kind::{Float, Int, Text};
    let programs = Column::for_programs;
    vec![
        programs("line", Int),
        programs("metric", Text),
        programs("experiment", Text),
        Column::new("test", Text, "test", -16).ranked(Rank::Key),
        Column::new("model", Text, "model", -24),
        programs("model_file", Text),
        programs("backend", Text),
        programs("host", Text),
        Column::new("id", Text, "run", -10).ranked(Rank::Key),
        Column::new("started", Text, "when (UTC)", -16).ranked(Rank::Main),
        programs("version", Text),
        Column::new("commit", Text, "commit", -8),
        Column::new("value", Float, "value", 10).ranked(Rank::Main),
        Column::new("ci95_low", Float, "95 % from", 9),
        Column { joined: true, ..Column::new("ci95_high", Float, "to", 9) },
        programs("level", Float),
        Column::new("change", Float, "change", 8).ranked(Rank::Main),
    ]
}

fn row(number: usize, line: &Line, at: usize) -> Vec<Cell> {
    let (alike, point) = (&line.alike, &line.points[at]);
    let text = |text: &str| Cell::Text(text.to_owned());
    let figure = |part| Cell::Figure(point.figure.part(part), line.metric.unit());
    let change = match line.change(at) {
        None => Cell::Absent,
        Some(change) => Cell::Told(change.into(), format!("{:+.1} %", change * 100.0)),
    };
    vec![
        Cell::Int(number as i64 + 1),
        text(&line.metric.name()),
        text(&alike.experiment),
        text(&line.test),
        text(&alike.model_type),
        text(&alike.file),
        text(&alike.backend),
        text(&alike.machine),
        Cell::Told(point.id.as_str().into(), short(&point.id)),
        Cell::Told(rfc3339(point.started_unix_s).into(), minute(point.started_unix_s)),
        text(&point.build[0]),
        text(&point.build[1]),
        figure(Part::Value),
        figure(Part::Low),
        figure(Part::High),
        Cell::Float(line.level(at).1),
        change,
    ]
}

fn short(id: &str) -> String {
    id.chars().take(DIGITS).collect()
}

/// A point for each run, those marked with which a level begins.
fn chart(line: &Line) -> Chart {
    let mark = |(at, point): (usize, &Point)| Mark {
        label: if line.changes.contains(&at) { "→" } else { "" }.to_owned(),
        name: minute(point.started_unix_s),
        value: point.figure.value.unwrap_or(f64::NAN),
        interval: point.figure.interval.map(|interval| [interval.low, interval.high]),
    };
    Chart {
        title: format!("{}: {}", line.name(), line.metric.title()),
        is_close_up: true,
        points: line.points.iter().enumerate().map(mark).collect(),
        ..Chart::default()
    }
}

/// A sentence for each change.
fn notes(line: &Line) -> Vec<String> {
    let note = |&at: &usize| {
        let (point, change) = (&line.points[at], line.change(at).unwrap_or(f64::NAN));
        let (before, after) = (line.level(at - 1).1, line.level(at).1);
        let level = |value: f64| Cell::Figure(Some(value), line.metric.unit()).text();
        format!(
            "{}: {} from {} to {} ({:+.1} %{}) with run {} of {}, build {}",
            line.name(),
            line.metric.title(),
            level(before),
            level(after),
            change * 100.0,
            direction(change, line.metric.better()),
            short(&point.id),
            minute(point.started_unix_s),
            point.build[1]
        )
    };
    line.changes.iter().map(note).collect()
}

fn direction(change: f64, better: Better) -> &'static str {
    match better {
        Better::Neither => "",
        Better::Higher if change > 0.0 => ", better",
        Better::Lower if change < 0.0 => ", better",
        Better::Higher | Better::Lower => ", worse",
    }
}
