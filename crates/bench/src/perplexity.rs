//! How well a model predicts a text: llama.cpp's recipe (`tools/perplexity`), over any backend that
//! can score.
//!
//! The text is cut to chunks of `n_ctx` tokens that do not overlap; a rest is left out. BOS
//! replaces the first token of a chunk where the model wants one. The first half of a chunk is
//! context; the tokens at n_ctx/2 + 1 … n_ctx − 1 are scored, each given all before it in its
//! chunk. With their negative natural log-probabilities x₁ … xₙ:
//!
//! - perplexity = exp(mean x), its error = perplexity · √((mean x² − (mean x)²) / (n − 1)), as
//!   llama.cpp prints them;
//! - bits per byte = Σ x / ln 2 / bytes of text of the scored tokens: lm-eval's measure, which does
//!   not depend on how the tokenizer cuts the text, taken over the scored half only, so that it
//!   describes the same predictions.

use crate::{BenchError, Experiment, Observer};
use pacemark_backend::{Backend, TokenId};
use std::f64::consts::LN_2;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Its row in [`crate::EXPERIMENTS`].
pub const EXPERIMENT: Experiment = Experiment {
    name: "perplexity",
    help: "how well the model predicts a text, llama.cpp's recipe",
};

/// How a text is cut.
#[derive(Clone, Copy, Debug)]
pub struct Perplexity {
    /// Tokens of a chunk; even, at least 4.
    pub n_ctx: usize,
    /// Chunks at most; `None` for all.
    pub max_chunks: Option<usize>,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PerplexityResult {
    /// Perplexity after each chunk; the last is that of all.
    pub running: Vec<f64>,
    /// Its standard error; absent with fewer than two scored tokens.
    pub ppl_error: Option<f64>,
    /// Bits per byte of text; absent if the scored tokens have no text.
    pub bits_per_byte: Option<f64>,
    /// Tokens scored.
    pub n_scored: usize,
    /// Tokens that went through the model: the last of a chunk predicts nothing and is not
    /// computed.
    pub n_computed: usize,
    /// Bytes of text of the scored tokens.
    pub n_bytes: usize,
    /// Time within the backend.
    pub elapsed: Duration,
    /// Chunks that were to be scored; `running` is shorter after an interrupt.
    pub n_chunks: usize,
}

impl PerplexityResult {
    /// The perplexity of all chunks so far.
    pub fn ppl(&self) -> Option<f64> {
        self.running.last().copied()
    }

