//! What a figure is: its name, unit, direction and formula. The table of figures lives in `bench`.

use crate::Trial;

/// One figure of a trial.
#[derive(Clone, Copy)]
pub struct Metric {
    /// Name with its unit last, e.g. `ttft_ms`: the column of every output format.
    pub name: &'static str,
    /// Heading in tables for reading.
    pub title: &'static str,
    /// Unit of the values.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// One line on what it is.
    pub help: &'static str,
    /// The value; `None` where the trial does not support one.
    pub of: fn(&Trial) -> Option<f64>,
    /// Shown in tables for reading; otherwise only in the formats for programs.
    pub in_tables: bool,
}

impl Metric {
    /// This metric, in tables for reading too.
    pub const fn shown(mut self) -> Metric {
        self.in_tables = true;
        self
    }
}

/// Unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Tokens per second.
    TokensPerSecond,
    /// Requests per second.
    RequestsPerSecond,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// A ratio: 0.01 is one percent.
    Ratio,
    /// A whole number.
    Count,
}

/// Direction of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither: it describes the measurement.
    Neither,
}
