//! Pictures for files: panels of bars with intervals, of points with a front, of lines, of stretches
//! or of cells, as SVG and as PNG.
//!
//! Who has figures fills a [`Picture`], plain data without sizes or coordinates; [`svg`] and [`png()`]
//! draw the same page in both formats. The page makes itself large enough for what it shows, text
//! is cut or turned before it overlaps, and no value breaks it: what cannot be drawn is written.
//! Nothing outside of this module knows the drawing library, and here only `sheet` does: `page` and
//! `panel` lay out, `bars`, `points`, `lines`, `spans` and `cells` draw marks, `scale` and `text` say where
//! values and words fall. Another kind of mark is another variant of [`Marks`] and its `Drawn`.
//!
//! The [`Chart`](crate::Chart) of a [`Document`](crate::Document), which renderers show as bars in a
//! terminal and `chart` as a small SVG of one series, is older and apart: it belongs to a document
//! and is for reading beside its tables. What is for a paper or has more than one panel is for here.
//! What the values mean, which of them to show and in what order, is left to the caller.

mod bars;
mod cells;
mod front;
mod glyphs;
mod legend;
mod lines;
mod listed;
mod page;
mod panel;
mod place;
mod points;
mod scale;
mod sheet;
mod spans;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod themed;

pub use front::{Better, front};
pub use legend::Legend;
pub use listed::{Listed, listed};
pub use terminal::{terminal, terminal_in};
pub use text::number;
pub use themed::{Key, keys, mark_colour, themed_svg};

use crate::Lang;
use panel::Drawn;
use thiserror::Error;

/// A page of panels.
///
/// ```
/// use pacemark_report::picture::{Bar, Marks, Panel, Picture, Role, svg};
///
/// let bar = |label: &str, value, role| Bar { label: label.into(), value, interval: None, role };
/// let picture = Picture {
///     title: "Perplexity under a policy".into(),
///     panels: vec![Panel {
///         title: "Perplexity".into(),
///         y_axis: "perplexity".into(),
///         x_axis: String::new(),
///         marks: Marks::Bars(vec![
///             bar("baseline", Some(15.31), Role::Baseline),
///             bar("recent_only_256", None, Role::Recent),
///         ]),
///     }],
///     columns: 1,
///     ..Picture::default()
/// };
/// assert!(svg(&picture).contains(">15.31</text>"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// What it shows, above everything.
    pub title: String,
    /// What to know of it, a line each, below everything.
    pub notes: Vec<String>,
    /// What the colours mean, in order; without it no legend is drawn.
    pub legend: Vec<(Role, String)>,
    /// In order, from left to right and then down.
    pub panels: Vec<Panel>,
    /// How many panels stand beside each other; 0 is taken as 1.
    pub columns: usize,
}

/// One diagram.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// What is measured upwards, with its unit.
    pub y_axis: String,
    /// What is measured, or listed, from left to right.
    pub x_axis: String,
    /// What is drawn.
    pub marks: Marks,
}

/// What a panel draws.
#[derive(Clone, Debug)]
pub enum Marks {
    /// A bar for each label, with its value on top. The axis begins above zero where the values
    /// would otherwise look alike, and ends below a few that are far higher than all others; either
    /// is marked and said.
    Bars(Vec<Bar>),
    /// Points in the plane, each with its label.
    Points {
        /// In any order.
        points: Vec<Point>,
        /// How values lie from left to right.
        x: Spacing,
        /// How they lie upwards.
        y: Spacing,
        /// Which of them a line joins, in its order: indices, as [`front()`] gives them.
        front: Vec<usize>,
    },
    /// Values over others.
    Lines {
        /// In any order.
        lines: Vec<Line>,
        /// How values lie from left to right.
        x: Spacing,
        /// How they lie upwards.
        y: Spacing,
        /// Values to look for.
        guides: Vec<Guide>,
    },
    /// Stretches, each on a row of its own, from the top down.
    Spans(Vec<Span>),
    /// A grid of shares, 0 to 1, each written in its cell in parts of 100; the more, the darker.
    Cells {
        /// From left to right.
        columns: Vec<String>,
        /// From the top down.
        rows: Vec<String>,
        /// A row of values for each row; what is missing or not finite is a dash.
        values: Vec<Vec<Option<f64>>>,
    },
}

/// A bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// How high it is. Without one a dash stands in its place, and what is not finite is written
    /// there as it is.
    pub value: Option<f64>,
    /// Where the value lies, from and to; drawn where both are finite and the bar is not cut.
    pub interval: Option<(f64, f64)>,
    /// Its colour.
    pub role: Role,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is of; it stands at the line's end.
    pub label: String,
    /// In the order in which they are joined; those without a place are left out.
    pub points: Vec<LinePoint>,
    /// How they are joined.
    pub stroke: Stroke,
    /// Its colour.
    pub role: Role,
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinePoint {
    /// From left to right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
    /// Where `y` lies, from and to.
    pub interval: Option<(f64, f64)>,
}

