//! Panels in characters, for a terminal: the same marks on a grid of letters.
//!
//! Bars and stretches lie; lines and points stand on a field with the least and the greatest value
//! at its edges. A grid of shares is told by its table alone. No line is wider than the terminal: names
//! and titles go on, figures are never cut.

use super::scale::{Scale, ends};
use super::text::number;
use super::{Line, LinePoint, Marks, Panel, Role, Spacing, Stroke, listed};
use crate::Lang;
use crate::columns::{folded, padded, padded_left, plain, wide};
use std::fmt::Write;

/// Characters of a page without a width, the least that a panel takes, and the rows of a field.
const WIDTH: usize = 100;
const NARROWEST: usize = 40;
const ROWS: usize = 12;

/// The longest name beside a bar, and the shortest longest bar.
const NAME: usize = 28;
const SHORTEST: usize = 8;

/// Of a line with intervals so many values are listed.
const MOST_LISTED: usize = 24;

/// What the points of lines are, by their number; after the last come letters.
const DOTS: [char; 10] = ['●', '○', '▲', '△', '■', '□', '◆', '◇', '★', '☆'];

/// What a line is drawn with that the others are held against.
const BASELINE: char = '·';

/// A panel in lines of at most `width` characters.
pub fn terminal(panel: &Panel, width: Option<usize>) -> String {
    terminal_in(panel, width, Lang::En)
}

