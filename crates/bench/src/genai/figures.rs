//! The figures of a prompt that is repeated, by the definitions of metrics.md. `t0` is when its text
//! was handed over: before it was tokenized.

use super::TOKENIZE;
use pacemark_record::{Better, Ends, Metric, Request, Series, Statistic, Trial, Unit};

use Better::{Higher, Lower, Neither};
use Statistic::{Drift, Least, Mean, Most, Only, Outliers, Quantile, Stability, StandardDeviation};

const MS: Unit = Unit::Milliseconds;
const TPS: Unit = Unit::TokensPerSecond;
const ENDS: Ends = Ends { infix: "_ci95", titles: None };

/// Every figure, in the order of the columns.
pub(super) const METRICS: &[Metric] = &[
    Metric::new(&GENERATE, Mean)
        .named("generate_ms", "time ms")
        .with_ends(Ends { infix: "_ci95", titles: Some(["95 % from", "to ms"]) })
        .shown(),
    Metric::new(&GENERATE, StandardDeviation),
    Metric::new(&GENERATE, Least),
    Metric::new(&GENERATE, Most),
    Metric::new(&GENERATE, Stability).named("stability", "stability").shown(),
    Metric::new(&GENERATE, Outliers),
    Metric::new(&TOKENIZATION, Mean).named("tokenize_ms", "tokenize ms"),
    Metric::new(&TOKENIZATION, StandardDeviation),
    Metric::new(&DETOKENIZATION, Mean).named("detokenize_ms", "detokenize ms"),
    Metric::new(&DETOKENIZATION, StandardDeviation),
    Metric::new(&TTFT, Mean).named("ttft_ms", "ttft ms").with_ends(ENDS).shown(),
    Metric::new(&TTFT, StandardDeviation),
    Metric::new(&TTFT, Quantile(0.5)),
    Metric::new(&TPOT, Mean).named("tpot_ms", "tpot ms").with_ends(ENDS).shown(),
    Metric::new(&TPOT, StandardDeviation),
    Metric::new(&ITL, Mean),
    Metric::new(&ITL, StandardDeviation),
    Metric::new(&ITL, Quantile(0.5)),
    Metric::new(&ITL, Quantile(0.99)),
    Metric::new(&DECODE, Mean)
        .named("decode_tokens_per_second", "decode t/s")
        .with_ends(ENDS)
        .shown(),
    Metric::new(&OUTPUT, Mean).named("output_tokens_per_second", "t/s").with_ends(ENDS).shown(),
    Metric::new(&OUTPUT, Drift),
    Metric::new(&OUTPUT_TOKENS, Only),
    Metric::new(&LOAD, Only),
];

const fn series(
    name: &'static str,
    title: &'static str,
    (unit, better): (Unit, Better),
    help: &'static str,
    of: fn(&Trial) -> Vec<f64>,
) -> Series {
    Series { name, title, unit, better, help, of }
}

/// A value of each iteration that has it.
fn each(trial: &Trial, of: impl Fn(&Request) -> Option<f64>) -> Vec<f64> {
    trial.requests().iter().filter_map(of).collect()
}

pub(super) fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn phase(request: &Request, wanted: &str) -> Option<f64> {
    let found = request.phases_ns.iter().find(|(name, _)| name == wanted);
    found.map(|(_, ns)| ms(*ns))
}

/// Of one iteration, from text to text.
pub(super) fn generate_ms(request: &Request) -> Option<f64> {
    request.total_ns().map(ms)
}

/// All its tokens over all its time.
pub(super) fn output_rate(request: &Request) -> Option<f64> {
    request.total_ns().map(|ns| request.chunks_ns.len() as f64 * 1e9 / ns as f64)
}

pub(super) const GENERATE: Series = series(
    "generate_ms",
    "time ms",
    (MS, Lower),
    "from the prompt's text to the text of the answer",
    |t| each(t, generate_ms),
);
pub(super) const TOKENIZATION: Series =
    series("tokenize_ms", "tokenize ms", (MS, Lower), "time to make tokens of the prompt", |t| {
        each(t, |request| phase(request, TOKENIZE))
    });
pub(super) const DETOKENIZATION: Series = series(
    "detokenize_ms",
    "detokenize ms",
    (MS, Lower),
    "time to make text of an answer's tokens, each as it came",
    |t| each(t, |request| phase(request, "detokenize")),
);
pub(super) const TTFT: Series = series(
    "ttft_ms",
    "ttft ms",
    (MS, Lower),
    "time to first token, from handing over the prompt's text",
    |t| each(t, |request| request.ttft_ns().map(ms)),
);
const TPOT: Series = series(
    "tpot_ms",
    "tpot ms",
    (MS, Lower),
    "time per output token after the first, of each iteration",
    |t| {
        let source = t.token_source();
        each(t, |request| request.tpot_ns(source).map(|ns| ns / 1e6))
    },
);
pub(super) const ITL: Series = series(
    "itl_ms",
    "itl ms",
    (MS, Lower),
    "times between one token and the next, of all iterations",
    |t| t.requests().iter().flat_map(Request::gaps_ns).map(ms).collect(),
);
pub(super) const DECODE: Series = series(
    "decode_tokens_per_second",
    "decode t/s",
    (TPS, Higher),
    "tokens after the first over their time, of each iteration",
    |t| each(t, Request::decode_rate_ts),
);
pub(super) const OUTPUT: Series = series(
    "output_tokens_per_second",
    "t/s",
    (TPS, Higher),
    "all output tokens over the whole time, of each iteration",
    |t| each(t, output_rate),
);
const OUTPUT_TOKENS: Series = series(
    "output_tokens",
    "output tokens",
    (Unit::Count, Neither),
    "tokens that were generated, of the last iteration",
    |t| t.requests().last().map(|request| request.chunks_ns.len() as f64).into_iter().collect(),
);
pub(super) const LOAD: Series =
    series("load_ms", "load ms", (MS, Lower), "from opening the file to ready to compute", |t| {
        let stages = &t.model.load_ns;
        let all = stages.iter().fold(0u64, |sum, (_, ns)| sum.saturating_add(*ns));
        (!stages.is_empty()).then(|| ms(all)).into_iter().collect()
    });
