//! What is shown of a measurement, and how: documents, and renderers that only format them.
//!
//! A [`Document`] holds facts, tables, charts and notes. [`layout`] makes the tables of trials:
//! llama-bench's fields under their own names and in their order, or those of other tools, then the
//! figures of the experiment. Each output format is one file in [`mod@render`] and one row in
//! [`RENDERERS`]; each renders every document. [`mod@picture`] draws panels of bars and points for
//! files, apart from documents. Measuring is left to `bench` and `load`, statistics to `record`.

mod cell;
pub mod chart;
mod document;
pub mod layout;
pub mod picture;
pub mod render;

pub use cell::{Cell, size};
pub use document::{
    Block, Chart, Column, Document, Fact, Kind, Point, Rank, Readers, Row, Rules, Spread, Table,
};
pub use layout::{Form, Layout, TrialRow};
pub use render::{Page, RENDERERS, Render, Renderer, render};