/// The same, of a panel that is in this language already.
pub fn terminal_in(panel: &Panel, width: Option<usize>, lang: Lang) -> String {
    let width = width.unwrap_or(WIDTH).max(NARROWEST);
    let mut out = format!("{}\n", folded(&plain(&panel.title), Some(width)));
    match &panel.marks {
        Marks::Bars(bars) => {
            let told = |bar: &super::Bar| {
                bar.value.map_or_else(|| "–".to_owned(), |value| with_ends(value, bar.interval))
            };
            let row = |bar: &super::Bar| Row {
                name: plain(&bar.label),
                from: 0.0,
                to: bar.value.unwrap_or(0.0),
                told: told(bar),
            };
            out += &lying(&bars.iter().map(row).collect::<Vec<_>>(), width);
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
        Marks::Lines { lines, x, y, .. } => {
            let of_settings =
                |values: &mut dyn Iterator<Item = f64>| Scale::of_settings(values, *x);
            out += &field(panel, lines, (&of_settings, [*x, *y]), width, lang);
        }
        Marks::Points { points, x, y, front } => {
            let place = |point: &super::Point| LinePoint { x: point.x, y: point.y, interval: None };
            let line = |point: &super::Point| Line {
                label: point.label.clone() + &intervals_of(point),
                points: vec![place(point)],
                stroke: Stroke::Dots,
                role: point.role,
            };
            let mut lines: Vec<Line> = points.iter().map(line).collect();
            lines.push(Line {
                label: String::new(),
                points: front.iter().filter_map(|&i| points.get(i)).map(place).collect(),
                stroke: Stroke::Straight,
                role: Role::Baseline,
            });
            let of_points = |values: &mut dyn Iterator<Item = f64>| Scale::of_points(values, *x);
            out += &field(panel, &lines, (&of_points, [*x, *y]), width, lang);
        }
        Marks::Cells { .. } => out += &cells(panel, width, lang),
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

/// Rows from the least to the greatest value. A name that is too long stands above its bar.
fn lying(rows: &[Row], width: usize) -> String {
    let widths = || rows.iter().map(|row| wide(&row.name));
    let told = rows.iter().map(|row| wide(&row.told)).max().unwrap_or(0);
    let most = width.saturating_sub(told + SHORTEST + 2).min(NAME);
    let name = widths().filter(|width| *width <= most).max().unwrap_or(0);
    let room = width.saturating_sub(name + told + 2).clamp(SHORTEST, 60);
    let values = rows.iter().flat_map(|row| [row.from, row.to]).filter(|x| x.is_finite());
    let (least, most) = values.fold((0.0_f64, f64::MIN_POSITIVE), |(l, m), x| (l.min(x), m.max(x)));
    let at = |value: f64| ((value - least) / (most - least) * room as f64).round() as usize;
    let mut out = String::new();
    for row in rows {
        let drawn = row.from.is_finite() && row.to.is_finite();
        let (from, to) = (at(row.from.min(row.to)).min(room), at(row.to.max(row.from)).min(room));
        let bar = if drawn { " ".repeat(from) + &"█".repeat(to - from) } else { String::new() };
        let is_long = wide(&row.name) > name;
        if is_long {
            let _ = writeln!(out, "{}", folded(&row.name, Some(width)));
        }
        let beside = if is_long { "" } else { &row.name };
        let line = format!("{} {} {}", padded(beside, name), padded(&bar, room), row.told);
        let _ = writeln!(out, "{}", folded_behind(line.trim_end(), &row.told, width));
    }
    out
}

/// A line whose end is on the next where it has no room.
fn folded_behind(line: &str, end: &str, width: usize) -> String {
    match wide(line) <= width {
        true => line.to_owned(),
        false => {
            let begin = line.strip_suffix(end).unwrap_or(line).trim_end();
            let end = folded(&format!("  {end}"), Some(width));
            if begin.is_empty() { end } else { format!("{begin}\n{end}") }
        }
    }
}

/// The mark of a line's points, by its number among those that have one.
fn dot(i: usize) -> char {
    let letters = || char::from(b'a' + ((i - DOTS.len()) % 26) as u8);
    DOTS.get(i).copied().unwrap_or_else(letters)
}

/// How an axis from left to right is made of values.
type Across<'a> = &'a dyn Fn(&mut dyn Iterator<Item = f64>) -> Scale;

/// A field of characters, and where values fall in it.
struct Field {
    x: Scale,
    y: Scale,
    cells: Vec<Vec<char>>,
}

impl Field {
    fn column(&self, value: f64) -> usize {
        self.x.at(value, 0.0, (self.cells[0].len() - 1) as f64).round() as usize
    }

    fn row(&self, value: f64) -> usize {
        self.y.at(value, (ROWS - 1) as f64, 0.0).round() as usize
    }

    fn mark(&mut self, p: &LinePoint, mark: char) {
        let (row, column) = (self.row(p.y), self.column(p.x));
        self.cells[row][column] = mark;
    }

    /// A straight line.
    fn stroke(&mut self, from: &LinePoint, to: &LinePoint, mark: char) {
        let ends = [from, to].map(|p| (self.column(p.x) as f64, self.row(p.y) as f64));
        let [(x0, y0), (x1, y1)] = ends;
        let steps = (x1 - x0).abs().max((y1 - y0).abs()).max(1.0) as usize;
        for i in 0..=steps {
            let part = i as f64 / steps as f64;
            let (x, y) = (x0 + (x1 - x0) * part, y0 + (y1 - y0) * part);
            self.cells[y.round() as usize][x.round() as usize] = mark;
        }
    }
}

/// Lines on a field, their names below it.
fn field(
    panel: &Panel,
    lines: &[Line],
    (across, spacing): (Across<'_>, [Spacing; 2]),
    width: usize,
    lang: Lang,
) -> String {
    let drawn = |p: &&LinePoint| spacing[0].has(p.x) && spacing[1].has(p.y);
    let points = || lines.iter().flat_map(|line| &line.points).filter(drawn);
    let x = across(&mut points().map(|p| p.x));
    let y = Scale::of_points(points().map(|p| p.y), spacing[1]);
    if x.ticks.is_empty() || y.ticks.is_empty() {
        return format!("{}\n", lang.say("no values"));
    }
    let left = y.ticks.iter().map(|(_, name)| wide(name)).max().unwrap_or(0);
    let columns = width.saturating_sub(left + 2).clamp(SHORTEST, 80);
    let mut field = Field { x, y, cells: vec![vec![' '; columns]; ROWS] };
    // The baseline lies behind all others.
    let (behind, before): (Vec<&Line>, Vec<&Line>) =
        lines.iter().partition(|line| is_baseline(line));
    for line in &behind {
        let places: Vec<&LinePoint> = line.points.iter().filter(drawn).collect();
        places.windows(2).for_each(|ends| field.stroke(ends[0], ends[1], BASELINE));
    }
    for (i, line) in before.iter().enumerate() {
        line.points.iter().filter(drawn).for_each(|p| field.mark(p, dot(i)));
    }
    let mut out = match panel.y_axis.as_str() {
        "" => String::new(),
        name => format!("{}\n", folded(&plain(name), Some(width))),
    };
    for (i, cells) in field.cells.iter().enumerate() {
        let tick = field.y.ticks.iter().find(|(value, _)| field.row(*value) == i);
        let name = padded_left(tick.map_or("", |(_, name)| name), left);
        let cells: String = cells.iter().collect();
        let _ = writeln!(out, "{name} ┤{}", cells.trim_end());
    }
    let _ = writeln!(out, "{:left$} └{}", "", "─".repeat(columns));
    out += &below(&field, &plain(&panel.x_axis), left + 2, width);
    let marks = before.iter().enumerate().map(|(i, line)| (dot(i), *line));
    let marks = marks.chain(behind.iter().map(|line| (BASELINE, *line)));
    for (mark, line) in marks.filter(|(_, line)| !line.label.is_empty()) {
        let name = format!("  {mark} {}", plain(&line.label));
        let _ = writeln!(out, "{}", folded(&name, Some(width)));
        if let Some(values) = intervals(line) {
            let _ = writeln!(out, "{}", folded(&values, Some(width)));
        }
    }
    out
}

/// The values of a line that has intervals, which no field of characters has room for; of many the first.
fn intervals(line: &Line) -> Option<String> {
    let known = |p: &&LinePoint| p.x.is_finite() && p.y.is_finite();
    let points = || line.points.iter().filter(known);
    if points().all(|p| ends(p.interval).is_none()) {
        return None;
    }
    let value = |p: &LinePoint| format!("{}: {}", number(p.x), with_ends(p.y, p.interval));
    let mut values: Vec<String> = points().take(MOST_LISTED).map(value).collect();
    if points().count() > MOST_LISTED {
        values.push("…".to_owned());
    }
    Some(format!("    {}", values.join("; ")))
}

/// The values of a point that has an interval.
fn intervals_of(point: &super::Point) -> String {
    let axes = [("x", point.x, point.x_interval), ("y", point.y, point.y_interval)];
    if axes.iter().all(|(_, _, interval)| ends(*interval).is_none()) {
        return String::new();
    }
    let told = axes.into_iter().filter(|(_, value, _)| value.is_finite());
    let told = told.map(|(name, value, interval)| format!("{name} {}", with_ends(value, interval)));
    let told: Vec<String> = told.collect();
    if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
}

/// A value, and in brackets where it lies.
fn with_ends(value: f64, interval: Option<(f64, f64)>) -> String {
    let value = number(value);
    ends(interval).map_or(value.clone(), |(low, high)| {
        format!("{value} ({} … {})", number(low), number(high))
    })
}

/// What the others are held against, and goes on between its points: a roof.
fn is_baseline(line: &Line) -> bool {
    line.role == Role::Baseline && line.stroke == Stroke::Straight
}

/// The ticks below a field that begins at `left`, and the name of its axis: behind them where there is room.
fn below(field: &Field, name: &str, left: usize, width: usize) -> String {
    let mut axis = String::new();
    for (value, tick) in &field.x.ticks {
        let at = (left + field.column(*value)).saturating_sub(wide(tick) / 2);
        let at = at.min(width.saturating_sub(wide(tick)));
        if at > wide(&axis) || axis.is_empty() {
            axis = padded(&axis, at) + tick;
        }
    }
    match name {
        "" => format!("{axis}\n"),
        name if wide(&axis) + 1 + wide(name) <= width => format!("{axis} {name}\n"),
        name => {
            let name = folded(name, Some(width));
            // Behind the field's left edge, where that is enough.
            let lead = left.min(width.saturating_sub(wide(name.lines().next().unwrap_or(""))));
            format!("{axis}\n{}{name}\n", " ".repeat(if name.contains('\n') { 0 } else { lead }))
        }
    }
}

/// The table of a panel: in several where it is too wide, each with the names of the rows.
fn cells(panel: &Panel, width: usize, lang: Lang) -> String {
    let table = listed(panel);
    let said = |row: &Vec<String>| -> Vec<String> {
        row.iter().map(|cell| lang.say(&plain(cell)).into_owned()).collect()
    };
    let all = std::iter::once(&table.headings).chain(&table.rows).map(said);
    let mut all: Vec<Vec<String>> = all.collect();
    // What is measured may be a long name, and stands above.
    let measured = all[0].first_mut().map(std::mem::take).unwrap_or_default();
    let needed = |i: usize| all.iter().filter_map(|row| row.get(i)).map(|cell| wide(cell)).max();
    let widths: Vec<usize> = (0..table.headings.len()).filter_map(needed).collect();
    let Some((first, others)) = widths.split_first() else { return String::new() };
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut used = usize::MAX;
    for (i, column) in others.iter().enumerate() {
        used = used.saturating_add(column + 2);
        match parts.last_mut().filter(|_| used <= width) {
            Some(part) => part.push(i + 1),
            None => {
                used = first + 2 + column;
                parts.push(vec![i + 1]);
            }
        }
    }
    let line = |row: &Vec<String>, part: &[usize]| -> String {
        let cells = std::iter::once(&0).chain(part);
        let cells = cells.map(|&i| padded(row.get(i).map_or("", String::as_str), widths[i]));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let part = |part: &Vec<usize>| all.iter().map(|row| line(row, part)).collect::<String>();
    let parts = parts.iter().map(part).collect::<Vec<_>>().join("\n");
    format!("{}\n{parts}", folded(&measured, Some(width)))
}
