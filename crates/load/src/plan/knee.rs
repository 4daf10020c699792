//! What a sweep sees of its rows, and where its knee was.

use super::Level;
use crate::{Knee, Point, Sweep};
use pacemark_record::{SteadyVerdict, Trial, stats};

/// What a row brought: goodput where there are limits, else tokens a second.
pub fn point(level: Level, trial: &Trial) -> Point {
    let steady = trial.steady();
    let tokens =
        steady.as_ref().map(|steady| steady.tokens_per_second).or(trial.output_rate_total());
    let good = trial.n_good().and_then(|good| trial.request_rate(good));
    let seconds: Vec<f64> =
        trial.answered().filter_map(|request| Some(request.e2e_ns()? as f64 / 1e9)).collect();
    Point {
        level: match level {
            Level::Streams(n) => n as f64,
            Level::Rate(rate) => rate,
            Level::Ramp(_) | Level::Trace => 0.0,
        },
        rate: good.or(tokens).unwrap_or(0.0),
        seconds: stats::median(&seconds).unwrap_or(0.0),
        overloaded: matches!(steady.map(|steady| steady.verdict), Some(SteadyVerdict::Growing(_))),
    }
}

/// Where the knee of a sweep from `first` on was, in a sentence; rates are of good requests where
/// there were `limits`.
pub fn knee(sweep: &Sweep, first: Level, limits: bool) -> String {
    let Some(knee) = sweep.knee() else {
        return "the sweep ended before there were three levels: no knee".to_owned();
    };
    let what = if limits { "good requests/s" } else { "tokens/s" };
    format!(
        "knee at {} ({:.1} {what}); most at {} ({:.1} {what}){}; {}",
        first.at(knee.level).name(),
        knee.rate,
        first.at(knee.best_level).name(),
        knee.best_rate,
        if knee.saturated { ", saturated" } else { ", not saturated" },
        Knee::METHOD
    )
}
