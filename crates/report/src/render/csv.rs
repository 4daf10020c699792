//! Comma-separated values: a line of names, then each value in quotes, as llama-bench writes it. An
//! absent value is empty.

use super::{Render, Renderer};
use crate::fields::{Column, drop_in_columns, own_columns};
use crate::{Layout, Row};

pub(super) const RENDERER: Renderer = Renderer {
    name: "csv",
    help: "comma-separated values",
    streams: true,
    tells: false,
    new: || Box::new(Csv),
};

struct Csv;

fn columns(layout: &Layout<'_>) -> impl Iterator<Item = Column> {
    drop_in_columns(layout).chain(own_columns(layout))
}

impl Render for Csv {
    fn begin(&mut self, layout: &Layout<'_>) -> String {
        let names: Vec<_> = columns(layout).map(|column| column.name).collect();
        names.join(",") + "\n"
    }

    fn row(&mut self, layout: &Layout<'_>, row: &Row<'_>) -> String {
        let values: Vec<_> =
            columns(layout).map(|column| quoted(&column.of(row).plain())).collect();
        values.join(",") + "\n"
    }
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}
