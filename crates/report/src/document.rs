//! What is to be shown of a measurement, before any format: facts, tables, charts and notes.
//!
//! Who measures fills a [`Document`]; a renderer turns it to text and computes nothing. People and
//! programs read the same document: each column says who it is for.

use crate::columns::wide;
use crate::picture::{Legend, Panel};
use crate::{Cell, Reading};
use serde_json::Value;

/// All that there is to show of one run.
///
/// ```
/// use pacemark_report::{Cell, Column, Document, Kind, Page, Table, render};
///
/// let table = Table {
///     name: "models".into(),
///     columns: vec![
///         Column::new("model", Kind::Text, "model", -8),
///         Column::new("n_layers", Kind::Int, "layers", 6),
///     ],
///     rows: vec![vec![Cell::from("tiny"), Cell::Int(6)].into()],
///     ..Table::default()
/// };
/// let document = Document { tables: vec![table], ..Document::default() };
/// let shown = |name| render(&document, render::find(name).unwrap(), &Page::default());
/// assert_eq!(shown("csv"), "model,n_layers\n\"tiny\",\"6\"\n");
/// assert!(shown("md").ends_with("| tiny     |      6 |\n"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// One line above everything, for people.
    pub title: Option<String>,
    /// Values that stand once. For programs a document with facts is an object, without it is its
    /// first table's rows.
    pub facts: Vec<Fact>,
    /// Tables in order. Rows of the first may be written before the document is complete.
    pub tables: Vec<Table>,
    /// Sketches of what the tables hold, for a terminal.
    pub charts: Vec<Chart>,
    /// Pictures of it.
    pub panels: Vec<Panel>,
    /// What their colours and lines mean, where that is not the same in every document.
    pub legend: Legend,
    /// What is said of it besides.
    pub reading: Reading,
    /// What a reader should know of the measurement's quality, a sentence each.
    pub notes: Vec<String>,
    /// The build that measured: commit and number.
    pub build: Option<(String, u64)>,
}

/// A value with a name.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its name for programs, the unit last; empty where it is for people only.
    pub name: &'static str,
    /// Its value for programs.
    pub value: Value,
    /// Its name and its value for people; `None` where it is for programs only.
    pub told: Option<(String, String)>,
}

impl Fact {
    /// For programs only.
    pub fn value(name: &'static str, value: impl Into<Value>) -> Fact {
        Fact { name, value: value.into(), told: None }
    }

    /// For people only.
    pub fn told(title: impl Into<String>, text: impl Into<String>) -> Fact {
        Fact { name: "", value: Value::Null, told: Some((title.into(), text.into())) }
    }
}

/// Rows of values under columns.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Its name: of a list in JSON, of a table in SQL.
    pub name: String,
    /// In order; each reader passes over those that are not for him.
    pub columns: Vec<Column>,
    /// A cell for each column.
    pub rows: Vec<Row>,
    /// Its rows have a [`Block`] each.
    pub in_blocks: bool,
    /// How Markdown draws the line under the headings.
    pub rules: Rules,
    /// How to read it, in a sentence or two below it.
    pub legend: Option<String>,
}

impl Table {
    /// With columns as wide as the rows that are there need.
    pub fn fitted(mut self) -> Table {
        for (i, column) in self.columns.iter_mut().enumerate() {
            let texts = self.rows.iter().filter_map(|row| row.cells.get(i)).map(Cell::text);
            column.longest = texts.map(|text| wide(&text)).max().unwrap_or(0);
        }
        self
    }
}

impl Table {
    /// With columns for people as wide as their texts at least.
    pub fn widened(self) -> Table {
        let mut table = self.fitted();
        for column in table.columns.iter_mut().filter(|column| column.readers.has_people()) {
            let width = column.width.unsigned_abs().max(column.longest) as isize;
            column.width = if column.width < 0 { -width } else { width };
        }
        table
    }
}

/// The line under a table's headings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// With marks of the columns' alignment.
    #[default]
    Aligned,
    /// Filling the cells, aligning nothing: llama-batched-bench's.
    Filled,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name for programs.
    pub name: String,
    /// Its type for programs.
    pub kind: Kind,
    /// Who reads it.
    pub readers: Readers,
    /// Its heading for people.
    pub title: String,
    /// Its width in characters for people; negative: left-aligned.
    pub width: isize,
    /// What becomes of it where a table is wider than the terminal.
    pub rank: Rank,
    /// It says nothing without the column before it, and stands with it: the upper end of an
    /// interval.
    pub joined: bool,
    /// Characters of its longest text, where that is known before the rows are.
    pub longest: usize,
}

