//! A page for a browser, in one file that fetches nothing: what it came to first, then tables, pictures
//! with their values beside them, and what is to be known of both.
//!
//! Everything that comes from outside (names of models, tags, command lines, notes) is escaped, and
//! there is no script on it. Colours follow the reader's choice of light or dark; paper is light.

use super::{Cover, PageFormat};
use crate::columns::is_hidden;
use crate::document::{Block, Document, Spread, Table};
use crate::picture::{Key, Legend, Listed, Panel, keys, listed, mark_colour, themed_svg};
use crate::render::fit;
use crate::{Cell, Lang, Row, Verdict};

pub(super) const FORMAT: PageFormat = PageFormat {
    name: "html",
    help: "one page for a browser and for paper, with everything in it",
    write: |cover, documents| Ok(page(cover, documents).into_bytes()),
    pages: |cover, documents| Ok(vec![page(cover, documents).into_bytes()]),
};

/// Sizes, colours, light and dark, and paper.
pub const STYLE: &str = include_str!("style.css");

/// Characters of a table's line, as [`fit`] counts them, for which paper of A4 and of Letter has room.
const ON_PAPER: usize = 130;

fn page(cover: &Cover, documents: &[Document]) -> String {
    let (lang, title) = (cover.lang, escaped(&cover.lang.title(&cover.title)));
    let article = article(lang, documents);
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n</header>\n<main>\n\
         {article}</main>\n</body>\n</html>\n",
        lang.tag()
    )
}

/// What a page has below its title: for pages of others, with [`STYLE`].
pub fn article(lang: Lang, documents: &[Document]) -> String {
    let said: Vec<Document> = documents.iter().map(|document| lang.document(document)).collect();
    let mut page = Page { lang, out: String::new(), number: 0 };
    let several = said.len() > 1;
    if several {
        page.contents(&said);
    }
    for (i, document) in said.iter().enumerate() {
        page.section(i, document, several);
    }
    page.out
}

/// The page as far as it is written.
struct Page {
    lang: Lang,
    out: String,
    /// Of pictures and tables so far, which makes names.
    number: usize,
}

impl Page {
    /// One of the page's own words.
    fn say(&self, words: &str) -> String {
        escaped(&self.lang.say(words))
    }

    fn heading(&mut self, words: &str, several: bool) {
        let level = if several { 3 } else { 2 };
        let words = self.say(words);
        self.out += &format!("<h{level}>{words}</h{level}>\n");
    }

    /// Links to the documents.
    fn contents(&mut self, documents: &[Document]) {
        let name = self.say("Contents");
        self.out += &format!("<nav aria-label=\"{name}\">\n<ul>\n");
        for (i, document) in documents.iter().enumerate() {
            let title = escaped(document.title.as_deref().unwrap_or("-"));
            self.out += &format!("<li><a href=\"#part-{i}\">{title}</a></li>\n");
        }
        self.out += "</ul>\n</nav>\n";
    }

    fn section(&mut self, i: usize, document: &Document, several: bool) {
        self.out += &format!("<section id=\"part-{i}\">\n");
        if several {
            let title = escaped(document.title.as_deref().unwrap_or("-"));
            self.out += &format!("<h2>{title}</h2>\n");
        }
        let reading = &document.reading;
        if !reading.verdicts.is_empty() {
            self.heading("Verdicts", several);
            self.verdicts(&reading.verdicts);
        }
        let facts = document.facts.iter().filter_map(|fact| fact.told.clone());
        self.pairs(&facts.collect::<Vec<_>>());
        let tables = document.tables.iter().filter(|table| is_shown(table));
        let tables: Vec<&Table> = tables.collect();
        if !tables.is_empty() {
            self.heading("Figures", several);
            tables.into_iter().for_each(|table| self.table(table));
        }
        if !document.panels.is_empty() {
            self.heading("Pictures", several);
            self.legend(&document.legend);
            self.out += "<div class=\"panels\">\n";
            document.panels.iter().for_each(|panel| self.picture(panel));
            self.out += "</div>\n";
        }
        self.list("Advice", &reading.advice, several);
        self.list("Notes", &document.notes, several);
        if !reading.definitions.is_empty() {
            self.heading("Definitions", several);
            self.pairs(&reading.definitions);
        }
        if !reading.environment.is_empty() {
            self.heading("Taken on", several);
            self.pairs(&reading.environment);
        }
        if !reading.commands.is_empty() {
            self.heading("Again", several);
            // Each document of a page has one, and names of regions differ.
            self.number += 1;
            let name = format!("{} {}", self.say("Again"), self.number);
            let commands = escaped(&reading.commands.join("\n"));
            self.out += &format!(
                "<pre tabindex=\"0\" role=\"region\" aria-label=\"{name}\"><code>{commands}</code></pre>\n"
            );
        }
        self.out += "</section>\n";
    }

