//! For reading on a terminal: a block of lines for each row, figures by name and distributions side
//! by side, where rows have one; else tables, with their charts as bars below.

use super::markdown::Markdown;
use super::{Page, Render, Renderer, reading};
use crate::chart::drawn;
use crate::columns::{folded, padded, padded_left, plain, wide};
use crate::document::{Block, Document, Row, Spread, Table};
use crate::picture::terminal_in;
use pacemark_record::stats;

pub(super) const RENDERER: Renderer = Renderer {
    name: "table",
    help: "a block of lines for each test, or a table with its chart",
    streams: true,
    tells: true,
    new: |page| {
        Box::new(Blocks {
            page: *page,
            tables: Markdown::new(page),
            summary: Vec::new(),
            unsupported: Vec::new(),
        })
    },
};

/// Remembers the rows, which are compared at the end.
struct Blocks {
    page: Page,
    /// Writes what has no blocks.
    tables: Markdown,
    /// Name, headings and figures of each row.
    summary: Vec<(String, Vec<(String, String)>)>,
    /// Percentiles that a sample did not support.
    unsupported: Vec<f64>,
}

/// Width of the names, of a percentile where there is room, and of what rows are compared by.
const NAMES: usize = 18;
const SPREAD: usize = 10;
const SUMMED: usize = 11;

impl Render for Blocks {
    fn begin(&mut self, document: &Document) -> String {
        match document.tables.first() {
            Some(table) if table.in_blocks => super::head(document, &self.page),
            _ => self.tables.begin(document),
        }
    }

    fn row(&mut self, table: &Table, row: &Row) -> String {
        let Some(block) = &row.block else { return self.tables.row(table, row) };
        for p in block.spreads.iter().flat_map(|spread| &spread.unsupported) {
            if !self.unsupported.contains(p) {
                self.unsupported.push(*p);
            }
        }
        self.summary.extend(block.summary.clone());
        self.lines(block) + "\n"
    }

    fn end(&mut self, document: &Document) -> String {
        if document.tables.first().is_none_or(|table| !table.in_blocks) {
            let bars: String = document
                .charts
                .iter()
                .map(|c| format!("\n{}", drawn(c, self.page.width)))
                .collect();
            let bars = bars + &self.panels(document);
            let end = self.tables.end(document);
            // Notes and build stand last.
            let rest = self.tables.rest(document);
            return rest.clone() + &bars + &end[rest.len()..];
        }
        let mut text = self.comparison();
        self.unsupported.sort_by(f64::total_cmp);
        let needs = self.unsupported.iter().filter_map(|p| {
            let n = stats::least_samples(*p, stats::CONFIDENCE)?;
            let takes = self.page.lang.say("takes");
            Some(format!("p{} {takes} {n}", (p * 1e5).round() / 1e3))
        });
        let needs: Vec<String> = needs.collect();
        if !needs.is_empty() {
            let why = self.page.lang.say("not enough for its 95 % interval");
            text += &(folded(&format!("-: {why}: {}", needs.join(", ")), self.page.width) + "\n");
        }
        text.extend(document.notes.iter().map(|note| self.tables.note(note)));
        let build = document.build.iter();
        text.extend(build.map(|(commit, number)| format!("build: {commit} ({number})\n")));
        text += &self.panels(document);
        // What has no name is shown beside the figures.
        let tables = document.tables.iter().enumerate();
        let further = tables.filter(|(i, table)| *i == 0 || !table.name.is_empty());
        let tables = further.map(|(_, table)| table.clone()).collect();
        text += &self.tables.rest(&Document { tables, ..Document::default() });
        text + &reading::after(document, &self.page)
    }
}

impl Blocks {
    /// All panels, and what is to know of their marks.
    fn panels(&self, document: &Document) -> String {
        let (width, lang) = (self.page.width, self.page.lang);
        if document.panels.is_empty() {
            return String::new();
        }
        let note = |note: String| folded(&plain(&lang.say(&note)), width) + "\n";
        let notes: String = document.legend.terminal_notes().map(note).collect();
        let notes = if notes.is_empty() { notes } else { format!("\n{notes}") };
        let panels = document.panels.iter();
        let panels = panels.map(|panel| {
            format!("\n{}", terminal_in(&document.legend.named(panel, lang), width, lang))
        });
        std::iter::once(notes).chain(panels).collect()
    }

