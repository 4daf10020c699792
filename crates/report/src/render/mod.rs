//! Output formats. A renderer is asked for the text before the rows of a document's first table, of
//! each row as it is measured, and for all the rest when the document is complete.

mod csv;
pub(crate) mod fit;
mod json;
mod markdown;
mod reading;
mod sql;
mod table;

use crate::columns::{padded, plain, wide};
use crate::document::{Column, Document, Kind, Row, Table};
use crate::{Cell, Lang};
use fit::folded;

/// Formats a document. The texts are written one after the other, unchanged.
pub trait Render {
    /// What comes before the rows of the first table, which are not there yet.
    fn begin(&mut self, document: &Document) -> String;

    /// One row of the first table.
    fn row(&mut self, table: &Table, row: &Row) -> String;

    /// What comes after them; the document is complete.
    fn end(&mut self, document: &Document) -> String;
}

/// What is written on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    /// Columns of the terminal; `None` for a file or a pipe, whose lines are as long as they need.
    pub width: Option<usize>,
    /// The language of what the renderer says itself.
    pub lang: Lang,
    /// Names are written such that Markdown has no markup in them: renderers of it say so themselves.
    pub is_markdown: bool,
}

/// A row of [`RENDERERS`].
pub struct Renderer {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line on what it is for.
    pub help: &'static str,
    /// Rows mean something before the last has come; otherwise the output is written whole at the
    /// end.
    pub streams: bool,
    /// It is for reading: comparisons and notes are written below the rows.
    pub tells: bool,
    /// A fresh one.
    pub new: fn(&Page) -> Box<dyn Render>,
}

/// Every output format.
pub const RENDERERS: &[Renderer] =
    &[csv::RENDERER, json::JSON, json::JSONL, markdown::RENDERER, sql::RENDERER, table::RENDERER];

/// The renderer of that name.
pub fn find(name: &str) -> Option<&'static Renderer> {
    RENDERERS.iter().find(|renderer| renderer.name == name)
}

/// A complete document in one format.
pub fn render(document: &Document, renderer: &Renderer, page: &Page) -> String {
    let mut render = (renderer.new)(page);
    let mut text = render.begin(document);
    if let Some(table) = document.tables.first() {
        text.extend(table.rows.iter().map(|row| render.row(table, row)));
    }
    text + &render.end(document)
}

impl Page {
    /// A text from outside, on one line.
    fn text(&self, text: &str) -> String {
        let text = plain(text);
        if self.is_markdown { literal(&text) } else { text }
    }

    /// The same, on as many lines as it takes.
    fn folded(&self, text: &str) -> String {
        folded(text, self.width)
    }
}

/// A text in which Markdown finds no markup: no tags, links, emphasis or entities. Code is left: it is text
/// too, and notes name commands by it.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut before: Option<char> = None;
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let in_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_markup = match c {
            // A tag begins so; a limit such as p95<300 does not.
            '<' => next.is_some_and(|next| next.is_ascii_alphabetic() || "/!?".contains(next)),
            // A link has its target behind it.
            '[' => ["](", "][", "]:"].iter().any(|end| text.contains(end)),
            // One alone emphasises nothing.
            '*' => text.matches('*').count() > 1,
            '\\' => next.is_some_and(|next| next.is_ascii_punctuation()),
            '&' => next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '#'),
            // Within words it is none: n_threads.
            '_' => !(in_word(before) && in_word(next)),
            '~' => next == Some('~') || before == Some('~'),
            _ => false,
        };
        if is_markup {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
    out
}

/// Names of facts take so many columns at least.
const NAMES: usize = 13;

/// The title and the facts, for people.
fn head(document: &Document, page: &Page) -> String {
    let is_report = !document.reading.is_empty();
    let mark = if is_report { "# " } else { "" };
    let title = document.title.iter();
    let title = title.map(|title| page.folded(&format!("{mark}{}", page.text(title))) + "\n\n");
    let told = || document.facts.iter().filter_map(|fact| fact.told.as_ref());
    let width = told().map(|(title, _)| wide(title)).max().unwrap_or(0).max(NAMES);
    let facts = told().map(|(title, text)| match title.as_str() {
        "" => page.folded(&page.text(text)) + "\n",
        title => page.folded(&format!("{} {}", padded(title, width), page.text(text))) + "\n",
    });
    let verdicts = reading::before(document, page);
    let mut head: String = title.chain([verdicts]).chain(facts).collect();
    if told().next().is_some() && !document.tables.is_empty() {
        head.push('\n');
    }
    head
}

/// The rows that CSV and SQL show: the first table, or all facts as its one row.
fn program_table(document: &Document) -> Table {
    if let Some(table) = document.tables.first() {
        return Table { rows: Vec::new(), ..table.clone() };
    }
    let facts = document.facts.iter().filter(|fact| !fact.name.is_empty());
    Table {
        name: "pacemark".to_owned(),
        columns: facts.map(|fact| Column::for_programs(fact.name, Kind::Text)).collect(),
        ..Table::default()
    }
}

/// The facts that programs read, as cells of one row.
fn fact_cells(document: &Document) -> Vec<Cell> {
    let facts = document.facts.iter().filter(|fact| !fact.name.is_empty());
    facts.map(|fact| Cell::Told(fact.value.clone(), String::new())).collect()
}

#[cfg(test)]
mod tests;
