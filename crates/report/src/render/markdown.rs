//! Markdown tables that read well as they are: llama-bench's and llama-batched-bench's to the
//! character, with our columns to their right.
//!
//! On a terminal that is narrower than a table its columns become as wide as what stands in them,
//! and those for which there is no room follow in further tables below the rows.

use super::fit::{self, Part};
use super::{Page, Render, Renderer, head, reading};
use crate::Cell;
use crate::columns::{padded, padded_left, wide};
use crate::document::{Document, Row, Rules, Table};

pub(super) const RENDERER: Renderer = Renderer {
    name: "md",
    help: "a Markdown table",
    streams: true,
    tells: true,
    new: |page| Box::new(Markdown::new(&Page { is_markdown: true, ..*page })),
};

/// Writes tables; of the first, rows as they come.
pub(super) struct Markdown {
    page: Page,
    /// What of the first table, where that is wider than the terminal, stands in its rows; known
    /// once a row has come.
    part: Option<Part>,
}

impl Markdown {
    pub(super) fn new(page: &Page) -> Markdown {
        Markdown { page: *page, part: None }
    }

    fn is_too_wide(&self, table: &Table) -> bool {
        self.page.width.is_some_and(|width| fit::width(table) > width)
    }

    /// No line wider than the page.
    fn folded(&self, text: &str) -> String {
        self.page.folded(text)
    }

    /// A line, or several, of a note.
    pub(super) fn note(&self, note: &str) -> String {
        self.folded(&format!("{}: {}", self.page.lang.say("note"), self.page.text(note))) + "\n"
    }

    fn parts(&self, table: &Table, rows: &[Row]) -> Vec<Part> {
        fit::parts(table, rows, self.page.width.unwrap_or(usize::MAX))
    }

    fn first_part(&self, table: &Table, rows: &[Row]) -> Part {
        // There is always one, of a table without columns an empty one.
        self.parts(table, rows).swap_remove(0)
    }

    /// A whole table.
    fn table(&self, table: &Table) -> String {
        if !is_read(table) {
            return String::new();
        }
        let parts = match self.is_too_wide(table) {
            true => self.parts(table, &table.rows),
            false => vec![whole(table)],
        };
        let parts: Vec<String> = parts.iter().map(|part| self.part_of(table, part)).collect();
        parts.join("\n")
    }

    fn part_of(&self, table: &Table, part: &Part) -> String {
        let rows = table.rows.iter().map(|row| self.cells(row, part));
        std::iter::once(headings(table, part)).chain(rows).collect()
    }

    fn cells(&self, row: &Row, part: &Part) -> String {
        let texts = part.columns.iter().zip(&part.widths);
        // A bar in a text would be another cell.
        let text = |cell: &Cell| self.page.text(&cell.text()).replace('|', "\\|");
        line(texts.map(|(&i, &width)| pad(&row.cells.get(i).map_or(String::new(), text), width)))
    }

    /// All below the rows but notes and build.
    pub(super) fn rest(&self, document: &Document) -> String {
        let mut text = String::new();
        if let Some(first) = document.tables.first() {
            let further = self.part.as_ref().map(|shown| {
                let width = self.page.width.unwrap_or(usize::MAX);
                // Now that all rows are there, so is the width of what stands in them.
                fit::parts_beside(first, &first.rows, width, &shown.columns)
            });
            let further = further.into_iter().flatten();
            text.extend(further.map(|part| format!("\n{}", self.part_of(first, &part))));
        }
        for (i, table) in document.tables.iter().enumerate() {
            if i > 0 && !table.rows.is_empty() {
                text += &format!("\n{}", self.table(table));
            }
            let lines = |legend: &String| -> Vec<String> {
                legend.lines().map(|line| self.folded(&self.page.text(line))).collect()
            };
            let legend = table.legend.iter().map(lines);
            text.extend(legend.map(|lines| format!("\n{}\n", lines.join("\n"))));
        }
        text
    }
}

impl Render for Markdown {
    fn begin(&mut self, document: &Document) -> String {
        let read = document.tables.first().filter(|table| is_read(table));
        let Some(table) = read else { return head(document, &self.page) };
        if !self.is_too_wide(table) {
            return head(document, &self.page) + &headings(table, &whole(table));
        }
        if table.rows.is_empty() {
            // How wide the columns must be is told by the first row.
            return head(document, &self.page);
        }
        let part = self.part.insert(self.first_part(table, &table.rows));
        head(document, &self.page) + &headings(table, part)
    }

    fn row(&mut self, table: &Table, row: &Row) -> String {
        if !is_read(table) {
            return String::new();
        }
        if !self.is_too_wide(table) {
            return self.cells(row, &whole(table));
        }
        if let Some(part) = &self.part {
            return self.cells(row, part);
        }
        let part = self.first_part(table, std::slice::from_ref(row));
        let text = headings(table, &part) + &self.cells(row, &part);
        self.part = Some(part);
        text
    }

    fn end(&mut self, document: &Document) -> String {
        let mut text = self.rest(document);
        text.extend(
            document.notes.iter().map(|note| self.note(note)).map(|note| format!("\n{note}")),
        );
        let build = document.build.iter();
        text.extend(build.map(|(commit, number)| format!("\nbuild: {commit} ({number})\n")));
        text + &reading::after(document, &self.page)
    }
}

/// People read some of it.
fn is_read(table: &Table) -> bool {
    table.columns.iter().any(|column| column.readers.has_people())
}

/// All columns that people read, as wide as the table says.
fn whole(table: &Table) -> Part {
    let people = table.columns.iter().enumerate().filter(|(_, c)| c.readers.has_people());
    let (columns, widths) = people.map(|(i, column)| (i, column.width)).unzip();
    Part { columns, widths }
}

fn headings(table: &Table, part: &Part) -> String {
    let titles = part.columns.iter().zip(&part.widths);
    // A heading that is padded by hand is as wide as its column was.
    let titles = line(titles.map(|(&i, &width)| {
        let title = &table.columns[i].title;
        let fits = wide(title) <= width.unsigned_abs();
        pad(if fits { title } else { title.trim_end() }, width)
    }));
    if table.rules == Rules::Filled {
        let rules = part.widths.iter().map(|w| format!("{}|", "-".repeat(w.unsigned_abs() + 2)));
        return format!("{titles}|{}\n", rules.collect::<String>());
    }
    titles
        + &line(part.widths.iter().map(|&width| {
            let end = if width > 0 { ':' } else { '-' };
            format!("{}{end}", "-".repeat(width.unsigned_abs() - 1))
        }))
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: String = cells.map(|cell| format!(" {cell} |")).collect();
    format!("|{cells}\n")
}

/// To a width in columns of a terminal. llama-bench counts bytes and gives the column with its two-byte
/// `±` one more: the same.
fn pad(text: &str, width: isize) -> String {
    let columns = width.unsigned_abs();
    if width < 0 { padded(text, columns) } else { padded_left(text, columns) }
}
