//! The figures of tests that are repeated, by the definitions of metrics.md: series of what the
//! repetitions took, and the statistics of each that have a column.

use pacemark_record::{
    Away, Better, DeviceKind, Ends, Metric, Series, Statistic, Trial, Turns, Unit,
};

use Better::{Higher, Lower, Neither};
use Statistic::{Drift, Least, Mean, Most, Only, Outliers, Quantile, Stability, StandardDeviation};

const MS: Unit = Unit::Milliseconds;
const TPS: Unit = Unit::TokensPerSecond;

/// Every figure of a throughput test beyond llama-bench's own, in the order of the columns.
pub(crate) const METRICS: &[Metric] = &[
    Metric::new(&TTFT, Mean)
        .named("ttft_ms", "ttft ms")
        .told("time to first token, from the start of computing; mean")
        .shown(),
    Metric::new(&TTFT, StandardDeviation),
    Metric::new(&TPOT, Mean)
        .named("tpot_ms", "tpot ms")
        .told("time per output token after the first; mean over repetitions")
        .shown(),
    Metric::new(&TPOT, StandardDeviation),
    Metric::new(&TPOT, Quantile(0.5)),
    Metric::new(&TPOT, Quantile(0.9)),
    Metric::new(&TPOT, Quantile(0.99)),
    Metric::new(&ITL, Quantile(0.5)),
    Metric::new(&ITL, Quantile(0.9)),
    Metric::new(&ITL, Quantile(0.99)).named("itl_ms_p99", "itl ms p99").shown(),
    // llama-bench's own column has the mean.
    Metric::new(&RATE, Mean)
        .named("avg_ts", "t/s")
        .without_column()
        .with_ends(Ends { infix: "_ci95", titles: Some(["95 % from", "to t/s"]) }),
    Metric::new(&RATE, Least).named("min_ts", "min t/s"),
    Metric::new(&RATE, Most).named("max_ts", "max t/s"),
    Metric::new(&RATE, Stability).named("stability", "stability"),
    DRIFT,
    Metric::new(&RATE, Outliers).named("outliers", "outliers"),
    WARMUP_RUNS,
    Metric::new(&WARMUP_DRIFT, Only),
    Metric::new(&CACHED_TOKENS, Only),
    ROOF_SHARE,
    Metric::new(&HERE, Mean).named("here_ms", "here ms"),
    Metric::new(&WORKERS, Mean).named("workers_ms", "workers ms"),
    Metric::new(&NETWORK, Mean).named("network_ms", "network ms"),
    Metric::new(&ROUND_TRIPS, Mean).named("round_trips", "round trips"),
    Metric::new(&SENT, Mean).named("sent_bytes", "sent"),
    Metric::new(&RECEIVED, Mean).named("received_bytes", "received"),
    Metric::new(&LOAD, Only),
    Metric::new(&LOAD_MAP, Only),
    Metric::new(&LOAD_PACK, Only),
    Metric::new(&LOAD_WARM, Only),
    PEAK_RSS,
    J_PER_TOKEN,
    CPU_J_PER_TOKEN,
    GPU_J_PER_TOKEN,
    CPU_POWER,
    GPU_POWER,
    PEAK_DEVICE,
];

/// Every figure of a batch beyond llama-batched-bench's own, in the order of the columns.
pub(crate) const BATCH_METRICS: &[Metric] = &[
    Metric::new(&PREFILL_RATE, Mean)
        .named("speed_pp", "S_PP t/s")
        .without_column()
        .with_ends(Ends { infix: "_ci95", titles: None }),
    Metric::new(&DECODE_RATE, Mean)
        .named("speed_tg", "S_TG t/s")
        .without_column()
        .with_ends(Ends { infix: "_ci95", titles: Some(["S_TG from", "to t/s"]) }),
    Metric::new(&ITL, Quantile(0.5)),
    Metric::new(&ITL, Quantile(0.9)),
    Metric::new(&ITL, Quantile(0.99)).named("itl_ms_p99", "itl ms p99").shown(),
    Metric::new(&EARLY_TOKENS, Only),
    DRIFT,
    WARMUP_RUNS,
    ROOF_SHARE,
    PEAK_RSS,
    J_PER_TOKEN,
    CPU_J_PER_TOKEN,
    GPU_J_PER_TOKEN,
    CPU_POWER,
    GPU_POWER,
    PEAK_DEVICE,
];

/// What two throughput tests that ran in turn are compared by.
pub(crate) const COMPARED: &[&Series] = &[&RATE, &TTFT, &TPOT];

/// What two batches that ran in turn are compared by.
pub(crate) const BATCH_COMPARED: &[&Series] = &[&PREFILL_RATE, &DECODE_RATE, &BATCH_RATE];

const DRIFT: Metric = Metric::new(&RATE, Drift)
    .named("drift", "drift")
    .told("rate, last third of the repetitions against the first");
