//! The figures of the study. Those of answers are of all scored tokens together, the others means
//! over continuations.

use super::stream::{ACCURACY, PPL};
use pacemark_record::{
    Better, Continued, Ends, Held, Metric, Series, Statistic, Texts, Trial, Unit,
};

const ENDS: Ends = Ends { infix: "_ci95", titles: None };

/// What people read of them is laid out in `report`.
pub(super) const METRICS: &[Metric] = &[
    mean(&TTFT, "ttft_s"),
    mean(&TPOT, "tpot_s"),
    mean(&THROUGHPUT, "throughput_ts"),
    Metric::new(&PPL, Statistic::Only).within(|t| t.texts()?.ppl_interval()).with_ends(ENDS),
    Metric::new(&ACCURACY, Statistic::Only)
        .within(|t| t.texts()?.accuracy_interval())
        .with_ends(ENDS),
    mean(&PEAK_RSS, "peak_rss_bytes"),
    mean(&CACHE_SIZE, "cache_mean"),
    Metric::new(&CACHE_MAX, Statistic::Most).named("cache_max", "cache max"),
    mean(&KV_RESIDENT, "kv_bytes_resident"),
    mean(&KV_ALLOCATED, "kv_bytes_allocated"),
];

/// The mean over continuations, under the series' own name.
const fn mean(series: &'static Series, name: &'static str) -> Metric {
    Metric::new(series, Statistic::Mean).named(name, series.title).with_ends(ENDS)
}

/// One value of each continuation that has it.
fn each(trial: &Trial, of: fn(&Continued) -> Option<f64>) -> Vec<f64> {
    trial.texts().into_iter().flat_map(Texts::continued).filter_map(of).collect()
}

/// What was kept at its end.
fn kept(trial: &Trial, of: fn(&Held) -> f64) -> Vec<f64> {
    let held = trial.texts().into_iter().flat_map(Texts::continued);
    held.filter_map(|continued| continued.held.as_ref()).map(of).collect()
}

/// Time to first token.
pub(super) const TTFT: Series = Series {
    name: "ttft_s",
    title: "TTFT s",
    unit: Unit::Seconds,
    better: Better::Lower,
    help: "seconds until the prompt is computed and the first token known",
    of: |t| each(t, Continued::ttft_s),
};

/// Time per output token.
pub(super) const TPOT: Series = Series {
    name: "tpot_s",
    title: "TPOT",
    unit: Unit::Seconds,
    better: Better::Lower,
    help: "seconds a token after the first",
    of: |t| each(t, Continued::tpot_s),
};

/// Tokens a second of the whole generation.
pub(super) const THROUGHPUT: Series = Series {
    name: "throughput_ts",
    title: "t/s",
    unit: Unit::TokensPerSecond,
    better: Better::Higher,
    help: "generated tokens over the time of prompt and generation, a second",
    of: |t| each(t, Continued::throughput_ts),
};

/// Peak memory of the process.
pub(super) const PEAK_RSS: Series = Series {
    name: "peak_rss_bytes",
    title: "peak RSS",
    unit: Unit::Bytes,
    better: Better::Lower,
    help: "most memory of the process while a generation ran, the model's included",
    of: |t| each(t, |continued| continued.peak_rss_bytes.map(|bytes| bytes as f64)),
};

/// Tokens kept, the mean over layers.
pub(super) const CACHE_SIZE: Series = Series {
    name: "cache_mean",
    title: "cache",
    unit: Unit::Number,
    better: Better::Lower,
    help: "tokens kept at the end, the mean over layers and KV heads",
    of: |t| kept(t, Held::mean_tokens),
};

/// Tokens kept in the layer that has most.
pub(super) const CACHE_MAX: Series = Series {
    name: "cache_max",
    title: "cache max",
    unit: Unit::Count,
    better: Better::Lower,
    help: "tokens kept at the end in the layer that keeps most",
    of: |t| kept(t, |held| held.most_tokens as f64),
};

/// Bytes of what is kept.
pub(super) const KV_RESIDENT: Series = Series {
    name: "kv_bytes_resident",
    title: "KV resident",
    unit: Unit::Bytes,
    better: Better::Lower,
    help: "bytes of the keys and values kept at the end, over all layers",
    of: |t| kept(t, |held| held.resident_bytes as f64),
};

/// Bytes of the pages that it is in.
pub(super) const KV_ALLOCATED: Series = Series {
    name: "kv_bytes_allocated",
    title: "KV allocated",
    unit: Unit::Bytes,
    better: Better::Lower,
    help: "bytes of the pages that they are in",
    of: |t| kept(t, |held| held.page_bytes as f64),
};
