//! For reading on a terminal: a block of lines for each row, figures by name and distributions side
//! by side, where rows have one; else tables, with their charts as bars below.

use super::markdown::Markdown;
use super::{Page, Render, Renderer, reading};
use crate::chart::drawn;
use crate::columns::plain;
use crate::document::{Block, Document, Row, Spread, Table};
use crate::picture::terminal;
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

/// Width of the names.
const NAMES: usize = 18;

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
        lines(block) + "\n"
    }

    fn end(&mut self, document: &Document) -> String {
        if document.tables.first().is_none_or(|table| !table.in_blocks) {
            let bars: String = document
                .charts
                .iter()
                .map(|c| format!("\n{}", drawn(c, self.page.width)))
                .collect();
            let panels = document.panels.iter();
            let panels = panels.map(|panel| format!("\n{}", terminal(panel, self.page.width)));
            let bars: String = std::iter::once(bars).chain(panels).collect();
            let end = self.tables.end(document);
            // Notes and build stand last.
            let rest = self.tables.rest(document);
            return rest.clone() + &bars + &end[rest.len()..];
        }
        let mut text = self.comparison();
        self.unsupported.sort_by(f64::total_cmp);
        let needs = self.unsupported.iter().filter_map(|p| {
            let n = stats::least_samples(*p, stats::CONFIDENCE)?;
            Some(format!("p{} takes {n}", (p * 1e5).round() / 1e3))
        });
        let needs: Vec<String> = needs.collect();
        if !needs.is_empty() {
            text += &format!("-: not enough for its 95 % interval: {}\n", needs.join(", "));
        }
        text.extend(document.notes.iter().map(|note| self.tables.note(note)));
        let build = document.build.iter();
        text.extend(build.map(|(commit, number)| format!("build: {commit} ({number})\n")));
        let panels = document.panels.iter();
        text.extend(panels.map(|panel| format!("\n{}", terminal(panel, self.page.width))));
        text + &reading::after(document, &self.page)
    }
}

impl Blocks {
    /// Several rows side by side, with the columns that one of them has something in.
    fn comparison(&self) -> String {
        let [(_, first), _, ..] = &self.summary[..] else { return String::new() };
        let has = |i: &usize| self.summary.iter().any(|(_, cells)| cells[*i].1 != "-");
        let shown: Vec<usize> = (0..first.len()).filter(has).collect();
        let line = |name: &str, cell: &dyn Fn(usize) -> String| {
            let cells: String = shown.iter().map(|&i| format!("{:>11}", cell(i))).collect();
            format!("{name:NAMES$}{cells}\n")
        };
        let heads = line("", &|i| first[i].0.clone());
        let rows = self.summary.iter().map(|(name, cells)| line(name, &|i| cells[i].1.clone()));
        std::iter::once(heads).chain(rows).collect::<String>() + "\n"
    }
}

fn lines(block: &Block) -> String {
    let mut text = format!("{}\n", plain(&block.heading));
    text.extend(
        block.lines.iter().map(|(name, value)| format!("  {name:NAMES$} {}\n", plain(value))),
    );
    let cells =
        |cells: &[String]| -> String { cells.iter().map(|cell| format!("{cell:>10}")).collect() };
    if !block.spreads.is_empty() {
        let heads = cells(&Spread::COLUMNS.map(str::to_owned));
        text += &format!("  {:NAMES$}{heads}\n", "ms");
    }
    text.extend(
        block
            .spreads
            .iter()
            .map(|spread| format!("  {:NAMES$}{}\n", spread.name, cells(&spread.values))),
    );
    text
}