/// Who a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// People and programs.
    Everyone,
    /// Every format for programs.
    Programs,
    /// JSON only: lists.
    Json,
    /// Tables for reading.
    People,
}

impl Readers {
    /// Whether tables for reading show it.
    pub fn has_people(self) -> bool {
        matches!(self, Readers::Everyone | Readers::People)
    }

    /// Whether CSV and SQL, which have no lists, show it.
    pub fn has_programs(self) -> bool {
        matches!(self, Readers::Everyone | Readers::Programs)
    }

    /// Whether JSON shows it.
    pub fn has_json(self) -> bool {
        self != Readers::People
    }
}

/// What becomes of a column where a table is wider than the terminal and is shown in parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rank {
    /// It says which row it is, and stands in every part.
    Key,
    /// It stands in the first part, whatever else has to go to the next.
    Main,
    /// It stands where there is room.
    #[default]
    Other,
}

/// The type of a column in SQL, as llama-bench declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `TEXT`
    Text,
    /// `INTEGER`, `true` or `false` in JSON
    Bool,
    /// `INTEGER`
    Int,
    /// `REAL`
    Float,
}

impl Kind {
    /// Its name in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Kind::Text => "TEXT",
            Kind::Bool | Kind::Int => "INTEGER",
            Kind::Float => "REAL",
        }
    }
}

impl Column {
    /// A column for everyone, `width` wide (negative: left-aligned).
    pub fn new(
        name: impl Into<String>,
        kind: Kind,
        title: impl Into<String>,
        width: isize,
    ) -> Column {
        Column {
            name: name.into(),
            kind,
            readers: Readers::Everyone,
            title: title.into(),
            width,
            rank: Rank::Other,
            joined: false,
            longest: 0,
        }
    }

    /// A column for programs only.
    pub fn for_programs(name: impl Into<String>, kind: Kind) -> Column {
        Column { readers: Readers::Programs, ..Column::new(name, kind, "", 0) }
    }

    /// A column for people only.
    pub fn for_people(title: impl Into<String>, width: isize) -> Column {
        Column { readers: Readers::People, ..Column::new("", Kind::Text, title, width) }
    }

    /// With this rank.
    pub fn ranked(self, rank: Rank) -> Column {
        Column { rank, ..self }
    }
}

/// A row of a table.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// A cell for each column.
    pub cells: Vec<Cell>,
    /// The same as lines, for where a table would be too wide.
    pub block: Option<Block>,
}

impl From<Vec<Cell>> for Row {
    fn from(cells: Vec<Cell>) -> Row {
        Row { cells, block: None }
    }
}

/// A row as lines: figures by name, and distributions side by side.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// What was measured.
    pub heading: String,
    /// Names and values.
    pub lines: Vec<(String, String)>,
    /// Distributions.
    pub spreads: Vec<Spread>,
    /// What rows are compared by when there are several: a name for the row; headings and values.
    pub summary: Option<(String, Vec<(String, String)>)>,
}

/// One distribution, in milliseconds.
#[derive(Clone, Debug)]
pub struct Spread {
    /// Its name.
    pub name: String,
    /// Mean, deviation, percentiles and ends, in the order of [`Spread::COLUMNS`].
    pub values: [String; 8],
    /// Percentiles that the sample does not support.
    pub unsupported: Vec<f64>,
}

impl Spread {
    /// Headings of its values.
    pub const COLUMNS: [&'static str; 8] = ["mean", "sd", "p50", "p90", "p95", "p99", "min", "max"];
}

/// One series of points with intervals.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What is drawn, with its unit.
    pub title: String,
    /// In a terminal values are points with their intervals between the least and the greatest, in
    /// place of bars from zero: what differs by little is seen so.
    pub is_close_up: bool,
    /// In order, from left to right or from the top down.
    pub points: Vec<Point>,
    /// Of ratios the one that all lie around, 1; without it bars begin at zero.
    pub around: Option<f64>,
}

/// A point of a chart.
#[derive(Clone, Debug)]
pub struct Point {
    /// Its number or short name.
    pub label: String,
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Where that lies.
    pub interval: Option<[f64; 2]>,
}
