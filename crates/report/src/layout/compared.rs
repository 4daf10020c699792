//! The table of comparisons below a table of rows: what was compared, the ratio, where it lies and
//! what may be said.

use crate::Cell;
use crate::document::{Column, Rank, Table};
use pacemark_record::{Comparison, Verdict, test_name};

/// Headings and widths (negative: left-aligned).
const COLUMNS: &[(&str, isize, Rank)] = &[
    ("model", -30, Rank::Other),
    ("test", 15, Rank::Key),
    ("ratio of", -8, Rank::Key),
    ("compared", -20, Rank::Main),
    ("ratio", 7, Rank::Main),
    ("95 % from", 9, Rank::Other),
    ("to", 7, Rank::Other),
    ("pairs", 5, Rank::Other),
    ("verdict", -20, Rank::Main),
];

/// For people: programs have comparisons in the rows.
pub fn comparisons(varied: &[&str], comparisons: &[Comparison]) -> Table {
    let columns =
        COLUMNS.iter().map(|&(title, width, rank)| Column::for_people(title, width).ranked(rank));
    let rows = comparisons.iter().map(|comparison| row(varied, comparison).into());
    Table { columns: columns.collect(), rows: rows.collect(), ..Table::default() }
}

fn row(varied: &[&str], c: &Comparison) -> Vec<Cell> {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let values = [
        c.model_type.clone(),
        test(varied, c),
        c.title.to_owned(),
        format!("{} / {}", c.first, c.second),
        number(Some(c.ratio)),
        number(c.ci95_low),
        number(c.ci95_high),
        c.pairs.to_string(),
        verdict(c),
    ];
    values.map(Cell::Text).into()
}

/// The test with what else was varied, e.g. `tg128, n_threads 2`.
fn test(varied: &[&str], c: &Comparison) -> String {
    // The model has a column.
    let varied = varied.iter().filter(|name| **name != "model");
    let varied = varied.filter_map(|name| Some((name, c.params.get(*name)?)));
    let varied: String =
        varied.map(|(name, value)| format!(", {name} {}", Cell::from(value).plain())).collect();
    test_name(&c.params) + &varied
}

fn verdict(c: &Comparison) -> String {
    match c.verdict {
        Verdict::Faster => format!("{} faster", c.first),
        Verdict::Slower => format!("{} slower", c.first),
        Verdict::NotDistinguishable => "not distinguishable".to_owned(),
        Verdict::TooFewPairs => "too few pairs".to_owned(),
    }
}
