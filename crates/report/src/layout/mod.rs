//! What a trial's row shows, as values: a [`Form`] is the fields and columns of one tool that ours
//! is a drop-in for, or of a kind of measurement of our own.
//!
//! A [`Layout`] is a form with the figures of an experiment; it makes the head of a table and its
//! rows. Programs read the tool's fields under their own names and in their order, then ours;
//! people its columns, then our figures.

mod batched_bench;
mod block;
mod cold;
mod compared;
mod distance;
mod fit;
mod genai;
mod generation;
mod llama_bench;
mod load;
mod own;
mod plain;
mod quant;
mod stages;
mod study;
mod tasks;
mod tune;
mod versus;

use crate::Cell;
use crate::document::{Column, Kind, Rank, Readers, Row, Rules, Table};
pub use batched_bench::BATCHED_BENCH;
pub use cold::COLD;
pub use compared::comparisons;
pub use distance::DISTANCE;
pub use fit::FIT;
pub use genai::GENAI;
pub use generation::GENERATION;
use jiff::Timestamp;
pub use llama_bench::LLAMA_BENCH;
pub use load::{LOAD, load_name};
use pacemark_record::{Comparison, Env, Metric, MetricColumn, Part, Run, Trial, Unit, figures};
pub use plain::PLAIN;
pub use quant::QUANT;
pub use stages::stages;
pub use study::STUDY;
pub use tasks::{ANSWERS, CHOICES};
pub use tune::TUNE;
pub use versus::VERSUS;

/// One trial and where it ran.
#[derive(Clone, Copy)]
pub struct TrialRow<'a> {
    /// The machine and the build.
    pub env: &'a Env,
    /// What was measured.
    pub trial: &'a Trial,
    /// The first backend of the test against this row's, by each figure; empty in the first one's
    /// own row.
    pub comparisons: &'a [Comparison],
}

/// A field of the formats for programs.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its value; the second argument is the field's own name.
    pub of: fn(&TrialRow<'_>, &str) -> Cell,
}

/// A column of tables for reading.
pub struct Shown {
    /// Its heading.
    pub title: &'static str,
    /// Its width in characters; negative: left-aligned.
    pub width: isize,
    /// What becomes of it where the table is too wide.
    pub rank: Rank,
    /// The parameter it shows; where that was varied the column tells rows apart.
    pub param: &'static str,
    /// Its text.
    pub of: fn(&TrialRow<'_>) -> String,
}

/// Whose fields and table come first.
pub struct Form {
    /// Its table's name in SQL.
    pub table: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// Lists that JSON has after them.
    pub lists: &'static [Field],
    /// Fields of our own before the figures; those that the tool has as well are left out.
    pub own: &'static [Field],
    /// Its columns before the parameters that were varied.
    pub columns: &'static [Shown],
    /// Its columns after them.
    pub results: &'static [Shown],
    /// The line under its headings.
    pub rules: Rules,
    /// What a row is, in a line.
    pub heading: fn(&TrialRow<'_>) -> String,
    /// Further lines of a row's block, after the figures.
    pub lines: fn(&Trial) -> Vec<(String, String)>,
    /// What is said beside the figure of that name.
    pub remark: fn(&Trial, &str) -> Option<String>,
    /// What several rows are compared by.
    pub summary: Option<Summary>,
}

/// What several rows are compared by.
#[derive(Clone, Copy)]
pub struct Summary {
    /// A row's short name.
    pub name: fn(&Trial) -> String,
    /// Names of the figures.
    pub figures: &'static [&'static str],
}

/// What a table of trials shows, the same for all rows.
#[derive(Clone, Copy)]
pub struct Layout<'a> {
    /// Whose fields and table come first.
    pub form: &'static Form,
    /// Our own figures.
    pub metrics: &'static [Metric],
    /// Parameters that were swept or are not at their default: further columns of tables for
    /// reading, as in llama-bench.
    pub varied: &'a [&'a str],
}

/// Parameters that have columns where they were varied.
pub const VARIABLE: &[&str] = &{
    let mut names = [""; llama_bench::VARIED.len() + own::VARIED.len()];
    let mut i = 0;
    while i < names.len() {
        let theirs = llama_bench::VARIED.len();
        names[i] = if i < theirs { llama_bench::VARIED[i].0 } else { own::VARIED[i - theirs].0 };
        i += 1;
    }
    names
};

