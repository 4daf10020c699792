//! The figures of a type of weights.

use crate::distance::figures::{BITS_PER_BYTE, KLD, PPL, PPL_RATIO, RMS_DP, SAME_TOP};
use pacemark_record::{Better, Ends, FreshRun, Metric, Series, Statistic, Trial, Unit};

use Statistic::{Mean, Only, Quantile};

const ENDS: Ends = Ends { infix: "_ci95", titles: None };

pub(super) const METRICS: &[Metric] = &[
    Metric::new(&FILE, Only),
    Metric::new(&BITS_PER_WEIGHT, Only),
    Metric::new(&LOAD, Mean).with_ends(ENDS),
    Metric::new(&LOADED_RSS, Mean),
    Metric::new(&PEAK_RSS, Mean),
    Metric::new(&PREFILL, Mean).with_ends(ENDS),
    Metric::new(&DECODE, Mean).with_ends(ENDS),
    Metric::new(&PPL, Only).within(|t| t.distances()?.candidate.ppl_interval()).with_ends(ENDS),
    Metric::new(&PPL_RATIO, Only).within(|t| t.distances()?.ppl_ratio_interval()).with_ends(ENDS),
    Metric::new(&BITS_PER_BYTE, Only),
    Metric::new(&KLD, Mean).within(|t| t.distances()?.kld_interval()).with_ends(ENDS),
    Metric::new(&KLD, Quantile(0.99)),
    Metric::new(&RMS_DP, Only),
    Metric::new(&SAME_TOP, Mean)
        .named("same_top", "same top")
        .within(|t| t.distances()?.top_interval())
        .with_ends(ENDS),
];

/// A value of each run that has it.
fn of(trial: &Trial, what: impl Fn(&FreshRun) -> Option<f64>) -> Vec<f64> {
    trial.quantized().map_or(Vec::new(), |found| found.runs.iter().filter_map(what).collect())
}

const FILE: Series = Series {
    name: "file_bytes",
    title: "size",
    unit: Unit::Bytes,
    better: Better::Lower,
    help: "bytes of the file",
    of: |t| t.quantized().map(|found| found.file_bytes as f64).into_iter().collect(),
};

const BITS_PER_WEIGHT: Series = Series {
    name: "bits_per_weight",
    title: "bits/weight",
    unit: Unit::Number,
    better: Better::Lower,
    help: "bits of all tensors over their elements",
    of: |t| {
        let (bytes, n) = (t.model.bytes as f64, t.model.n_params as f64);
        if n > 0.0 { vec![bytes * 8.0 / n] } else { Vec::new() }
    },
};

const LOAD: Series = Series {
    name: "load_ms",
    title: "load",
    unit: Unit::Milliseconds,
    better: Better::Lower,
    help: "from opening the file to ready to compute, in a fresh process",
    of: |t| of(t, |run| (run.load_ns > 0).then_some(run.load_ns as f64 / 1e6)),
};

const LOADED_RSS: Series = Series {
    name: "loaded_rss_bytes",
    title: "loaded",
    unit: Unit::Bytes,
    better: Better::Lower,
    help: "resident memory of the process once the model is loaded",
    of: |t| of(t, |run| run.loaded_rss_bytes.map(|bytes| bytes as f64)),
};

pub(super) const PEAK_RSS: Series = Series {
    name: "peak_rss_bytes",
    title: "peak",
    help: "the most resident memory of the process, loading and running",
    of: |t| of(t, |run| run.peak_rss_bytes.map(|bytes| bytes as f64)),
    ..LOADED_RSS
};

pub(super) const PREFILL: Series = Series {
    name: "prefill_ts",
    title: "prefill",
    unit: Unit::TokensPerSecond,
    better: Better::Higher,
    help: "prompt tokens over the time to the first token",
    of: |t| of(t, FreshRun::prefill_ts),
};

pub(super) const DECODE: Series = Series {
    name: "decode_ts",
    title: "decode",
    help: "tokens after the first over their time",
    of: |t| of(t, FreshRun::decode_ts),
    ..PREFILL
};

/// The figure of a series in the study's own statistic.
pub(super) fn figure(series: &Series, trial: &Trial) -> pacemark_record::Figure {
    let metric = METRICS.iter().find(|metric| metric.series.name == series.name);
    metric.map(|metric| metric.of(trial)).unwrap_or_default()
}