/// How points are joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stroke {
    /// By straight lines.
    #[default]
    Straight,
    /// By steps: a value holds up to the next one.
    Steps,
    /// Not at all.
    Dots,
}

/// A value that a reader looks for, as a line across the panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Guide {
    /// What it is.
    pub label: String,
    /// The value.
    pub at: f64,
    /// It is one of those from left to right, and its line stands.
    pub is_upright: bool,
}

/// A stretch.
#[derive(Clone, Debug)]
pub struct Span {
    /// What it is of.
    pub label: String,
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// What stands behind it: its length, its share.
    pub words: String,
    /// Its colour.
    pub role: Role,
}

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// Equal differences are equally far apart.
    #[default]
    Even,
    /// Equal ratios are; zero and what is negative have no place.
    Logarithmic,
}

/// A point in the plane; drawn where both coordinates have a place, and otherwise listed below.
#[derive(Clone, Debug)]
pub struct Point {
    /// What it is of.
    pub label: String,
    /// From left to right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
    /// Where `x` lies, from and to; drawn where both are finite.
    pub x_interval: Option<(f64, f64)>,
    /// Where `y` lies.
    pub y_interval: Option<(f64, f64)>,
    /// Its colour.
    pub role: Role,
}

/// What a mark is in its picture, which is its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What the others are compared with: grey.
    Baseline,
    /// Recent tokens and sinks: green.
    Streaming,
    /// Recent tokens alone: red.
    Recent,
    /// A method of any other kind: blue.
    Other,
    /// What a method has to beat for its bytes: amber.
    Control,
    /// One of several of equal rank, by its number: colours that all kinds of colour vision tell apart
    /// (after Okabe and Ito, "Color Universal Design", 2008), from the start again after the seventh.
    Nth(usize),
}

/// Why a picture was not drawn.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PictureError {
    /// It has more pixels than memory should be spent on.
    #[error(
        "the picture would be {width} x {height} pixels; at most {limit} are drawn (fewer panels or marks, or SVG)"
    )]
    TooLarge {
        /// Pixels from left to right.
        width: u64,
        /// Pixels from the top down.
        height: u64,
        /// How many there may be.
        limit: u64,
    },
    /// The library that draws said no.
    #[error("the picture could not be encoded as PNG: {0}")]
    Encoding(String),
}

/// The picture as SVG. Its text stays text, in the reader's own sans-serif font; a text that had to
/// be cut is whole in its tooltip.
pub fn svg(picture: &Picture) -> String {
    svg_in(picture, Lang::En)
}

/// The same, of a picture that is in this language already.
pub fn svg_in(picture: &Picture, lang: Lang) -> String {
    page::drawn(picture, lang, None).svg()
}

/// The picture as PNG at 300 dots per inch, which the file says. Its fonts are part of the program: they
/// have Latin, Greek, Cyrillic and more, of ideographs only those that reports in Chinese need; others
/// become boxes here and not in SVG.
pub fn png(picture: &Picture) -> Result<Vec<u8>, PictureError> {
    png_in(picture, Lang::En)
}

/// The same, of a picture that is in this language already.
pub fn png_in(picture: &Picture, lang: Lang) -> Result<Vec<u8>, PictureError> {
    page::drawn(picture, lang, None).png()
}

/// The same on as many pages as it takes: each has the title and the legend, and as many rows of panels as
/// one file has room for.
pub fn png_pages(picture: &Picture, lang: Lang) -> Result<Vec<Vec<u8>>, PictureError> {
    page::broken(picture, lang).iter().map(|page| png_in(page, lang)).collect()
}

/// The parts that [`png_pages`] draws.
#[cfg(test)]
pub(crate) fn png_pages_of(picture: &Picture) -> Vec<Picture> {
    page::broken(picture, Lang::En)
}

/// What draws a panel's marks.
fn drawn(marks: &Marks) -> Box<dyn Drawn + '_> {
    match marks {
        Marks::Bars(bars) => Box::new(bars::Bars::new(bars)),
        Marks::Points { points, x, y, front } => {
            Box::new(points::Points::new(points, [*x, *y], front))
        }
        Marks::Lines { lines, x, y, guides } => {
            Box::new(lines::Lines::new(lines, [*x, *y], guides))
        }
        Marks::Spans(spans) => Box::new(spans::Spans::new(spans)),
        Marks::Cells { columns, rows, values } => {
            Box::new(cells::Cells::new(columns, rows, values))
        }
    }
}
