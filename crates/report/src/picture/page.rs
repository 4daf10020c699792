//! The page: title, legend, panels in rows, notes.

use super::panel::{self, Frame, Room};
use super::sheet::{Ink, Sheet, Words};
use super::{Marks, Panel, Picture, Role, drawn as marks_of, text};
use crate::Lang;

/// Sizes of text, and how far lines of it are apart.
const TITLE: (u32, f64) = (18, 25.0);
const LEGEND: (u32, f64) = (12, 22.0);
const NOTE: (u32, f64) = (11, 16.0);

/// The edge of the page, and what panels keep from each other.
const MARGIN: f64 = 24.0;
const ACROSS: f64 = 30.0;
const DOWN: f64 = 22.0;

/// The least width of what is on it: a title has room without any panel.
const NARROWEST: f64 = 440.0;

/// The square of a colour, and what it keeps from its words; the longest words beside one.
const SWATCH: f64 = 12.0;
const BESIDE: f64 = 6.0;
const LONGEST: f64 = 300.0;

/// The picture in as many parts as it takes for each to be one file, a part for each row at most. What is
/// too large even so is one part, and refused when it is drawn.
pub(super) fn broken(picture: &Picture, lang: Lang) -> Vec<Picture> {
    let columns = picture.columns.max(1);
    let mut left = &picture.panels[..];
    let mut parts = Vec::new();
    loop {
        let of = |panels: &[Panel]| Picture { panels: panels.to_vec(), ..picture.clone() };
        let load = |rows: usize| {
            let panels = (rows * columns).min(left.len());
            drawn(&of(&left[..panels]), lang, None).load()
        };
        let mut rows = left.len().div_ceil(columns).max(1);
        let mut filled = load(rows);
        while filled > 1.0 && rows > 1 {
            // Its height is that of its rows, about.
            rows = ((rows as f64 / filled) as usize).clamp(1, rows - 1);
            filled = load(rows);
        }
        let taken = (rows * columns).min(left.len());
        parts.push(of(&left[..taken]));
        left = &left[taken..];
        if left.is_empty() {
            return parts;
        }
    }
}

/// The picture, drawn; its own words are in this language. No frame is wider than `most`, but of bars and
/// cells, which need theirs.
pub(super) fn drawn(picture: &Picture, lang: Lang, most: Option<f64>) -> Sheet {
    let panels: Vec<_> =
        picture.panels.iter().map(|panel| (panel, marks_of(&panel.marks))).collect();
    let rooms = panels.iter().map(|(panel, drawn)| panel::room(panel, drawn.as_ref()));
    // One room for all, so that frames stand in line.
    let mut room = rooms.fold(Room::default(), Room::and);
    let is_free = |panel: &Panel| !matches!(panel.marks, Marks::Bars(_) | Marks::Cells { .. });
    if let Some(most) = most.filter(|_| picture.panels.iter().all(is_free)) {
        room.width = room.width.min(most);
    }
    let titles: Vec<Vec<String>> =
        panels.iter().map(|(panel, _)| panel::title(panel, room.width)).collect();
    let head = panel::head_height(titles.iter().map(Vec::len).max().unwrap_or(0));
    let columns = picture.columns.clamp(1, panels.len().max(1));
    let rows = panels.len().div_ceil(columns);
    let cell =
        (room.left + room.width + room.right + ACROSS, head + room.height + room.below + DOWN);
    let width = (cell.0 * columns as f64 - ACROSS).max(NARROWEST);
    let wrapped = |words: &str, size| text::wrapped(words, f64::from(size), width);
    let title = wrapped(&picture.title, TITLE.0);
    let legend = legend(&picture.legend, width);
    let notes: Vec<String> = picture.notes.iter().flat_map(|note| wrapped(note, NOTE.0)).collect();

    let legend_top = MARGIN + title.len() as f64 * TITLE.1;
    let legend_rows = legend.last().map_or(0, |entry| entry.row + 1);
    let top = legend_top + legend_rows as f64 * LEGEND.1 + 8.0;
    let bottom = top + cell.1 * rows as f64;
    let height = bottom + notes.len() as f64 * NOTE.1 + MARGIN;

    let mut sheet = Sheet::new(width + 2.0 * MARGIN, height, lang);
    lines(&mut sheet, &title, MARGIN, TITLE);
    for entry in &legend {
        entry.draw(&mut sheet, legend_top);
    }
    for (i, ((panel, drawn), title)) in panels.iter().zip(&titles).enumerate() {
        let left = MARGIN + cell.0 * (i % columns) as f64 + room.left;
        let top = top + cell.1 * (i / columns) as f64 + head;
        let frame = Frame { left, top, right: left + room.width, bottom: top + room.height };
        let below = frame.bottom + room.below;
        panel::draw(&mut sheet, (*panel, title.as_slice()), drawn.as_ref(), &frame, below);
    }
    lines(&mut sheet, &notes, bottom, NOTE);
    sheet
}

/// Lines below each other.
fn lines(sheet: &mut Sheet, lines: &[String], top: f64, (size, pitch): (u32, f64)) {
    for (i, line) in lines.iter().enumerate() {
        let at = (MARGIN, top + pitch * i as f64 + f64::from(size));
        sheet.words(&Words::new(line, at, size));
    }
}

/// A colour and what it means.
struct Entry<'a> {
    role: Role,
    words: &'a str,
    row: usize,
    left: f64,
}

/// Where a legend's entries stand: beside each other in as many rows as they need.
fn legend(entries: &[(Role, String)], width: f64) -> Vec<Entry<'_>> {
    let (mut row, mut left) = (0, 0.0);
    let mut placed = Vec::with_capacity(entries.len());
    for (role, words) in entries {
        let long = text::width(words, f64::from(LEGEND.0)).min(LONGEST) + SWATCH + BESIDE;
        if left > 0.0 && left + long > width {
            (row, left) = (row + 1, 0.0);
        }
        placed.push(Entry { role: *role, words, row, left });
        left += long + 3.0 * BESIDE;
    }
    placed
}

impl Entry<'_> {
    fn draw(&self, sheet: &mut Sheet, top: f64) {
        let (left, top) = (MARGIN + self.left, top + self.row as f64 * LEGEND.1 + 4.0);
        sheet.rectangle((left, top), (left + SWATCH, top + SWATCH), Ink::from(self.role));
        let words = Words::new(self.words, (left + SWATCH + BESIDE, top + 10.5), LEGEND.0);
        sheet.words(&Words { room: LONGEST, ..words });
    }
}
