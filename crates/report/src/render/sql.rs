//! SQL for SQLite: llama-bench's table and its inserts, with our columns after its own.

use super::{Render, Renderer, fact_cells, program_table};
use crate::Cell;
use crate::document::{Document, Row, Table};

pub(super) const RENDERER: Renderer = Renderer {
    name: "sql",
    help: "a table and inserts for SQLite",
    streams: true,
    tells: false,
    new: |_| Box::new(Sql),
};

struct Sql;

impl Render for Sql {
    fn begin(&mut self, document: &Document) -> String {
        let table = program_table(document);
        let columns = table.columns.iter().filter(|column| column.readers.has_programs());
        let lines: Vec<_> = columns.map(|c| format!("  {} {}", c.name, c.kind.sql())).collect();
        format!("CREATE TABLE IF NOT EXISTS {} (\n{}\n);\n\n", table.name, lines.join(",\n"))
    }

    fn row(&mut self, table: &Table, row: &Row) -> String {
        insert(table, &row.cells)
    }

    fn end(&mut self, document: &Document) -> String {
        if !document.tables.is_empty() {
            return String::new();
        }
        insert(&program_table(document), &fact_cells(document))
    }
}

fn insert(table: &Table, cells: &[Cell]) -> String {
    let cells = table.columns.iter().zip(cells).filter(|(c, _)| c.readers.has_programs());
    let (names, values): (Vec<&str>, Vec<String>) =
        cells.map(|(column, cell)| (column.name.as_str(), literal(cell))).unzip();
    let (table, names, values) = (&table.name, names.join(", "), values.join(", "));
    format!("INSERT INTO {table} ({names}) VALUES ({values});\n")
}

/// llama-bench quotes every value, numbers too: the column's type turns them back. Its quotes
/// within values are not doubled.
fn literal(cell: &Cell) -> String {
    match cell.json().as_str() {
        "null" => "NULL".to_owned(),
        _ => format!("'{}'", cell.plain().replace('\'', "''")),
    }
}
