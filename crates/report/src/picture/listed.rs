//! The values of a panel as a table: for who cannot see it, and for who wants them to the digit.

use super::text::number;
use super::{Marks, Panel};

/// Headings, and rows of as many cells each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// One for each column; the first names a row.
    pub headings: Vec<String>,
    /// From the top down.
    pub rows: Vec<Vec<String>>,
}

/// Of a line with more points than this, so many are listed, evenly chosen.
const MOST_POINTS: usize = 40;

/// What stands for a value that there is none of.
const MISSING: &str = "–";

/// The values of a panel. Of long lines only some are listed; the last row says how many there are.
pub fn listed(panel: &Panel) -> Listed {
    let or = |name: &str, other: &str| if name.is_empty() { other } else { name }.to_owned();
    let value = or(&panel.y_axis, "value");
    let across = or(&panel.x_axis, "x");
    match &panel.marks {
        Marks::Bars(bars) => {
            let row = |bar: &super::Bar| {
                let value = bar.value.map_or_else(|| MISSING.to_owned(), number);
                vec![bar.label.clone(), value, interval(bar.interval)]
            };
            table(["", &value, "95 %"], bars.iter().map(row))
        }
        Marks::Points { points, .. } => {
            let row = |point: &super::Point| {
                let [x, y] = [(point.x, point.x_interval), (point.y, point.y_interval)];
                vec![point.label.clone(), told(x.0), interval(x.1), told(y.0), interval(y.1)]
            };
            table(["", &across, "95 %", &value, "95 %"], points.iter().map(row))
        }
        Marks::Lines { lines, .. } => {
            let rows = lines.iter().flat_map(|line| {
                let every = line.points.len().div_ceil(MOST_POINTS).max(1);
                let points = line.points.iter().enumerate().filter(move |(i, _)| i % every == 0);
                let row = |(_, p): (usize, &super::LinePoint)| {
                    vec![line.label.clone(), told(p.x), told(p.y), interval(p.interval)]
                };
                let whole = line.points.len();
                let more = (every > 1).then(|| {
                    let more = format!("1 of {every}, {whole} in all");
                    vec![line.label.clone(), more, String::new(), String::new()]
                });
                points.map(row).chain(more).collect::<Vec<_>>()
            });
            table(["", &across, &value, "95 %"], rows)
        }
        Marks::Spans(spans) => {
            let row = |span: &super::Span| {
                vec![span.label.clone(), told(span.from), told(span.to), span.words.clone()]
            };
            table(["", "from", "to", &across], spans.iter().map(row))
        }
        Marks::Cells { columns, rows, values } => {
            let headings = std::iter::once(value).chain(columns.iter().cloned()).collect();
            let cell = |value: &Option<f64>| {
                value.map_or_else(|| MISSING.to_owned(), |share| told(share * 100.0))
            };
            let row = |(i, name): (usize, &String)| {
                let given = values.get(i).map_or(&[][..], Vec::as_slice);
                let cells = (0..columns.len()).map(|c| cell(given.get(c).unwrap_or(&None)));
                std::iter::once(name.clone()).chain(cells).collect()
            };
            Listed { headings, rows: rows.iter().enumerate().map(row).collect() }
        }
    }
}

fn table<const N: usize>(headings: [&str; N], rows: impl Iterator<Item = Vec<String>>) -> Listed {
    Listed { headings: headings.map(str::to_owned).to_vec(), rows: rows.collect() }
}

fn told(value: f64) -> String {
    if value.is_finite() { number(value) } else { MISSING.to_owned() }
}

fn interval(interval: Option<(f64, f64)>) -> String {
    interval.map_or_else(String::new, |(low, high)| format!("{} – {}", told(low), told(high)))
}
