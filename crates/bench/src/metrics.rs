//! The figures of a throughput trial, by the definitions of metrics.md.

use pacemark_record::stats::{self, CONFIDENCE};
use pacemark_record::{Better, Metric, Trial, Unit};

/// Every figure beyond llama-bench's own, in the order of the columns.
pub const METRICS: &[Metric] = &[
    metric(
        "ttft_ms",
        "ttft ms",
        MS,
        Lower,
        "time to first token, from the start of computing; mean",
        |t| stats::mean(&ttft_ms(t)),
    )
    .shown(),
    metric("ttft_ms_sd", "ttft sd", MS, Lower, "its sample standard deviation", |t| {
        stats::sample_sd(&ttft_ms(t))
    }),
    metric(
        "tpot_ms",
        "tpot ms",
        MS,
        Lower,
        "time per output token after the first; mean over repetitions",
        |t| stats::mean(&tpot_ms(t)),
    )
    .shown(),
    metric("tpot_ms_sd", "tpot sd", MS, Lower, "its sample standard deviation", |t| {
        stats::sample_sd(&tpot_ms(t))
    }),
    metric("tpot_ms_p50", "tpot p50", MS, Lower, "its median; needs 6 repetitions", |t| {
        at(tpot_ms(t), 0.5)
    }),
    metric(
        "tpot_ms_p90",
        "tpot p90",
        MS,
        Lower,
        "its 90th percentile; needs 29 repetitions",
        |t| at(tpot_ms(t), 0.9),
    ),
    metric(
        "tpot_ms_p99",
        "tpot p99",
        MS,
        Lower,
        "its 99th percentile; needs 299 repetitions",
        |t| at(tpot_ms(t), 0.99),
    ),
    metric(
        "itl_ms_p50",
        "itl p50",
        MS,
        Lower,
        "median gap between tokens, pooled over repetitions",
        |t| at(itl_ms(t), 0.5),
    ),
    metric("itl_ms_p90", "itl p90", MS, Lower, "its 90th percentile; needs 29 gaps", |t| {
        at(itl_ms(t), 0.9)
    }),
    metric("itl_ms_p99", "itl ms p99", MS, Lower, "its 99th percentile; needs 299 gaps", |t| {
        at(itl_ms(t), 0.99)
    })
    .shown(),
    metric(
        "avg_ts_ci95_low",
        "95 % from",
        TPS,
        Higher,
        "lower end of the mean rate's 95 % interval",
        |t| Some(stats::mean_interval(&t.rates_ts(), CONFIDENCE)?.low),
    )
    .shown(),
    metric(
        "avg_ts_ci95_high",
        "to t/s",
        TPS,
        Higher,
        "upper end of the mean rate's 95 % interval",
        |t| Some(stats::mean_interval(&t.rates_ts(), CONFIDENCE)?.high),
    )
    .shown(),
    metric("min_ts", "min t/s", TPS, Higher, "slowest repetition", |t| {
        t.rates_ts().into_iter().reduce(f64::min)
    }),
    metric("max_ts", "max t/s", TPS, Higher, "fastest repetition", |t| {
        t.rates_ts().into_iter().reduce(f64::max)
    }),
    metric(
        "stability",
        "stability",
        Unit::Ratio,
        Higher,
        "1 − standard deviation / mean of the rate",
        |t| {
            let rates = t.rates_ts();
            Some(1.0 - stats::sample_sd(&rates)? / stats::mean(&rates)?)
        },
    ),
    metric(
        "drift",
        "drift",
        Unit::Ratio,
        Neither,
        "rate, last third of the repetitions against the first",
        |t| stats::drift(&t.rates_ts()),
    ),
    metric(
        "outliers",
        "outliers",
        Unit::Count,
        Lower,
        "repetitions 10 scaled MADs from the median rate",
        |t| Some(stats::outliers(&t.rates_ts()).len() as f64),
    ),
    metric("warmup_runs", "warm-ups", Unit::Count, Neither, "runs before counting began", |t| {
        Some(t.warmup.elapsed_ns.len() as f64)
    }),
    metric(
        "warmup_drift",
        "left drift",
        Unit::Ratio,
        Neither,
        "time, last warm-up run against the one before",
        |t| t.warmup.drift(),
    ),
    metric(
        "cached_tokens",
        "cached",
        Unit::Count,
        Neither,
        "tokens found in the KV cache, not in the rate",
        |t| t.samples.first().map(|s| s.cached_tokens as f64),
    ),
    ROOF_SHARE,
    metric("load_ms", "load ms", MS, Lower, "from opening the file to ready to compute", |t| {
        let total: u64 = t.model.load_ns.iter().map(|(_, ns)| ns).sum();
        (total > 0).then_some(total as f64 / 1e6)
    }),
    metric(
        "load_map_ms",
        "map ms",
        MS,
        Lower,
        "of that: opening, mapping and checking the file",
        |t| stage(t, "map"),
    ),
    metric("load_pack_ms", "pack ms", MS, Lower, "of that: packing the weights", |t| {
        stage(t, "pack")
    }),
    metric("load_warm_ms", "warm ms", MS, Lower, "of that: the first token", |t| stage(t, "warm")),
    metric(
        "peak_rss_bytes",
        "peak RSS",
        Unit::Bytes,
        Lower,
        "highest resident memory of the process",
        |t| t.peak_rss_bytes.map(|bytes| bytes as f64),
    )
    .shown(),
];

