//! The table of comparisons below a table of rows: what was compared, the ratio, where it lies and
//! what may be said.

use super::markdown::{line, pad};
use crate::{Cell, Layout};
use pacemark_record::{Comparison, Verdict, test_name};

/// Headings and widths (negative: left-aligned).
const COLUMNS: &[(&str, isize)] = &[
    ("model", -30),
    ("test", 15),
    ("ratio of", -8),
    ("compared", -20),
    ("ratio", 7),
    ("95 % from", 9),
    ("to", 7),
    ("pairs", 5),
    ("verdict", -20),
];

/// Empty without comparisons.
pub(super) fn table(layout: &Layout<'_>, comparisons: &[Comparison]) -> String {
    if comparisons.is_empty() {
        return String::new();
    }
    let head = line(COLUMNS.iter().map(|&(title, width)| pad(title, width)));
    let rules = COLUMNS.iter().map(|&(_, width)| {
        format!("{}{}", "-".repeat(width.unsigned_abs() - 1), if width > 0 { ':' } else { '-' })
    });
    let rows: String = comparisons.iter().map(|comparison| row(layout, comparison)).collect();
    format!("\n{head}{}{rows}", line(rules))
}

fn row(layout: &Layout<'_>, c: &Comparison) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let values = [
        c.model_type.clone(),
        test(layout, c),
        c.title.to_owned(),
        format!("{} / {}", c.first, c.second),
        number(Some(c.ratio)),
        number(c.ci95_low),
        number(c.ci95_high),
        c.pairs.to_string(),
        verdict(c),
    ];
    line(values.iter().zip(COLUMNS).map(|(value, &(_, width))| pad(value, width)))
}

/// The test with what else was varied, e.g. `tg128, n_threads 2`.
fn test(layout: &Layout<'_>, c: &Comparison) -> String {
    let varied = layout.varied.iter().filter_map(|name| Some((name, c.params.get(*name)?)));
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
