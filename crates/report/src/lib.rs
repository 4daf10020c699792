//! What is shown of a measurement, and how: documents, and renderers that only format them.
//!
//! A [`Document`] holds facts, tables, charts and notes. [`layout`] makes the tables of trials:
//! llama-bench's fields under their own names and in their order, or those of other tools, then the
//! figures of the experiment. Each output format is one file in [`mod@render`] and one row in
//! [`RENDERERS`]; each renders every document. [`mod@picture`] draws a document's panels, and pages of
//! them for papers; [`Lang`] says its words in other languages. Measuring is left to `bench` and
//! `load`, statistics to `record`.

mod cell;
pub mod chart;
mod columns;
mod document;
mod lang;
pub mod layout;
pub mod page;
pub mod picture;
mod reading;
pub mod render;

pub use cell::{Cell, size};
pub use document::{
    Block, Chart, Column, Document, Fact, Kind, Point, Rank, Readers, Row, Rules, Spread, Table,
};
pub use lang::Lang;
pub use layout::{Form, Layout, TrialRow};
pub use page::{Cover, PAGES, PageFormat};
pub use reading::{Reading, Standing, Verdict};
pub use render::{Page, RENDERERS, Render, Renderer, render};