const WARMUP_RUNS: Metric = Metric::new(&WARMUPS, Only);
const ROOF_SHARE: Metric = Metric::new(&ROOF, Only).shown();
const PEAK_RSS: Metric = Metric::new(&PEAK_MEMORY, Only).shown();
// For people these stand in a table of their own, which is there where devices are.
const J_PER_TOKEN: Metric = Metric::new(&ENERGY, Mean)
    .named("j_per_token", "J/token")
    .with_ends(Ends { infix: "_ci95", titles: None });
const CPU_J_PER_TOKEN: Metric =
    Metric::new(&CPU_ENERGY, Mean).named("cpu_j_per_token", "CPU J/token");
const GPU_J_PER_TOKEN: Metric =
    Metric::new(&GPU_ENERGY, Mean).named("gpu_j_per_token", "GPU J/token");
const CPU_POWER: Metric = Metric::new(&CPU_WATTS, Mean).named("cpu_power_w", "CPU W");
const GPU_POWER: Metric = Metric::new(&GPU_WATTS, Mean).named("gpu_power_w", "GPU W");
const PEAK_DEVICE: Metric = Metric::new(&PEAK_DEVICE_MEMORY, Only);

const fn series(
    name: &'static str,
    title: &'static str,
    unit: Unit,
    better: Better,
    help: &'static str,
    of: fn(&Trial) -> Vec<f64>,
) -> Series {
    Series { name, title, unit, better, help, of }
}

/// Tokens a second of each repetition: prompt and generated ones together.
pub(crate) const RATE: Series =
    series("avg_ts", "t/s", TPS, Higher, "tokens a second of a repetition", Trial::rates_ts);

/// The same of a batch, under llama-batched-bench's name.
const BATCH_RATE: Series = Series { name: "speed", title: "S t/s", ..RATE };

const PREFILL_RATE: Series = series(
    "speed_pp",
    "S_PP t/s",
    TPS,
    Higher,
    "prompt tokens a second of a repetition",
    Trial::prefill_rates_ts,
);

pub(crate) const DECODE_RATE: Series = series(
    "speed_tg",
    "S_TG t/s",
    TPS,
    Higher,
    "generated tokens a second of a repetition",
    Trial::decode_rates_ts,
);

/// Of each repetition that generates.
const TTFT: Series = series(
    "ttft_ms",
    "ttft ms",
    MS,
    Lower,
    "time to first token, from the start of computing",
    |t| t.samples().iter().filter_map(|s| Some(s.ttft_ns? as f64 / 1e6)).collect(),
);

/// `(last − first) / (N − 1)` of each repetition with at least two tokens.
const TPOT: Series =
    series("tpot_ms", "tpot ms", MS, Lower, "time per output token after the first", |t| {
        let with_gaps = t.samples().iter().filter(|s| !s.gaps_ns.is_empty());
        let mean_ns = |gaps: &[u64]| gaps.iter().sum::<u64>() as f64 / gaps.len() as f64;
        with_gaps.map(|s| mean_ns(&s.gaps_ns) / 1e6).collect()
    });

/// Every gap between two tokens.
const ITL: Series = series(
    "itl_ms",
    "itl",
    MS,
    Lower,
    "gap between tokens of a sequence, pooled over repetitions",
    |t| t.samples().iter().flat_map(|s| &s.gaps_ns).map(|&ns| ns as f64 / 1e6).collect(),
);

/// What was computed here of each repetition that other machines took part in.
const HERE: Series = series(
    "here_ms",
    "here ms",
    MS,
    Lower,
    "of a repetition with workers, the time in which no worker had its turn",
    |t| {
        let both = t.samples().iter().zip(&t.away);
        both.map(|(s, away)| s.elapsed_ns.saturating_sub(away.away_ns) as f64 / 1e6).collect()
    },
);

/// What workers computed by their own clocks; nothing where one does not tell.
const WORKERS: Series = series(
    "workers_ms",
    "workers ms",
    MS,
    Lower,
    "of a repetition with workers, what they computed by their own clocks",
    |t| away(t, |turns| turns.computing_ns.map(|ns| ns as f64 / 1e6)),
);

/// What is left of their turns.
const NETWORK: Series = series(
    "network_ms",
    "network ms",
    MS,
    Lower,
    "of a repetition with workers, the rest of their turns: the way there and back",
    |t| away(t, |turns| turns.computing_ns.map(|ns| turns.turn_ns.saturating_sub(ns) as f64 / 1e6)),
);

const ROUND_TRIPS: Series = series(
    "round_trips",
    "round trips",
    Unit::Number,
    Lower,
    "of a repetition with workers, how often it waited for an answer",
    |t| away(t, |turns| Some(turns.round_trips as f64)),
);

const SENT: Series = series(
    "sent_bytes",
    "sent",
    Unit::Bytes,
    Lower,
    "of a repetition with workers, bytes to them",
    |t| away(t, |turns| Some(turns.sent_bytes as f64)),
);