impl Layout<'_> {
    /// The table without rows.
    pub fn head(&self) -> Table {
        let mut columns: Vec<Column> = self.fields().map(of_field).collect();
        columns.splice(
            self.form.fields.len()..self.form.fields.len(),
            self.form.lists.iter().map(|list| Column { readers: Readers::Json, ..of_field(list) }),
        );
        let people = self.people();
        columns.extend(people.map(|shown| {
            Column::for_people(shown.title, self.width(shown)).ranked(self.rank(shown))
        }));
        columns.extend(self.metrics.iter().flat_map(of_metric).map(|(column, _)| column));
        Table {
            name: self.form.table.to_owned(),
            columns,
            rows: Vec::new(),
            in_blocks: true,
            rules: self.form.rules,
            legend: None,
        }
    }

    /// The row of one trial, its figures computed once.
    pub fn row(&self, row: &TrialRow<'_>) -> Row {
        let figures = figures(self.metrics, row.trial);
        let value = |field: &Field| (field.of)(row, field.name);
        let mut cells: Vec<Cell> = self.form.fields.iter().map(value).collect();
        cells.extend(self.form.lists.iter().map(value));
        cells.extend(self.fields().skip(self.form.fields.len()).map(value));
        cells.extend(self.people().map(|shown| Cell::Text((shown.of)(row))));
        let parts = self.metrics.iter().zip(&figures).flat_map(|(metric, figure)| {
            of_metric(metric)
                .into_iter()
                .map(|(_, column)| Cell::Figure(figure.part(column.part), metric.unit()))
        });
        cells.extend(parts);
        Row { cells, block: Some(block::block(self, row, &figures)) }
    }

    /// Which row of its table a trial is, in words: what is in the columns that tell rows apart, with
    /// the headings of numbers.
    pub fn name(&self, row: &TrialRow<'_>) -> String {
        let keys = self.people().filter(|shown| self.rank(shown) == Rank::Key);
        // What it is, then under which parameters.
        let (what, under): (Vec<_>, Vec<_>) = keys.partition(|shown| shown.param.is_empty());
        let named = what.into_iter().chain(under).map(|shown| match (shown.of)(row) {
            number if number.parse::<f64>().is_ok() => format!("{} {number}", shown.title),
            text => text,
        });
        named.collect::<Vec<_>>().join(", ")
    }

    /// The heading of a row with the parameters that were varied, as far as they are not in it.
    fn told_apart(&self, heading: String, row: &TrialRow<'_>) -> String {
        let own = own::VARIED.iter().chain(llama_bench::VARIED);
        let varied = own.filter(|(name, _)| self.varied.contains(name)).map(|(_, shown)| shown);
        let of_form = self.form.columns.iter().chain(self.form.results);
        let of_form = of_form.filter(|shown| self.varied.contains(&shown.param));
        let parts = of_form.chain(varied).map(|shown| (shown.title, (shown.of)(row)));
        let is_new = |text: &str| heading.split(", ").all(|part| part != text);
        let parts = parts.filter(|(_, text)| is_new(text) && !text.is_empty());
        let parts = parts.map(|(title, text)| match title {
            "model" | "backend" => format!(", {text}"),
            _ => format!(", {title} {text}"),
        });
        let parts = parts.collect::<String>();
        heading + &parts
    }

    /// Fields for programs: the form's, then our own.
    fn fields(&self) -> impl Iterator<Item = &'static Field> {
        let theirs = self.form.fields;
        let own = self.form.own.iter();
        theirs.iter().chain(own.filter(|own| theirs.iter().all(|field| field.name != own.name)))
    }

    /// Columns for people before the figures.
    fn people(&self) -> impl Iterator<Item = &'static Shown> {
        let form = self.form;
        let is_varied = |(name, _): &&(&str, Shown)| self.varied.contains(name);
        let varied = llama_bench::VARIED.iter().filter(is_varied);
        let ours = own::VARIED.iter().filter(is_varied);
        let shown = |(_, shown): &'static (&str, Shown)| shown;
        let before = form.columns.iter().chain(varied.map(shown));
        before.chain(form.results).chain(ours.map(shown))
    }

    fn rank(&self, shown: &Shown) -> Rank {
        if self.varied.contains(&shown.param) { Rank::Key } else { shown.rank }
    }

    fn width(&self, shown: &Shown) -> isize {
        // Wide enough for names that llama-bench does not have, where there are several.
        let several = shown.param == "backend" && self.varied.contains(&"backend");
        if several { shown.width.min(-13) } else { shown.width }
    }
}

