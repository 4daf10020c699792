//! What benchmark_genai makes of the times: OpenVINO GenAI's `PerfMetrics` (`perf_metrics.cpp`), as
//! numbers. The experiment's own figures differ in their dispersion; these are for its lines only.

use super::figures::{DETOKENIZATION, GENERATE, ITL, LOAD, TOKENIZATION, TTFT};
use pacemark_record::{Series, Trial, stats};

/// A mean and a standard deviation of the population (n in the denominator), in one unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanSd {
    /// The mean.
    pub mean: f64,
    /// The deviation; 0 of one value.
    pub sd: f64,
}

impl MeanSd {
    fn of(values: &[f64]) -> Option<MeanSd> {
        let mean = stats::mean(values)?;
        Some(MeanSd { mean, sd: stats::population_sd(values)? })
    }

    /// Of milliseconds per token the tokens a second: 1000 / μ, and by propagation 1000 σ / μ².
    fn rate(self) -> Option<MeanSd> {
        let MeanSd { mean, sd } = self;
        (mean > 0.0).then(|| MeanSd { mean: 1e3 / mean, sd: 1e3 * sd / (mean * mean) })
    }
}

/// Its figures over all iterations. What there is none of is `None`: of an answer of one token the
/// time between two.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Perf {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens that the last iteration generated.
    pub output_tokens: u64,
    /// Loading the model and its tokenizer.
    pub load_ms: f64,
    /// From text to text.
    pub generate_ms: Option<MeanSd>,
    /// Text to tokens.
    pub tokenization_ms: Option<MeanSd>,
    /// Tokens to text.
    pub detokenization_ms: Option<MeanSd>,
    /// From handing over the text to the first token.
    pub ttft_ms: Option<MeanSd>,
    /// Times between tokens, those of all iterations together.
    pub tpot_ms: Option<MeanSd>,
    /// Tokens a second after the first, of [`Self::tpot_ms`].
    pub throughput: Option<MeanSd>,
}

impl Perf {
    /// Of a trial's iterations.
    pub fn of(trial: &Trial) -> Perf {
        let of = |series: &Series| MeanSd::of(&(series.of)(trial));
        let last = trial.requests().last();
        let tpot_ms = of(&ITL);
        Perf {
            prompt_tokens: last.and_then(|request| request.prompt_tokens).unwrap_or(0),
            output_tokens: last.map_or(0, |request| request.chunks_ns.len() as u64),
            load_ms: (LOAD.of)(trial).first().copied().unwrap_or(0.0),
            generate_ms: of(&GENERATE),
            tokenization_ms: of(&TOKENIZATION),
            detokenization_ms: of(&DETOKENIZATION),
            ttft_ms: of(&TTFT),
            tpot_ms,
            throughput: tpot_ms.and_then(MeanSd::rate),
        }
    }
}
