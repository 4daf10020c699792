//! The figures of cold starts.

use pacemark_record::{Better, Ends, Inside, Metric, Series, Start, Statistic, Trial, Unit};

use Statistic::{Least, Mean, Most, Quantile};

const ENDS: Ends = Ends { infix: "_ci95", titles: None };

pub(super) const METRICS: &[Metric] = &[
    Metric::new(&COLD_TTFT, Mean).named("cold_ttft_ms", "cold TTFT ms").with_ends(ENDS),
    Metric::new(&COLD_TTFT, Quantile(0.5)),
    Metric::new(&COLD_TTFT, Least),
    Metric::new(&COLD_TTFT, Most),
    Metric::new(&WALL, Mean).named("wall_ms", "wall ms").with_ends(ENDS),
    Metric::new(&LOAD, Mean).named("load_ms", "load ms").with_ends(ENDS),
    Metric::new(&TTFT, Mean).named("ttft_ms", "TTFT ms").with_ends(ENDS),
    Metric::new(&LOAD_MEMORY, Mean).named("load_bytes", "load"),
    Metric::new(&INFERENCE, Mean).named("inference_bytes", "inference"),
    Metric::new(&PEAK, Mean).named("peak_rss_bytes", "peak"),
    Metric::new(&KV, Mean).named("kv_bytes", "KV"),
    Metric::new(&STORAGE, Mean).named("storage_bytes", "storage"),
];

pub(super) const COMPARED: &[&Series] = &[&COLD_TTFT, &WALL];

fn starts(trial: &Trial, of: impl Fn(&Start) -> Option<f64>) -> Vec<f64> {
    trial.cold().map_or(Vec::new(), |cold| cold.starts.iter().filter_map(of).collect())
}

fn inside(trial: &Trial, of: impl Fn(&Inside) -> Option<u64>) -> Vec<f64> {
    starts(trial, |start| of(start.inside.as_ref()?).map(|value| value as f64))
}

const fn time(
    name: &'static str,
    title: &'static str,
    help: &'static str,
    of: fn(&Trial) -> Vec<f64>,
) -> Series {
    Series { name, title, unit: Unit::Milliseconds, better: Better::Lower, help, of }
}

const fn memory(
    name: &'static str,
    title: &'static str,
    help: &'static str,
    of: fn(&Trial) -> Vec<f64>,
) -> Series {
    Series { name, title, unit: Unit::Bytes, better: Better::Lower, help, of }
}

/// From nothing to the first token.
pub const COLD_TTFT: Series = time(
    "cold_ttft_ms",
    "cold TTFT ms",
    "from asking for the process to its first token; of another engine its first output",
    |t| starts(t, |start| start.first_ns.map(|ns| ns as f64 / 1e6)),
);

const WALL: Series = time("wall_ms", "wall ms", "from asking for the process to its end", |t| {
    starts(t, |start| Some(start.ended_ns as f64 / 1e6))
});

const LOAD: Series = time("load_ms", "load ms", "from opening the file to ready to compute", |t| {
    inside(t, |inside| Some(inside.load_ns)).iter().map(|ns| ns / 1e6).collect()
});

const TTFT: Series =
    time("ttft_ms", "TTFT ms", "of the first prompt, from the start of computing", |t| {
        inside(t, |inside| inside.sample.ttft_ns).iter().map(|ns| ns / 1e6).collect()
    });

/// What loading adds.
pub const LOAD_MEMORY: Series =
    memory("load_bytes", "load", "resident memory that loading the model added", |t| {
        inside(t, Inside::load_bytes)
    });

/// What generating adds.
pub const INFERENCE: Series =
    memory("inference_bytes", "inference", "resident memory that generating added to that", |t| {
        inside(t, Inside::inference_bytes)
    });

/// The most.
pub const PEAK: Series = memory("peak_rss_bytes", "peak", "the most resident at any time", |t| {
    inside(t, |inside| inside.peak_rss_bytes)
});

/// Keys and values.
pub const KV: Series =
    memory("kv_bytes", "KV", "pages of keys and values over all layers, at the end", |t| {
        inside(t, |inside| inside.kv_bytes)
    });

const STORAGE: Series =
    memory("storage_bytes", "storage", "bytes that came from storage during the start", |t| {
        starts(t, |start| start.storage_bytes.map(|bytes| bytes as f64))
    });
