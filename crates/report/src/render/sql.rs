//! SQL for SQLite: llama-bench's table and its inserts, with our columns after its own.

use super::{Render, Renderer};
use crate::fields::{Column, drop_in_columns, own_columns};
use crate::{Cell, Layout, Row};

pub(super) const RENDERER: Renderer = Renderer {
    name: "sql",
    help: "a table and inserts for SQLite",
    streams: true,
    tells: false,
    new: || Box::new(Sql),
};

struct Sql;

fn columns(layout: &Layout<'_>) -> Vec<Column> {
    drop_in_columns(layout).chain(own_columns(layout)).collect()
}

impl Render for Sql {
    fn begin(&mut self, layout: &Layout<'_>) -> String {
        let lines: Vec<_> =
            columns(layout).iter().map(|c| format!("  {} {}", c.name, c.kind.sql())).collect();
        format!(
            "CREATE TABLE IF NOT EXISTS {} (\n{}\n);\n\n",
            layout.form.table(),
            lines.join(",\n")
        )
    }

    fn row(&mut self, layout: &Layout<'_>, row: &Row<'_>) -> String {
        let columns = columns(layout);
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        let values: Vec<_> = columns.iter().map(|column| literal(&column.of(row))).collect();
        let table = layout.form.table();
        format!("INSERT INTO {table} ({}) VALUES ({});\n", names.join(", "), values.join(", "))
    }
}

/// llama-bench quotes every value, numbers too: the column's type turns them back. Its quotes
/// within values are not doubled.
fn literal(cell: &Cell) -> String {
    match cell {
        Cell::Absent => "NULL".to_owned(),
        cell => format!("'{}'", cell.plain().replace('\'', "''")),
    }
}
