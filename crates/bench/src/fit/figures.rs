//! The figures of a prediction: memory by what takes it, rates with their intervals and roofs, and
//! what the model itself showed, with the ratio of predicted to measured.

use pacemark_record::{
    Better, Ends, Fit, FitRate, Metric, Proof, Series, Statistic, Trial, Unit, stats,
};

const ENDS: Ends = Ends { infix: "", titles: None };

/// What people read of them is laid out in `report`.
pub(super) const METRICS: &[Metric] = &[
    only(&MOST),
    only(&RUNNING),
    only(&LOADING),
    only(&PROCESS),
    only(&WEIGHTS),
    only(&TABLE),
    only(&KV),
    only(&WORK),
    only(&BUDGET),
    only(&LARGEST),
    rate(&PREFILL, |t| FitRate::Prompt.interval(t)),
    rate(&PREFILL_FULL, |t| FitRate::FullPrompt.interval(t)),
    rate(&DECODE, |t| FitRate::Decode.interval(t)),
    rate(&DECODE_FULL, |t| FitRate::FullDecode.interval(t)),
    only(&PREFILL_ROOF),
    only(&DECODE_ROOF),
    only(&DECODE_FULL_ROOF),
    mean(&PREFILL_SEEN),
    mean(&PREFILL_FULL_SEEN),
    mean(&DECODE_SEEN),
    mean(&DECODE_FULL_SEEN),
    only(&RUNNING_SEEN),
    only(&PEAK_SEEN),
    only(&LOADED_SEEN),
    only(&LOADING_SEEN),
    only(&PREFILL_RATIO),
    only(&PREFILL_FULL_RATIO),
    only(&DECODE_RATIO),
    only(&DECODE_FULL_RATIO),
    only(&RUNNING_RATIO),
    only(&PEAK_RATIO),
];

const fn only(series: &'static Series) -> Metric {
    Metric::new(series, Statistic::Only)
}

const fn mean(series: &'static Series) -> Metric {
    Metric::new(series, Statistic::Mean).named(series.name, series.title)
}

type Interval = fn(&Trial) -> Option<stats::Interval>;

const fn rate(series: &'static Series, interval: Interval) -> Metric {
    mean(series).within(interval).with_ends(ENDS)
}

/// Bytes of the account.
const fn memory(
    name: &'static str,
    title: &'static str,
    help: &'static str,
    of: fn(&Trial) -> Vec<f64>,
) -> Series {
    Series { name, title, unit: Unit::Bytes, better: Better::Lower, help, of }
}

const fn rates(name: &'static str, help: &'static str, of: fn(&Trial) -> Vec<f64>) -> Series {
    Series { name, title: name, unit: Unit::TokensPerSecond, better: Better::Higher, help, of }
}

const fn ratio(name: &'static str, help: &'static str, of: fn(&Trial) -> Vec<f64>) -> Series {
    Series { name, title: name, unit: Unit::Number, better: Better::Neither, help, of }
}

fn bytes(trial: &Trial, of: fn(&Fit) -> Option<u64>) -> Vec<f64> {
    trial.fit().and_then(of).map(|bytes| bytes as f64).into_iter().collect()
}

/// A part that is known only where all are.
fn reckoned(fit: &Fit, bytes: u64) -> Option<u64> {
    fit.is_whole().then_some(bytes)
}

fn seen(trial: &Trial, of: fn(&Proof) -> Option<u64>) -> Vec<f64> {
    let proof = trial.fit().and_then(|fit| fit.proof.as_ref());
    proof.and_then(of).map(|bytes| bytes as f64).into_iter().collect()
}

/// Predicted over measured, of means.
pub(super) fn over(predicted: &[f64], measured: &[f64]) -> Option<f64> {
    let (predicted, measured) = (stats::mean(predicted)?, stats::mean(measured)?);
    (measured > 0.0).then(|| predicted / measured)
}

fn rate_ratio(trial: &Trial, rate: FitRate) -> Vec<f64> {
    over(&rate.predicted(trial), &rate.measured(trial)).into_iter().collect()
}

fn bytes_ratio(trial: &Trial, predicted: &Series, measured: &Series) -> Vec<f64> {
    over(&(predicted.of)(trial), &(measured.of)(trial)).into_iter().collect()
}

/// The most at any time.
pub(super) const MOST: Series =
    memory("memory_bytes", "memory", "most memory of the process, loading or running", |t| {
        bytes(t, |fit| reckoned(fit, fit.memory.most()))
    });
/// While it runs.
pub(super) const RUNNING: Series =
    memory("running_bytes", "running", "memory when every sequence has its context", |t| {
        bytes(t, |fit| reckoned(fit, fit.memory.running()))
    });
/// While it loads.
pub(super) const LOADING: Series =
    memory("loading_bytes", "loading", "most memory while it loads", |t| {
        bytes(t, |fit| reckoned(fit, fit.memory.while_loading()))
    });
/// The process itself.
pub(super) const PROCESS: Series =
    memory("process_bytes", "process", "the process itself, header and vocabulary read", |t| {
        bytes(t, |fit| Some(fit.memory.process))
    });
/// Weights as they are held.
pub(super) const WEIGHTS: Series =
    memory("weights_bytes", "weights", "weights as they are held", |t| {
        bytes(t, |fit| Some(fit.memory.weights))
    });
