//! The figures of a setting.

use crate::distance::figures::{KLD, SAME_TOP};
use crate::named::COMMON;
use pacemark_record::{Better, Ends, Metric, Objective, Series, Statistic, Trial, Unit};

use Statistic::{Mean, Only, Quantile};

const ENDS: Ends = Ends { infix: "_ci95", titles: None };

/// Rates and times by the definitions that every kind of measurement has.
pub(super) const METRICS: &[Metric] = &[
    Metric::new(&OBJECTIVE, Mean).named("objective_tps", "t/s").with_ends(ENDS),
    Metric::new(&THROUGHPUT, Mean).named("throughput_tps", "t/s").with_ends(ENDS),
    COMMON[0].with_ends(ENDS),
    COMMON[1].with_ends(ENDS),
    COMMON[2].with_ends(ENDS),
    Metric::new(COMMON[2].series, Quantile(0.95)),
    COMMON[3].with_ends(ENDS),
    COMMON[4],
    COMMON[5],
    Metric::new(&KLD, Mean).within(|t| t.distances()?.kld_interval()).with_ends(ENDS),
    Metric::new(&SAME_TOP, Mean)
        .named("same_top", "same top")
        .within(|t| t.distances()?.top_interval())
        .with_ends(ENDS),
    Metric::new(&PEAK_RSS, Only),
];

/// What is to be as large as it can be.
pub(super) const OBJECTIVE: Series = Series {
    name: "objective_tps",
    title: "t/s",
    unit: Unit::TokensPerSecond,
    better: Better::Higher,
    help: "the rate that is maximized, of each run in the rounds",
    of: Objective::values,
};

const THROUGHPUT: Series = Series {
    name: "throughput_tps",
    help: "prompt and generated tokens over the time of both",
    of: |t| {
        let values = t.samples().iter().map(|sample| Objective::Throughput.value(t, sample));
        values.flatten().collect()
    },
    ..OBJECTIVE
};

const PEAK_RSS: Series = Series {
    name: "peak_rss_bytes",
    title: "peak RSS",
    unit: Unit::Bytes,
    better: Better::Lower,
    help: "the most resident memory of the process while it ran",
    of: |t: &Trial| t.peak_rss_bytes.iter().map(|bytes| *bytes as f64).collect(),
};

/// The metric of a series, with its interval.
pub(super) fn figure(series: &Series, trial: &Trial) -> pacemark_record::Figure {
    let metric = METRICS.iter().find(|metric| metric.series.name == series.name);
    metric.map(|metric| metric.of(trial)).unwrap_or_default()
}

/// Mean time to the first token.
pub(super) const TTFT: &Series = COMMON[2].series;
