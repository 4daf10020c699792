//! Output formats. A renderer is asked for the text before the rows, of each row as it is measured,
//! and after the rows.

mod compared;
mod csv;
mod json;
mod markdown;
mod sql;
mod table;

use crate::{Layout, Row};
use pacemark_record::{Comparison, Env};

/// Formats rows. The texts are written one after the other, unchanged.
pub trait Render {
    /// What comes before the first row.
    fn begin(&mut self, layout: &Layout<'_>) -> String;
    /// One row.
    fn row(&mut self, layout: &Layout<'_>, row: &Row<'_>) -> String;
    /// What comes after the last row.
    fn end(&mut self, layout: &Layout<'_>, closing: &Closing<'_>) -> String {
        let _ = (layout, closing);
        String::new()
    }
}

/// What there is to say when all rows are measured.
#[derive(Clone, Copy)]
pub struct Closing<'a> {
    /// The machine and the build.
    pub env: &'a Env,
    /// All comparisons, in order of the rows.
    pub comparisons: &'a [Comparison],
    /// What a reader should know of the measurement's quality, a sentence each.
    pub notes: &'a [String],
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
    pub new: fn() -> Box<dyn Render>,
}

/// Every output format.
pub const RENDERERS: &[Renderer] =
    &[csv::RENDERER, json::JSON, json::JSONL, markdown::RENDERER, sql::RENDERER, table::RENDERER];

/// The renderer of that name.
pub fn find(name: &str) -> Option<&'static Renderer> {
    RENDERERS.iter().find(|renderer| renderer.name == name)
}

#[cfg(test)]
mod tests;
