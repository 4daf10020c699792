//! Panels in characters, for a terminal: the same marks on a grid of letters.
//!
//! Bars and stretches lie; lines and points stand on a field with the least and the greatest value
//! at its edges. A grid of shares is told by its table alone.

use super::scale::{Scale, ends};
use super::text::number;
use super::{Line, LinePoint, Marks, Panel, Spacing, listed};
use crate::columns::{padded, plain, wide};
use std::fmt::Write;

/// Characters of a page without a width, the least that a panel takes, and the rows of a field.
const WIDTH: usize = 100;
const NARROWEST: usize = 40;
const ROWS: usize = 12;

/// The longest name beside a bar.
const NAME: usize = 28;

/// What the points of lines are, by their number.
const DOTS: [char; 7] = ['●', '○', '▲', '△', '■', '□', '◆'];

/// A panel in lines of at most `width` characters.
pub fn terminal(panel: &Panel, width: Option<usize>) -> String {
    let width = width.unwrap_or(WIDTH).max(NARROWEST);
    let mut out = format!("{}\n", plain(&panel.title));
    match &panel.marks {
        Marks::Bars(bars) => {
            let rows: Vec<Row> = bars
                .iter()
                .map(|bar| {
                    let told = bar.value.map_or_else(|| "–".to_owned(), number);
                    let told = match ends(bar.interval) {
                        Some((low, high)) => {
                            format!("{told} ({} to {})", number(low), number(high))
                        }
                        None => told,
                    };
                    Row { name: plain(&bar.label), from: 0.0, to: bar.value.unwrap_or(0.0), told }
                })
                .collect();
            out += &lying(&rows, width);
        }
        Marks::Spans(spans) => {
            let row = |span: &super::Span| Row {
                name: plain(&span.label),
                from: span.from,
                to: span.to,
                told: plain(&span.words),
            };
            out += &lying(&spans.iter().map(row).collect::<Vec<_>>(), width);
        }
        Marks::Lines { lines, x, y, .. } => out += &field(panel, lines, [*x, *y], width),
        Marks::Points { points, x, y, .. } => {
            let line = |point: &super::Point| Line {
                label: point.label.clone(),
                points: vec![LinePoint { x: point.x, y: point.y, interval: None }],
                stroke: super::Stroke::Dots,
                role: point.role,
            };
            let lines: Vec<Line> = points.iter().map(line).collect();
            out += &field(panel, &lines, [*x, *y], width);
        }
        Marks::Cells { .. } => out += &cells(panel),
    }
    out
}

/// A bar or a stretch.
struct Row {
    name: String,
    from: f64,
    to: f64,
    told: String,
}

/// Rows from the least to the greatest value.
fn lying(rows: &[Row], width: usize) -> String {
    let name = rows.iter().map(|row| wide(&row.name)).max().unwrap_or(0).min(NAME);
    let told = rows.iter().map(|row| wide(&row.told)).max().unwrap_or(0);
    let room = width.saturating_sub(name + told + 2).clamp(8, 60);
    let values = rows.iter().flat_map(|row| [row.from, row.to]).filter(|x| x.is_finite());
    let (least, most) = values.fold((0.0_f64, f64::MIN_POSITIVE), |(l, m), x| (l.min(x), m.max(x)));
    let at = |value: f64| ((value - least) / (most - least) * room as f64).round() as usize;
    let mut out = String::new();
    for row in rows {
        let drawn = row.from.is_finite() && row.to.is_finite();
        let (from, to) = (at(row.from.min(row.to)).min(room), at(row.to.max(row.from)).min(room));
        let bar = if drawn { " ".repeat(from) + &"█".repeat(to - from) } else { String::new() };
        let line = format!("{} {} {}", padded(&row.name, name), padded(&bar, room), row.told);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// Lines on a field, their names below it.
fn field(panel: &Panel, lines: &[Line], spacing: [Spacing; 2], width: usize) -> String {
    let drawn = |p: &&LinePoint| spacing[0].has(p.x) && spacing[1].has(p.y);
    let points = || lines.iter().flat_map(|line| &line.points).filter(drawn);
    let x = Scale::of_points(points().map(|p| p.x), spacing[0]);
    let y = Scale::of_points(points().map(|p| p.y), spacing[1]);
    if x.ticks.is_empty() || y.ticks.is_empty() {
        return "no values\n".to_owned();
    }
    let left = y.ticks.iter().map(|(_, name)| wide(name)).max().unwrap_or(0);
    let columns = width.saturating_sub(left + 3).clamp(8, 80);
    let mut grid = vec![vec![' '; columns]; ROWS];
    let column = |value: f64| x.at(value, 0.0, (columns - 1) as f64).round() as usize;
    let row = |value: f64| y.at(value, (ROWS - 1) as f64, 0.0).round() as usize;
    for (i, line) in lines.iter().enumerate() {
        for p in line.points.iter().filter(drawn) {
            grid[row(p.y)][column(p.x)] = DOTS[i % DOTS.len()];
        }
    }
    let mut out =
        if panel.y_axis.is_empty() { String::new() } else { format!("{}\n", plain(&panel.y_axis)) };
    for (i, cells) in grid.iter().enumerate() {
        let tick = y.ticks.iter().find(|(value, _)| row(*value) == i);
        let name = tick.map_or("", |(_, name)| name);
        let cells: String = cells.iter().collect();
        let _ = writeln!(out, "{name:>left$} ┤{}", cells.trim_end());
    }
    let _ = writeln!(out, "{:left$} └{}", "", "─".repeat(columns));
    let mut axis = String::new();
    for (value, name) in &x.ticks {
        let at = (left + 2 + column(*value)).saturating_sub(wide(name) / 2);
        if at > wide(&axis) || axis.is_empty() {
            axis = padded(&axis, at) + name;
        }
    }
    let _ = writeln!(out, "{} {}", axis, plain(&panel.x_axis));
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| !line.label.is_empty()) {
        let _ = writeln!(out, "  {} {}", DOTS[i % DOTS.len()], plain(&line.label));
    }
    out
}

/// The table of a panel.
fn cells(panel: &Panel) -> String {
    let table = listed(panel);
    let all = || std::iter::once(&table.headings).chain(&table.rows);
    let width = |i: usize| all().filter_map(|row| row.get(i)).map(|cell| wide(cell)).max();
    let widths: Vec<usize> = (0..table.headings.len()).filter_map(width).collect();
    let line = |row: &Vec<String>| -> String {
        let cells = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    all().map(line).collect()
}