    fn verdicts(&mut self, verdicts: &[Verdict]) {
        self.out += "<ul class=\"verdicts\">\n";
        for verdict in verdicts {
            let (class, mark) = (verdict.standing.name(), verdict.standing.mark());
            let text = escaped(&verdict.text);
            self.out += &format!(
                "<li class=\"{class}\"><span class=\"mark\" aria-hidden=\"true\">{mark}</span> {text}</li>\n"
            );
        }
        self.out += "</ul>\n";
    }

    fn list(&mut self, name: &str, sentences: &[String], several: bool) {
        if sentences.is_empty() {
            return;
        }
        self.heading(name, several);
        self.out += "<ul>\n";
        for sentence in sentences {
            self.out += &format!("<li>{}</li>\n", escaped(sentence));
        }
        self.out += "</ul>\n";
    }

    fn pairs(&mut self, pairs: &[(String, String)]) {
        if pairs.is_empty() {
            return;
        }
        self.out += "<dl>\n";
        for (name, value) in pairs {
            let (name, value) = (escaped(name), escaped(value));
            self.out += &format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n");
        }
        self.out += "</dl>\n";
    }

    fn table(&mut self, table: &Table) {
        self.rows(table);
        if let Some(legend) = &table.legend {
            self.out += &format!("<p class=\"legend\">{}</p>\n", escaped(legend));
        }
    }

    fn rows(&mut self, table: &Table) {
        if !has_rows(table) {
            return;
        }
        let blocks: Vec<&Block> = table.rows.iter().filter_map(|row| row.block.as_ref()).collect();
        // Lines are for a table that would be too wide everywhere.
        let has_columns = table.columns.iter().any(|column| column.readers.has_people());
        if !has_columns && !blocks.is_empty() {
            blocks.into_iter().for_each(|block| self.block(block));
        } else {
            let shown: Vec<usize> = (0..table.columns.len())
                .filter(|i| table.columns[*i].readers.has_people())
                .collect();
            let parts = fit::parts(table, &table.rows, ON_PAPER);
            let (headings, rows) = chosen(table, &shown);
            if parts.len() < 2 {
                self.grid(&headings, rows);
                return;
            }
            // Paper cannot be moved: there the parts stand below each other.
            self.out += "<div class=\"screen\">\n";
            self.grid(&headings, rows);
            self.out += "</div>\n<div class=\"paper\">\n";
            for part in parts {
                let (headings, rows) = chosen(table, &part.columns);
                self.cells(&headings, rows);
            }
            self.out += "</div>\n";
        }
    }

    /// A row as lines and distributions.
    fn block(&mut self, block: &Block) {
        self.out += &format!("<p class=\"row\">{}</p>\n", escaped(&block.heading));
        self.pairs(&block.lines);
        if block.spreads.is_empty() {
            return;
        }
        let first = ("ms".to_owned(), false);
        let heads = Spread::COLUMNS.iter().map(|name| ((*name).to_owned(), true));
        let headings: Vec<(String, bool)> = std::iter::once(first).chain(heads).collect();
        let row = |spread: &Spread| {
            std::iter::once(spread.name.clone()).chain(spread.values.iter().cloned()).collect()
        };
        self.grid(&headings, block.spreads.iter().map(row).collect());
    }

