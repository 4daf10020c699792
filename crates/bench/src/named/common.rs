//! Figures that several kinds of measurement have, under one name: so that a target or a comparison
//! need not know whether a model was measured in the process or through a server.

use pacemark_record::{Better, Metric, Request, Series, Statistic, Trial, Unit};

use Better::{Higher, Lower};
use Statistic::{Mean, Only};

/// Other words for them: those of other guides and tools.
pub const ALIASES: &[(&str, &str)] = &[
    ("tokens_per_second", "decode_tps"),
    ("memory_gb", "peak_memory_gb"),
    ("e2e_latency_ms", "e2e_ms"),
    ("output_tps", "output_ts_total"),
];

/// Each under its series' name.
pub const COMMON: &[Metric] = &[
    Metric::new(&DECODE, Mean).named("decode_tps", "decode t/s"),
    Metric::new(&PREFILL, Mean).named("prefill_tps", "prefill t/s"),
    Metric::new(&TTFT, Mean).named("ttft_ms", "ttft ms"),
    Metric::new(&TPOT, Mean).named("tpot_ms", "tpot ms"),
    Metric::new(&E2E, Mean).named("e2e_ms", "e2e ms"),
    Metric::new(&MEMORY, Only),
];

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

/// metrics.md: decode rate. A test that only generates has no prompt to wait for: all its tokens
/// over all its time, as llama-bench counts.
const DECODE: Series = series(
    "decode_tps",
    "decode t/s",
    Unit::TokensPerSecond,
    Higher,
    "tokens a second of one sequence after its first",
    |t| {
        if t.load().is_some() {
            return tpot_ms(t).into_iter().filter(|ms| *ms > 0.0).map(|ms| 1e3 / ms).collect();
        }
        match (t.count("n_prompt"), t.count("n_gen"), t.n_parallel()) {
            (_, 0, _) => Vec::new(),
            (0, _, 1) => t.rates_ts(),
            (_, _, 1) => tpot_ms(t).into_iter().map(|ms| 1e3 / ms).collect(),
            _ => Vec::new(),
        }
    },
);

/// metrics.md: prefill rate. Through a server a prompt's time has the network and the queue in it,
/// so a load has none.
const PREFILL: Series = series(
    "prefill_tps",
    "prefill t/s",
    Unit::TokensPerSecond,
    Higher,
    "computed prompt tokens a second until the first token",
    |t| match (t.count("n_prompt"), t.count("n_gen"), t.n_parallel()) {
        (0, _, _) => Vec::new(),
        (_, 0, 1) => t.rates_ts(),
        (n_prompt, _, 1) => {
            let times = t.samples().iter().filter_map(|sample| sample.ttft_ns);
            times.map(|ns| n_prompt as f64 * 1e9 / ns.max(1) as f64).collect()
        }
        _ => Vec::new(),
    },
);

const TTFT: Series = series(
    "ttft_ms",
    "ttft ms",
    Unit::Milliseconds,
    Lower,
    "time to first token, from the send or the start of computing",
    |t| each(t, |t| t.samples().iter().filter_map(|s| s.ttft_ns).collect(), Request::ttft_ns),
);

const TPOT: Series = series(
    "tpot_ms",
    "tpot ms",
    Unit::Milliseconds,
    Lower,
    "time per output token after the first",
    tpot_ms,
);

const E2E: Series = series(
    "e2e_ms",
    "e2e ms",
    Unit::Milliseconds,
    Lower,
    "from the send or the start of computing to the last token",
    |t| each(t, |t| t.samples().iter().map(|s| s.elapsed_ns).collect(), Request::e2e_ns),
);

/// As guides count: 2^30 bytes.
const MEMORY: Series = series(
    "peak_memory_gb",
    "peak GB",
    Unit::Number,
    Lower,
    "highest resident memory of the process that ran the model, in 2^30 bytes",
    |t| {
        let insides = t.cold().map_or(&[][..], |cold| &cold.starts).iter();
        let insides = insides.filter_map(|start| start.inside.as_ref()?.peak_rss_bytes);
        let most = insides.chain(t.peak_rss_bytes).max();
        most.iter().map(|bytes| *bytes as f64 / (1u64 << 30) as f64).collect()
    },
);

/// Milliseconds of each repetition, or of each answered request.
fn each(
    trial: &Trial,
    of_repetitions: fn(&Trial) -> Vec<u64>,
    of_request: fn(&Request) -> Option<u64>,
) -> Vec<f64> {
    let times = match trial.load() {
        Some(_) => trial.answered().filter_map(of_request).collect(),
        None => of_repetitions(trial),
    };
    times.into_iter().map(|ns| ns as f64 / 1e6).collect()
}

fn tpot_ms(trial: &Trial) -> Vec<f64> {
    if trial.load().is_some() {
        let source = trial.token_source();
        return trial.answered().filter_map(|r| r.tpot_ns(source)).map(|ns| ns / 1e6).collect();
    }
    let mean_ms = |gaps: &[u64]| gaps.iter().sum::<u64>() as f64 / gaps.len() as f64 / 1e6;
    let gaps = trial.samples().iter().map(|sample| sample.gaps_ns.as_slice());
    gaps.filter(|gaps| gaps.iter().any(|gap| *gap > 0)).map(mean_ms).collect()
}
