//! What a run comes to in one line, for lists of runs. Which runs there are is the caller's business.

use crate::experiment::{EXPERIMENTS, find};
use pacemark_record::Metric;
use pacemark_report::Cell;

/// Figures of a run that are shown; a study has dozens.
const SHOWN: usize = 3;

/// What an index says of a trial.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Which row of its run it is, in words.
    pub test: &'a str,
    /// The name of its headline metric, and the value.
    pub figure: Option<(&'a str, f64)>,
}

/// Headline figures of a run of that experiment, e.g. `t/s pp512: 301.20; tg128: 45.11`; its tests
/// where it has none.
pub fn line(experiment: &str, rows: &[Row]) -> String {
    let metrics = find(EXPERIMENTS, experiment).map_or(&[][..], |e| e.metrics());
    let told = |row: &Row| {
        let (name, value) = row.figure?;
        let metric = metrics.iter().find(|metric| metric.name() == name);
        let value = match metric.map(Metric::unit) {
            Some(unit) => Cell::Figure(Some(value), unit).text(),
            None => format!("{value:.4}"),
        };
        let title = metric.map_or_else(|| name.to_owned(), Metric::title);
        Some((title, format!("{}: {value}", row.test)))
    };
    let told: Vec<(String, String)> = rows.iter().filter_map(told).collect();
    let Some((title, _)) = told.first() else {
        return rows.iter().take(SHOWN).map(|row| row.test).collect::<Vec<_>>().join("; ");
    };
    let shown: Vec<&str> =
        told.iter().take(SHOWN).map(|(_, text)| text.trim_start_matches(": ")).collect();
    let more = told.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    format!("{title} {}{more}", shown.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_figures_or_tests() {
        let row = |test, value| Row { test, figure: Some(("avg_ts", value)) };
        let rows = [row("pp512", 301.2), row("tg128", 45.11), row("", 7.0), row("tg8", 1.0)];
        assert_eq!(line("throughput", &rows), "t/s pp512: 301.20; tg128: 45.11; 7.00 +1");
        assert_eq!(line("later", &rows[..1]), "avg_ts pp512: 301.2000");
        let bare = [Row { test: "a", figure: None }, Row { test: "b", figure: None }];
        assert_eq!((line("later", &bare), line("later", &[])), ("a; b".into(), String::new()));
    }
}