/// Every figure of a batch beyond llama-batched-bench's own, in the order of the columns.
pub const BATCH_METRICS: &[Metric] = &[
    metric(
        "speed_pp_ci95_low",
        "S_PP from",
        TPS,
        Higher,
        "lower end of the mean prompt rate's 95 % interval",
        |t| Some(stats::mean_interval(&t.prefill_rates_ts(), CONFIDENCE)?.low),
    ),
    metric(
        "speed_pp_ci95_high",
        "to",
        TPS,
        Higher,
        "upper end of the mean prompt rate's 95 % interval",
        |t| Some(stats::mean_interval(&t.prefill_rates_ts(), CONFIDENCE)?.high),
    ),
    metric(
        "speed_tg_ci95_low",
        "S_TG from",
        TPS,
        Higher,
        "lower end of the mean generation rate's 95 % interval",
        |t| Some(stats::mean_interval(&t.decode_rates_ts(), CONFIDENCE)?.low),
    )
    .shown(),
    metric(
        "speed_tg_ci95_high",
        "to t/s",
        TPS,
        Higher,
        "upper end of the mean generation rate's 95 % interval",
        |t| Some(stats::mean_interval(&t.decode_rates_ts(), CONFIDENCE)?.high),
    )
    .shown(),
    metric(
        "itl_ms_p50",
        "itl p50",
        MS,
        Lower,
        "median gap between tokens of a sequence, pooled",
        |t| at(itl_ms(t), 0.5),
    ),
    metric("itl_ms_p90", "itl p90", MS, Lower, "its 90th percentile; needs 29 gaps", |t| {
        at(itl_ms(t), 0.9)
    }),
    metric("itl_ms_p99", "itl ms p99", MS, Lower, "its 99th percentile; needs 299 gaps", |t| {
        at(itl_ms(t), 0.99)
    })
    .shown(),
    metric(
        "early_tokens",
        "early",
        Unit::Count,
        Neither,
        "generated while others were in their prompts; not in S_TG",
        |t| t.samples.first().map(|s| s.early_tokens as f64),
    ),
    metric(
        "drift",
        "drift",
        Unit::Ratio,
        Neither,
        "rate, last third of the repetitions against the first",
        |t| stats::drift(&t.rates_ts()),
    ),
    metric("warmup_runs", "warm-ups", Unit::Count, Neither, "runs before counting began", |t| {
        Some(t.warmup.elapsed_ns.len() as f64)
    }),
    ROOF_SHARE,
    metric(
        "peak_rss_bytes",
        "peak RSS",
        Unit::Bytes,
        Lower,
        "highest resident memory of the process",
        |t| t.peak_rss_bytes.map(|bytes| bytes as f64),
    )
    .shown(),
];

const ROOF_SHARE: Metric = metric(
    "roof_share",
    "% roof",
    Unit::Ratio,
    Higher,
    "least time that reads and operations take on this machine, over the time taken",
    Trial::roof_share,
)
.shown();

/// Time of one stage of loading.
fn stage(trial: &Trial, name: &str) -> Option<f64> {
    trial.model.load_ns.iter().find(|(stage, _)| stage == name).map(|(_, ns)| *ns as f64 / 1e6)
}

use Better::{Higher, Lower, Neither};
const MS: Unit = Unit::Milliseconds;
const TPS: Unit = Unit::TokensPerSecond;

const fn metric(
    name: &'static str,
    title: &'static str,
    unit: Unit,
    better: Better,
    help: &'static str,
    of: fn(&Trial) -> Option<f64>,
) -> Metric {
    Metric { name, title, unit, better, help, of, in_tables: false }
}

/// Time to first token of each repetition.
pub(crate) fn ttft_ms(trial: &Trial) -> Vec<f64> {
    trial.samples.iter().filter_map(|s| Some(s.ttft_ns? as f64 / 1e6)).collect()
}

/// `(last − first) / (N − 1)` of each repetition with at least two tokens.
pub(crate) fn tpot_ms(trial: &Trial) -> Vec<f64> {
    let with_gaps = trial.samples.iter().filter(|s| !s.gaps_ns.is_empty());
    with_gaps.map(|s| s.gaps_ns.iter().sum::<u64>() as f64 / s.gaps_ns.len() as f64 / 1e6).collect()
}

/// Every gap between two tokens.
fn itl_ms(trial: &Trial) -> Vec<f64> {
    trial.samples.iter().flat_map(|s| &s.gaps_ns).map(|&ns| ns as f64 / 1e6).collect()
}

/// A percentile, where the sample supports it.
fn at(mut values: Vec<f64>, p: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    stats::supported_quantile(&values, p, CONFIDENCE)
}