fn of_field(field: &'static Field) -> Column {
    Column::for_programs(field.name, field.kind)
}

/// The columns of a metric, for people where they have a heading.
fn of_metric(metric: &Metric) -> Vec<(Column, MetricColumn)> {
    let kind =
        if matches!(metric.unit(), Unit::Count | Unit::Bytes) { Kind::Int } else { Kind::Float };
    let column = |column: MetricColumn| {
        let shown = match &column.title {
            Some(title) => Column::new(column.name.clone(), kind, title.clone(), 10),
            None => Column::for_programs(column.name.clone(), kind),
        };
        let shown = Column { joined: column.part == Part::High, ..shown };
        (shown, column)
    };
    metric.columns().into_iter().map(column).collect()
}

/// The parameter of that name.
fn param(row: &TrialRow<'_>, name: &str) -> Cell {
    row.trial.params.get(name).map_or(Cell::Absent, Cell::from)
}

/// A parameter in words; a dash where there is none.
fn param_text(row: &TrialRow<'_>, name: &str) -> String {
    match param(row, name) {
        Cell::Absent => "-".to_owned(),
        cell => cell.plain(),
    }
}

/// Where it was not asked for, as many as compute one token.
fn n_threads_batch(row: &TrialRow<'_>, name: &str) -> Cell {
    param(row, if row.trial.params.contains_key(name) { name } else { "n_threads" })
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

const fn field(name: &'static str, kind: Kind, of: fn(&TrialRow<'_>, &str) -> Cell) -> Field {
    Field { name, kind, of }
}

const fn shown(title: &'static str, width: isize, of: fn(&TrialRow<'_>) -> String) -> Shown {
    Shown { title, width, rank: Rank::Other, param: "", of }
}

impl Shown {
    const fn of_param(mut self, param: &'static str) -> Shown {
        self.param = param;
        self
    }

    const fn ranked(mut self, rank: Rank) -> Shown {
        self.rank = rank;
        self
    }
}

/// A dash for what there is not, or what is no number.
fn digits(value: Option<f64>, n: usize) -> String {
    value.filter(|value| value.is_finite()).map_or("-".to_owned(), |value| format!("{value:.n$}"))
}

/// A list of numbers in JSON.
fn list(values: impl Iterator<Item = String>) -> Cell {
    Cell::Json(format!("[ {} ]", values.collect::<Vec<_>>().join(", ")))
}

/// Date and time, UTC, to the second, as in names of files: `20260924_225639`.
pub fn compact_time(unix_s: u64) -> String {
    let time = rfc3339(unix_s).replace('T', "_");
    time.chars().filter(|c| c.is_ascii_digit() || *c == '_').collect()
}

/// Date and time, UTC, to the second, e.g. `2026-09-24T22:56:39Z`.
pub fn rfc3339(unix_s: u64) -> String {
    i64::try_from(unix_s)
        .ok()
        .and_then(|s| Timestamp::from_second(s).ok())
        .map_or(String::new(), |t| t.to_string())
}

/// The same to the minute, for people: `2026-09-24 22:56`.
pub fn minute(unix_s: u64) -> String {
    rfc3339(unix_s).chars().take(16).collect::<String>().replace('T', " ")
}

/// Parameters that had columns when the records were made, and others that are not the same in all
/// trials of these runs.
pub fn varied(runs: &[Run]) -> Vec<&str> {
    let trials: Vec<&Trial> = runs.iter().flat_map(|run| &run.trials).collect();
    let differ = |name: &&&str| {
        trials.windows(2).any(|pair| pair[0].params.get(**name) != pair[1].params.get(**name))
    };
    let mut varied: Vec<&str> =
        runs.iter().flat_map(|run| &run.varied).map(String::as_str).collect();
    varied.extend(VARIABLE.iter().filter(differ));
    let mut seen = std::collections::HashSet::new();
    varied.retain(|name| seen.insert(*name));
    varied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_rfc3339() {
        assert_eq!(rfc3339(1_790_290_599), "2026-09-24T22:56:39Z");
        assert_eq!(compact_time(1_790_290_599), "20260924_225639");
    }
}
