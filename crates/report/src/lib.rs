//! Turns a measured run into tables and files; renderers only format.
//!
//! A [`Row`] is one trial on its machine. [`fields`] says what there is to show of it:
//! llama-bench's fields under their own names and in their order, then Pacemark's own, which come
//! from a table of metrics that the caller passes. Each output format is one file in [`render`] and
//! one row in [`RENDERERS`]. Measuring is left to `bench`, statistics to `record`.

mod cell;
pub mod fields;
pub mod render;
pub mod stages;

pub use cell::Cell;
pub use fields::{Form, Layout, Row};
pub use render::{Closing, RENDERERS, Render, Renderer};
