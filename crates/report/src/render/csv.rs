//! Comma-separated values: a line of names, then each value in quotes, as llama-bench writes it. An
//! absent value is empty.

use super::{Render, Renderer, fact_cells, program_table};
use crate::Cell;
use crate::document::{Document, Row, Table};

pub(super) const RENDERER: Renderer = Renderer {
    name: "csv",
    help: "comma-separated values",
    streams: true,
    tells: false,
    new: |_| Box::new(Csv),
};

struct Csv;

impl Render for Csv {
    fn begin(&mut self, document: &Document) -> String {
        let table = program_table(document);
        let columns = table.columns.iter().filter(|column| column.readers.has_programs());
        let names: Vec<_> = columns.map(|column| column.name.as_str()).collect();
        names.join(",") + "\n"
    }

    fn row(&mut self, table: &Table, row: &Row) -> String {
        let cells = table.columns.iter().zip(&row.cells);
        line(cells.filter(|(column, _)| column.readers.has_programs()).map(|(_, cell)| cell))
    }

    fn end(&mut self, document: &Document) -> String {
        let facts = fact_cells(document);
        if document.tables.is_empty() { line(facts.iter()) } else { String::new() }
    }
}

fn line<'a>(cells: impl Iterator<Item = &'a Cell>) -> String {
    let quoted = |cell: &Cell| format!("\"{}\"", cell.plain().replace('"', "\"\""));
    cells.map(quoted).collect::<Vec<_>>().join(",") + "\n"
}