    /// Several rows side by side, with the columns that one of them has something in; in several parts where
    /// they are too wide.
    fn comparison(&self) -> String {
        let [(_, first), _, ..] = &self.summary[..] else { return String::new() };
        let has = |i: &usize| self.summary.iter().any(|(_, cells)| cells[*i].1 != "-");
        let shown: Vec<usize> = (0..first.len()).filter(has).collect();
        let names = self.summary.iter().map(|(name, _)| wide(name)).max().unwrap_or(0).max(NAMES);
        let width = |i: usize| {
            let cells = self.summary.iter().map(|(_, cells)| wide(&cells[i].1));
            cells.chain([wide(&first[i].0)]).max().unwrap_or(0).max(SUMMED - 1) + 1
        };
        let columns: Vec<Column<'_>> = shown
            .iter()
            .map(|&i| {
                let cells = self.summary.iter().map(|(_, cells)| cells[i].1.as_str());
                Column { head: first[i].0.as_str(), cells: cells.collect(), width: width(i) }
            })
            .collect();
        let rows: Vec<&str> = self.summary.iter().map(|(name, _)| name.as_str()).collect();
        side_by_side(("", &rows), &columns, names, self.page.width) + "\n"
    }

    /// A row as lines.
    fn lines(&self, block: &Block) -> String {
        let (lang, width) = (self.page.lang, self.page.width);
        let mut text = folded(&plain(&block.heading), width) + "\n";
        let line = |(name, value): &(String, String)| {
            folded(&format!("  {} {}", padded(name, NAMES), plain(value)), width) + "\n"
        };
        text.extend(block.lines.iter().map(line));
        if block.spreads.is_empty() {
            return text;
        }
        let heads = Spread::COLUMNS.map(|head| lang.say(head));
        let column = |i: usize| {
            let cells: Vec<&str> = block.spreads.iter().map(|s| s.values[i].as_str()).collect();
            let needed =
                cells.iter().map(|cell| wide(cell)).max().unwrap_or(0).max(wide(&heads[i]));
            // As wide as in other rows, where there is room for it.
            let is_narrow = width.is_some_and(|width| width < 2 + NAMES + SPREAD * heads.len());
            let width = if is_narrow { needed + 1 } else { SPREAD.max(needed + 1) };
            Column { head: heads[i].as_ref(), cells, width }
        };
        let columns: Vec<Column<'_>> = (0..heads.len()).map(column).collect();
        let names: Vec<String> =
            block.spreads.iter().map(|spread| format!("  {}", spread.name)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let longest = names.iter().map(|name| wide(name)).max().unwrap_or(0).max(NAMES + 2);
        text + &side_by_side(("  ms", &names), &columns, longest, width)
    }
}

/// A column of figures.
struct Column<'a> {
    head: &'a str,
    cells: Vec<&'a str>,
    width: usize,
}

/// Rows by name under columns; those for which there is no room follow below, with the names again.
fn side_by_side(
    (corner, names): (&str, &[&str]),
    columns: &[Column<'_>],
    longest: usize,
    width: Option<usize>,
) -> String {
    let width = width.unwrap_or(usize::MAX);
    let mut parts: Vec<Vec<&Column<'_>>> = Vec::new();
    let mut used = usize::MAX;
    for column in columns {
        used = used.saturating_add(column.width);
        match parts.last_mut().filter(|_| used <= width) {
            Some(part) => part.push(column),
            None => {
                used = longest + column.width;
                parts.push(vec![column]);
            }
        }
    }
    let mut text = String::new();
    for part in parts {
        let heads = part.iter().map(|column| padded_left(column.head, column.width));
        text += &format!("{}{}\n", padded(corner, longest), heads.collect::<String>());
        for (row, name) in names.iter().enumerate() {
            let cells = part.iter().map(|column| padded_left(column.cells[row], column.width));
            text += &format!("{}{}\n", padded(name, longest), cells.collect::<String>());
        }
    }
    text
}