/// The table of embeddings, as far as it is touched.
pub(super) const TABLE: Series =
    memory("table_bytes", "table", "the part of a table of embeddings that is touched", |t| {
        bytes(t, |fit| reckoned(fit, fit.memory.table))
    });
/// Keys and values.
pub(super) const KV: Series = memory("kv_bytes", "KV", "keys and values of all sequences", |t| {
    bytes(t, |fit| reckoned(fit, fit.memory.kv))
});
/// What a pass computes with.
pub(super) const WORK: Series = memory("work_bytes", "work", "what a pass computes with", |t| {
    bytes(t, |fit| reckoned(fit, fit.memory.work))
});
const BUDGET: Series =
    memory("budget_bytes", "budget", "memory that there is, or was given", |t| {
        bytes(t, |fit| fit.budget_bytes)
    });
const LARGEST: Series = Series {
    name: "largest_ctx",
    title: "largest context",
    unit: Unit::Count,
    better: Better::Higher,
    help: "most tokens that each sequence may have within the budget, up to the trained context",
    of: |t| bytes(t, |fit| fit.largest_ctx),
};

const PREFILL: Series =
    rates("prefill_ts", "prompt tokens a second, prompts of one chunk: predicted", |t| {
        FitRate::Prompt.predicted(t)
    });
const PREFILL_FULL: Series =
    rates("prefill_full_ts", "the same of prompts that fill the context", |t| {
        FitRate::FullPrompt.predicted(t)
    });
pub(super) const DECODE: Series = rates(
    "decode_ts",
    "generated tokens a second of all sequences, on an empty cache: predicted",
    |t| FitRate::Decode.predicted(t),
);
const DECODE_FULL: Series = rates("decode_full_ts", "the same at the end of the context", |t| {
    FitRate::FullDecode.predicted(t)
});
const PREFILL_ROOF: Series =
    rates("prefill_roof_ts", "prompt tokens a second at the measured arithmetic peak", |t| {
        FitRate::Prompt.roof(t).into_iter().collect()
    });
const DECODE_ROOF: Series =
    rates("decode_roof_ts", "generated tokens a second at the measured bandwidth or peak", |t| {
        FitRate::Decode.roof(t).into_iter().collect()
    });
const DECODE_FULL_ROOF: Series =
    rates("decode_full_roof_ts", "the same at the end of the context", |t| {
        FitRate::FullDecode.roof(t).into_iter().collect()
    });

const PREFILL_SEEN: Series =
    rates("measured_prefill_ts", "prompt tokens a second, prompts of one chunk: measured", |t| {
        FitRate::Prompt.measured(t)
    });
const PREFILL_FULL_SEEN: Series =
    rates("measured_prefill_full_ts", "the same of prompts that fill the context", |t| {
        FitRate::FullPrompt.measured(t)
    });
const DECODE_SEEN: Series =
    rates("measured_decode_ts", "generated tokens a second on an empty cache: measured", |t| {
        FitRate::Decode.measured(t)
    });
const DECODE_FULL_SEEN: Series =
    rates("measured_decode_full_ts", "the same at the end of the context", |t| {
        FitRate::FullDecode.measured(t)
    });
/// When every sequence has its context.
pub(super) const RUNNING_SEEN: Series =
    memory("measured_running_bytes", "RSS", "resident when every sequence has its context", |t| {
        seen(t, |proof| proof.running_bytes)
    });
/// The most while it ran.
pub(super) const PEAK_SEEN: Series =
    memory("measured_peak_bytes", "peak RSS", "most resident, loading or running", |t| {
        seen(t, |proof| proof.peak_bytes.max(proof.loading_bytes))
    });
const LOADED_SEEN: Series =
    memory("measured_loaded_bytes", "loaded", "resident when it was loaded", |t| {
        seen(t, |proof| proof.loaded_bytes)
    });
/// The most while it loaded.
pub(super) const LOADING_SEEN: Series =
    memory("measured_loading_bytes", "loading", "most resident while it loaded", |t| {
        seen(t, |proof| proof.loading_bytes)
    });

const PREFILL_RATIO: Series = ratio("prefill_ratio", "predicted over measured prefill_ts", |t| {
    rate_ratio(t, FitRate::Prompt)
});
const PREFILL_FULL_RATIO: Series =
    ratio("prefill_full_ratio", "predicted over measured prefill_full_ts", |t| {
        rate_ratio(t, FitRate::FullPrompt)
    });
const DECODE_RATIO: Series =
    ratio("decode_ratio", "predicted over measured decode_ts", |t| rate_ratio(t, FitRate::Decode));
const DECODE_FULL_RATIO: Series =
    ratio("decode_full_ratio", "predicted over measured decode_full_ts", |t| {
        rate_ratio(t, FitRate::FullDecode)
    });
const RUNNING_RATIO: Series =
    ratio("running_ratio", "predicted over measured running_bytes", |t| {
        bytes_ratio(t, &RUNNING, &RUNNING_SEEN)
    });
const PEAK_RATIO: Series =
    ratio("peak_ratio", "predicted memory_bytes over measured_peak_bytes", |t| {
        bytes_ratio(t, &MOST, &PEAK_SEEN)
    });
