//! The pictures that every experiment has: its headline as bars or over what was swept, what it was in
//! each repetition, and how its values are spread.

use super::rows::{Rows, Work};
use super::{distribution, roofline, sweep};
use pacemark_report::picture::{Bar, Line, LinePoint, Marks, Panel, Role, Spacing, Stroke};

/// More bars than this are too narrow to read.
const MOST_BARS: usize = 40;

/// More lines than this cannot be told apart.
pub(super) const MOST_LINES: usize = 7;

/// Fewer values are no course.
const FEWEST: usize = 3;

/// All of them.
pub(crate) fn panels(rows: &Rows<'_>) -> Vec<Panel> {
    let mut panels = Vec::new();
    for (work, indices) in rows.by_work() {
        panels.extend(match sweep::panel(rows, work, &indices) {
            Some(panel) => Some(panel),
            None => bars(rows, work, &indices),
        });
    }
    panels.extend(roofline::panels(rows));
    for (work, indices) in rows.by_work() {
        panels.extend(course(rows, work, &indices));
    }
    panels.extend(distribution::panels(rows));
    panels
}

/// Keeps what can be told apart, and says of how many.
pub(super) fn left_out(lines: &mut Vec<Line>) -> String {
    let n = lines.len();
    lines.truncate(MOST_LINES);
    if n > MOST_LINES { format!(" (the first {MOST_LINES} of {n} lines)") } else { String::new() }
}

/// A bar for each row.
fn bars(rows: &Rows<'_>, work: Work, indices: &[usize]) -> Option<Panel> {
    let bar = |&i: &usize| {
        let figure = rows.figure(i);
        Bar {
            label: rows.names[i].clone(),
            value: figure.value,
            interval: figure.interval.map(|interval| (interval.low, interval.high)),
            role: Role::Other,
        }
    };
    let bars: Vec<Bar> = indices.iter().take(MOST_BARS).map(bar).collect();
    let n = indices.len();
    let more = match n > MOST_BARS {
        true => format!(" (the first {MOST_BARS} of {n} rows)"),
        false => String::new(),
    };
    bars.iter().any(|bar| bar.value.is_some()).then(|| Panel {
        title: rows.titled(work, &rows.heading()) + &more,
        y_axis: rows.heading(),
        x_axis: String::new(),
        marks: Marks::Bars(bars),
    })
}

/// What stands for a row, in each of its repetitions.
fn course(rows: &Rows<'_>, work: Work, indices: &[usize]) -> Option<Panel> {
    let series = rows.headline?.series;
    let line = |(n, &i): (usize, &usize)| {
        let values = (series.of)(&rows.trials[i]);
        let points = values.iter().enumerate();
        let point = |(x, y): (usize, &f64)| LinePoint { x: x as f64 + 1.0, y: *y, interval: None };
        Line {
            label: rows.names[i].clone(),
            points: distribution::thinned(points.map(point).collect()),
            stroke: Stroke::Straight,
            role: Role::Nth(n),
        }
    };
    let lines = indices.iter().enumerate().map(line);
    let mut lines: Vec<Line> = lines.filter(|line| line.points.len() >= FEWEST).collect();
    let more = left_out(&mut lines);
    (!lines.is_empty()).then(|| Panel {
        title: rows.titled(work, "each repetition in turn") + &more,
        y_axis: Rows::axis(series),
        x_axis: "repetition".to_owned(),
        marks: Marks::Lines { lines, x: Spacing::Even, y: Spacing::Even, guides: Vec::new() },
    })
}