    /// A table that may be wider than the page: then it is moved by itself, also by keys.
    fn grid(&mut self, headings: &[Heading], rows: Vec<Vec<String>>) {
        self.number += 1;
        let name = format!("{} {}", self.say("Table"), self.number);
        self.out += &format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{name}\">\n"
        );
        self.cells(headings, rows);
        self.out += "</div>\n";
    }

    fn cells(&mut self, headings: &[Heading], rows: Vec<Vec<String>>) {
        self.out += "<table>\n<thead><tr>";
        let class = |is_number: bool| if is_number { " class=\"number\"" } else { "" };
        for (heading, is_number) in headings {
            let class = class(*is_number);
            self.out += &match heading.is_empty() {
                // A heading that says nothing is none.
                true => format!("<td{class}></td>"),
                false => format!("<th scope=\"col\"{class}>{}</th>", escaped(heading)),
            };
        }
        self.out += "</tr></thead>\n<tbody>\n";
        for row in rows {
            self.out += "<tr>";
            for (cell, (_, is_number)) in row.iter().zip(headings) {
                self.out += &format!("<td{}>{}</td>", class(*is_number), escaped(cell));
            }
            self.out += "</tr>\n";
        }
        self.out += "</tbody>\n</table>\n";
    }

    /// What the lines of a picture are, by the numbers at their ends.
    fn keys(&mut self, keys: &[Key]) {
        if keys.is_empty() {
            return;
        }
        self.out += "<ul class=\"keys\">\n";
        for Key { number, label, ink } in keys {
            let label = escaped(label);
            self.out += &format!(
                "<li><span class=\"key\" style=\"color: var({ink})\">{number}</span> {label}</li>\n"
            );
        }
        self.out += "</ul>\n";
    }

    /// What colours and lines of all pictures mean.
    fn legend(&mut self, Legend { colours, notes }: &Legend) {
        if !colours.is_empty() {
            self.out += "<ul class=\"keys\">\n";
            for (role, words) in colours {
                let (words, colour) = (self.say(words), mark_colour(*role));
                self.out += &format!(
                    "<li><span class=\"swatch\" style=\"border-color: {colour}\"></span> {words}</li>\n"
                );
            }
            self.out += "</ul>\n";
        }
        for note in notes {
            let note = self.say(note);
            self.out += &format!("<p class=\"legend\">{note}</p>\n");
        }
    }

    /// A picture with its name, and its values for who cannot see it.
    fn picture(&mut self, panel: &Panel) {
        self.number += 1;
        let (name, title) = (format!("picture-{}", self.number), escaped(&panel.title));
        let drawing = themed_svg(panel, self.lang);
        let labelled = format!("<svg role=\"img\" aria-labelledby=\"{name}\" ");
        let drawing = drawing.replacen("<svg ", &labelled, 1);
        let values = self.say("Values");
        self.out += &format!(
            "<figure>\n<figcaption id=\"{name}\">{title}</figcaption>\n<div class=\"scroll\" tabindex=\"0\" \
             role=\"group\" aria-label=\"{title}\">\n{drawing}\n</div>\n"
        );
        self.keys(&keys(panel));
        self.out += &format!("<details>\n<summary>{values}</summary>\n");
        let Listed { headings, rows } = listed(panel);
        let lang = self.lang;
        let said = |text: &String| lang.say(text).into_owned();
        let headings: Vec<(String, bool)> =
            headings.iter().enumerate().map(|(i, heading)| (said(heading), i > 0)).collect();
        let rows = rows.iter().map(|row| row.iter().map(said).collect()).collect();
        self.grid(&headings, rows);
        self.out += "</details>\n</figure>\n";
    }
}

/// A heading, and whether numbers stand below it.
type Heading = (String, bool);

/// Some columns of a table.
fn chosen(table: &Table, columns: &[usize]) -> (Vec<Heading>, Vec<Vec<String>>) {
    let heading = |&i: &usize| {
        let column = &table.columns[i];
        (column.title.trim().to_owned(), column.width > 0)
    };
    let cell = |row: &Row, i: &usize| row.cells.get(*i).map_or(String::new(), Cell::text);
    let rows = table.rows.iter().map(|row| columns.iter().map(|i| cell(row, i)).collect());
    (columns.iter().map(heading).collect(), rows.collect())
}

/// It has rows for people, or says something without any: how what stands above was decided.
fn is_shown(table: &Table) -> bool {
    has_rows(table) || table.legend.is_some()
}

/// People read some of it, and it has a row.
fn has_rows(table: &Table) -> bool {
    let has_people = |column: &crate::Column| column.readers.has_people();
    !table.rows.is_empty() && (table.in_blocks || table.columns.iter().any(has_people))
}

/// A text as it may stand in an element or an attribute: no markup, and no character that a page may
/// not hold.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' | '\t' => out.push(c),
            c if is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