const RECEIVED: Series = series(
    "received_bytes",
    "received",
    Unit::Bytes,
    Lower,
    "of a repetition with workers, bytes from them",
    |t| away(t, |turns| Some(turns.received_bytes as f64)),
);

/// A figure of each repetition, the sum over its workers; nothing where one of them has none.
fn away(trial: &Trial, of: fn(&Turns) -> Option<f64>) -> Vec<f64> {
    let sum = |away: &Away| away.workers.iter().map(of).sum::<Option<f64>>();
    trial.away.iter().map(sum).collect::<Option<Vec<f64>>>().unwrap_or_default()
}

const WARMUPS: Series =
    series("warmup_runs", "warm-ups", Unit::Count, Neither, "runs before counting began", |t| {
        vec![t.warmup.elapsed_ns.len() as f64]
    });

const WARMUP_DRIFT: Series = series(
    "warmup_drift",
    "left drift",
    Unit::Ratio,
    Neither,
    "time, last warm-up run against the one before",
    |t| one(t.warmup.drift()),
);

const CACHED_TOKENS: Series = series(
    "cached_tokens",
    "cached",
    Unit::Count,
    Neither,
    "tokens found in the KV cache, not in the rate",
    |t| one(t.samples().first().map(|s| s.cached_tokens as f64)),
);

const EARLY_TOKENS: Series = series(
    "early_tokens",
    "early",
    Unit::Count,
    Neither,
    "generated while others were in their prompts; not in S_TG",
    |t| one(t.samples().first().map(|s| s.early_tokens as f64)),
);

const ROOF: Series = series(
    "roof_share",
    "% roof",
    Unit::Ratio,
    Higher,
    "least time that reads and operations take on this machine, over the time taken",
    |t| one(t.roof_share()),
);

const LOAD: Series =
    series("load_ms", "load ms", MS, Lower, "from opening the file to ready to compute", |t| {
        let total: u64 = t.model.load_ns.iter().map(|(_, ns)| ns).sum();
        one((total > 0).then_some(total as f64 / 1e6))
    });
const LOAD_MAP: Series = series(
    "load_map_ms",
    "map ms",
    MS,
    Lower,
    "of that: opening, mapping and checking the file",
    |t| load_stage(t, "map"),
);
const LOAD_PACK: Series =
    series("load_pack_ms", "pack ms", MS, Lower, "of that: packing the weights", |t| {
        load_stage(t, "pack")
    });
const LOAD_WARM: Series =
    series("load_warm_ms", "warm ms", MS, Lower, "of that: the first token", |t| {
        load_stage(t, "warm")
    });

const PEAK_MEMORY: Series = series(
    "peak_rss_bytes",
    "peak RSS",
    Unit::Bytes,
    Lower,
    "highest resident memory of the process",
    |t| one(t.peak_rss_bytes.map(|bytes| bytes as f64)),
);

/// Of each counted repetition; idle power is within it.
const ENERGY: Series = series(
    "j_per_token",
    "J/token",
    Unit::JoulesPerToken,
    Lower,
    "energy of a repetition over the tokens computed in it, of processors and graphics cards",
    Trial::all_joules_per_token,
);
const CPU_ENERGY: Series = series(
    "cpu_j_per_token",
    "CPU J/token",
    Unit::JoulesPerToken,
    Lower,
    "of that: the processors' packages and their memory, with all else that ran on them",
    |t| t.joules_per_token(DeviceKind::Package),
);
const GPU_ENERGY: Series = series(
    "gpu_j_per_token",
    "GPU J/token",
    Unit::JoulesPerToken,
    Lower,
    "of that: the graphics cards, with all else that ran on them",
    |t| t.joules_per_token(DeviceKind::Graphics),
);
const CPU_WATTS: Series = series(
    "cpu_power_w",
    "CPU W",
    Unit::Watts,
    Lower,
    "power of the processors' packages and their memory during a repetition",
    |t| t.power_w(DeviceKind::Package),
);
const GPU_WATTS: Series = series(
    "gpu_power_w",
    "GPU W",
    Unit::Watts,
    Lower,
    "power of the graphics cards during a repetition",
    |t| t.power_w(DeviceKind::Graphics),
);
const PEAK_DEVICE_MEMORY: Series = series(
    "peak_device_bytes",
    "peak device memory",
    Unit::Bytes,
    Lower,
    "the most that the process that computes had of graphics cards' memory",
    |t| one(t.peak_device_bytes().map(|bytes| bytes as f64)),
);

/// Time of one stage of loading.
fn load_stage(trial: &Trial, name: &str) -> Vec<f64> {
    let found = trial.model.load_ns.iter().find(|(stage, _)| stage == name);
    one(found.map(|(_, ns)| *ns as f64 / 1e6))
}

fn one(value: Option<f64>) -> Vec<f64> {
    value.into_iter().collect()
}
