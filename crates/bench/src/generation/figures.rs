//! The figures of a generation, by the definitions of metrics.md.

use pacemark_record::{Better, Metric, Request, Series, Statistic, Trial, Unit};

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

fn value(trial: &Trial, of: impl Fn(&Request) -> Option<f64>) -> Vec<f64> {
    trial.generation().and_then(of).into_iter().collect()
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

const MS: Unit = Unit::Milliseconds;
const TPS: Unit = Unit::TokensPerSecond;

pub(super) const TTFT: Series =
    series("ttft_ms", "ttft ms", MS, Better::Lower, "time to first token, from send", |t| {
        value(t, |request| request.ttft_ns().map(ms))
    });
pub(super) const PREFILL: Series = series(
    "prefill_tokens_per_second",
    "prefill t/s",
    TPS,
    Better::Higher,
    "computed prompt tokens a second, from the start of computing to the first token",
    |t| value(t, Request::prefill_rate_ts),
);
pub(super) const TPOT: Series =
    series("tpot_ms", "tpot ms", MS, Better::Lower, "time between two tokens", |t| {
        t.generation().into_iter().flat_map(Request::gaps_ns).map(ms).collect()
    });
pub(super) const DECODE: Series = series(
    "decode_tokens_per_second",
    "decode t/s",
    TPS,
    Better::Higher,
    "tokens after the first a second",
    |t| value(t, Request::decode_rate_ts),
);
pub(super) const TOTAL: Series =
    series("total_ms", "total ms", MS, Better::Lower, "from send to the end", |t| {
        value(t, |request| request.total_ns().map(ms))
    });
const OUTPUT: Series = series(
    "output_tokens",
    "output tokens",
    Unit::Count,
    Better::Neither,
    "tokens that were generated",
    |t| value(t, |request| Some(request.chunks_ns.len() as f64)),
);

/// Every figure, in the order of the columns.
pub(super) const METRICS: &[Metric] = &[
    Metric::new(&TTFT, Statistic::Only),
    Metric::new(&PREFILL, Statistic::Only),
    Metric::new(&OUTPUT, Statistic::Only),
    Metric::new(&TPOT, Statistic::Mean).named("tpot_ms", "tpot ms"),
    Metric::new(&TPOT, Statistic::StandardDeviation),
    Metric::new(&DECODE, Statistic::Only),
    Metric::new(&TOTAL, Statistic::Only),
];