    /// Computed tokens per second.
    pub fn rate_ts(&self) -> f64 {
        self.n_computed as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

impl Perplexity {
    /// Scores `tokens`, the whole text with special tokens as the model adds them. `n_bytes` is the
    /// length of a token's text. An interrupt returns what was measured until then, or
    /// [`BenchError::Interrupted`] before the first chunk.
    pub fn run(
        &self,
        backend: &dyn Backend,
        tokens: &[TokenId],
        n_bytes: &dyn Fn(TokenId) -> usize,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<PerplexityResult, BenchError> {
        let n_ctx = self.n_ctx;
        if n_ctx < 4 || n_ctx % 2 == 1 {
            return Err(BenchError::ChunkLength(n_ctx));
        }
        let n_chunks = (tokens.len() / n_ctx).min(self.max_chunks.unwrap_or(usize::MAX));
        if n_chunks == 0 {
            return Err(BenchError::TextTooShort { found: tokens.len(), n_ctx });
        }
        let bos = backend.info().bos;
        let first = n_ctx / 2;
        let mut result = PerplexityResult { n_chunks, ..PerplexityResult::default() };
        let (mut sum, mut sum_of_squares) = (0.0, 0.0);
        for chunk in tokens.chunks_exact(n_ctx).take(n_chunks) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let mut chunk = chunk.to_vec();
            chunk[0] = bos.unwrap_or(chunk[0]);
            let started = Instant::now();
            let scores = backend.score(&chunk, first)?;
            result.elapsed += started.elapsed();
            let expected = n_ctx - 1 - first;
            if scores.len() != expected {
                return Err(BenchError::TooFewTokens { expected, found: scores.len() });
            }
            for nll in scores.iter().map(|&logprob| -f64::from(logprob)) {
                sum += nll;
                sum_of_squares += nll * nll;
            }
            result.n_scored += expected;
            result.n_computed += n_ctx - 1;
            result.n_bytes += chunk[first + 1..].iter().map(|&token| n_bytes(token)).sum::<usize>();
            let running = (sum / result.n_scored as f64).exp();
            result.running.push(running);
            observer.chunk(result.running.len(), n_chunks, running);
        }
        let n = result.n_scored as f64;
        let Some(ppl) = result.ppl() else { return Err(BenchError::Interrupted) };
        let variance = sum_of_squares / n - (sum / n).powi(2);
        result.ppl_error = (n > 1.0).then(|| (variance.max(0.0) / (n - 1.0)).sqrt() * ppl);
        result.bits_per_byte = (result.n_bytes > 0).then(|| sum / LN_2 / result.n_bytes as f64);
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use pacemark_backend::{BackendError, BackendInfo, Capabilities, EventStream, GenerateRequest};

    /// Gives token t the log-probability −t / 10, and checks what it is asked.
    struct Scorer {
        bos: Option<TokenId>,
    }

    impl Backend for Scorer {
        fn info(&self) -> BackendInfo {
            BackendInfo { bos: self.bos, ..BackendInfo::default() }
        }
        fn capabilities(&self) -> Capabilities {
            Capabilities { score: true, ..Capabilities::default() }
        }
        fn generate(&self, _: GenerateRequest) -> EventStream<'_> {
            unreachable!("perplexity only scores")
        }
        fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
            assert_eq!(self.bos.unwrap_or(tokens[0]), tokens[0]);
            Ok(tokens[first + 1..].iter().map(|&t| -(t as f32) / 10.0).collect())
        }
    }

    static RUNNING: AtomicBool = AtomicBool::new(false);

    fn run(
        tokens: &[TokenId],
        n_ctx: usize,
        max_chunks: Option<usize>,
    ) -> Result<PerplexityResult, BenchError> {
        let experiment = Perplexity { n_ctx, max_chunks };
        experiment.run(&Scorer { bos: Some(0) }, tokens, &|t| t as usize, &mut Silent, &RUNNING)
    }

    #[test]
    fn two_chunks_by_hand() {
        // Chunks of 6: scored are the tokens 4 and 5 of each, so 5, 7 and 9, 11 tenths; the rest of
        // one token is left out.
        let tokens = [1, 1, 1, 1, 5, 7, 1, 1, 1, 1, 9, 11, 3];
        let result = run(&tokens, 6, None).unwrap();
        assert_eq!(
            (result.n_scored, result.n_computed, result.n_bytes, result.n_chunks),
            (4, 10, 32, 2)
        );
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(result.running[0], 0.6_f64.exp());
        close(result.running[1], 0.8_f64.exp());
        // mean 0.8, mean of squares (0.25 + 0.49 + 0.81 + 1.21) / 4 = 0.69; √((0.69 − 0.64) / 3) ·
        // e^0.8.
        close(result.ppl_error.unwrap(), (0.05_f64 / 3.0).sqrt() * 0.8_f64.exp());
        close(result.bits_per_byte.unwrap(), 3.2 / LN_2 / 32.0);
        assert_eq!(run(&tokens, 6, Some(1)).unwrap().running.len(), 1);
    }

    #[test]
    fn what_cannot_be_measured() {
        assert_eq!(run(&[1; 5], 6, None), Err(BenchError::TextTooShort { found: 5, n_ctx: 6 }));
        assert_eq!(run(&[1; 50], 7, None), Err(BenchError::ChunkLength(7)));
        assert_eq!(run(&[1; 50], 2, None), Err(BenchError::ChunkLength(2)));
        let interrupted = AtomicBool::new(true);
        let experiment = Perplexity { n_ctx: 4, max_chunks: None };
        let result =
            experiment.run(&Scorer { bos: None }, &[1; 8], &|_| 1, &mut Silent, &interrupted);
        assert_eq!(result, Err(BenchError::Interrupted));
    }
}
