//! The grade of a prompt that is repeated (metrics.md, rule 9): by the means that its lines show,
//! for a handful of iterations bounds no median.

use super::Perf;
use pacemark_record::{Grades, Trial};
use serde_json::Value;

/// The recorded parameter with thresholds other than the default.
pub const GRADES: &str = "grades";

/// What a trial came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grade {
    /// In words.
    pub name: &'static str,
    /// Tokens a second after the first.
    pub tokens_per_second: f64,
    /// Mean time to first token.
    pub ttft_ms: f64,
}

/// The grade, by the thresholds that the trial was given; `None` of answers of one token.
pub(super) fn grade(trial: &Trial) -> Option<Grade> {
    let Perf { throughput, ttft_ms, .. } = Perf::of(trial);
    let (tokens_per_second, ttft_ms) = (throughput?.mean, ttft_ms?.mean);
    let name = grades(trial)?.of(tokens_per_second, ttft_ms);
    Some(Grade { name, tokens_per_second, ttft_ms })
}

/// Those thresholds; `None` of a record in which they cannot be read.
pub(super) fn grades(trial: &Trial) -> Option<Grades> {
    match trial.params.get(GRADES).and_then(Value::as_str) {
        Some(text) => text.parse().ok(),
        None => Some(Grades::default()),
    }
}
