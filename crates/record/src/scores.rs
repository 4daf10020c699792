//! What the scores of a text come to: perplexity and bits per byte.
//!
//! With the negative natural log-probabilities x₁ … xₙ of the scored tokens:
//!
//! - perplexity = exp(mean x), its error = perplexity · √((mean x² − (mean x)²) / (n − 1)), as
//!   llama.cpp prints them;
//! - bits per byte = Σ x / ln 2 / bytes of text of the scored tokens: lm-eval's measure, which does
//!   not depend on how the tokenizer cuts the text, taken over the scored half only, so that it
//!   describes the same predictions.
//!
//! Tokens of a chunk are not independent, chunks nearly are: intervals are made of the chunks' means
//! ([`stats::BOOTSTRAP`]), which all are of the same number of tokens.

use crate::measured::{Chunk, Scores};
use crate::stats::{self, CONFIDENCE, Interval};
use std::f64::consts::LN_2;

impl Chunk {
    /// Negative log-probability of each scored token.
    fn nll(&self) -> impl Iterator<Item = f64> {
        self.logprobs.iter().map(|&logprob| -f64::from(logprob))
    }
}

impl Scores {
    /// Tokens scored.
    pub fn n_scored(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.logprobs.len()).sum()
    }

    /// Tokens that went through the model.
    pub fn n_computed(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.n_computed).sum()
    }

    /// Bytes of text of the scored tokens.
    pub fn n_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.n_bytes).sum()
    }

    /// Time within the backend.
    pub fn elapsed_s(&self) -> f64 {
        self.chunks.iter().map(|chunk| chunk.elapsed_ns).sum::<u64>() as f64 / 1e9
    }

    /// Computed tokens a second.
    pub fn rate_ts(&self) -> f64 {
        self.n_computed() as f64 / self.elapsed_s().max(1e-9)
    }

    /// Perplexity of the chunks up to each; the last is that of all.
    pub fn running(&self) -> Vec<f64> {
        let (mut sum, mut n) = (0.0, 0);
        let after = self.chunks.iter().map(|chunk| {
            chunk.nll().for_each(|nll| sum += nll);
            n += chunk.logprobs.len();
            (sum / n as f64).exp()
        });
        after.collect()
    }

    /// The perplexity of all chunks.
    pub fn ppl(&self) -> Option<f64> {
        (self.n_scored() > 0).then(|| self.mean_nll().exp())
    }

    /// Its standard error, over tokens; absent with fewer than two.
    pub fn ppl_error(&self) -> Option<f64> {
        let n = self.n_scored() as f64;
        let squares = self.chunks.iter().flat_map(Chunk::nll).fold(0.0, |sum, nll| sum + nll * nll);
        let variance = squares / n - self.mean_nll().powi(2);
        (n > 1.0).then(|| (variance.max(0.0) / (n - 1.0)).sqrt() * self.mean_nll().exp())
    }

    /// Where the perplexity lies, over chunks; absent with fewer than five.
    pub fn ppl_interval(&self) -> Option<Interval> {
        let mean = self.mean_interval()?;
        Some(Interval { low: mean.low.exp(), high: mean.high.exp() })
    }

    /// Bits per byte of text; absent if the scored tokens have none.
    pub fn bits_per_byte(&self) -> Option<f64> {
        Some(self.sum_nll() * self.bits_per_nll_byte()?)
    }

    /// Where they lie, over chunks.
    pub fn bits_per_byte_interval(&self) -> Option<Interval> {
        let mean = self.mean_interval()?;
        let scale = self.n_scored() as f64 * self.bits_per_nll_byte()?;
        Some(Interval { low: mean.low * scale, high: mean.high * scale })
    }

    fn bits_per_nll_byte(&self) -> Option<f64> {
        let n_bytes = self.n_bytes();
        (n_bytes > 0).then(|| 1.0 / LN_2 / n_bytes as f64)
    }

    fn sum_nll(&self) -> f64 {
        self.chunks.iter().flat_map(Chunk::nll).fold(0.0, |sum, nll| sum + nll)
    }

    fn mean_nll(&self) -> f64 {
        self.sum_nll() / self.n_scored() as f64
    }

    fn mean_interval(&self) -> Option<Interval> {
        let mean = |chunk: &Chunk| stats::mean(&chunk.nll().collect::<Vec<_>>());
        let means: Vec<f64> = self.chunks.iter().filter_map(mean).collect();
        stats::mean_interval(&means, CONFIDENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(chunks: &[&[f32]]) -> Scores {
        let chunk = |logprobs: &&[f32]| Chunk {
            logprobs: logprobs.to_vec(),
            n_bytes: 16,
            n_computed: 5,
            elapsed_ns: 500_000_000,
        };
        Scores { chunks: chunks.iter().map(chunk).collect(), ..Scores::default() }
    }

    #[test]
    fn two_chunks_by_hand() {
        let found = scores(&[&[-0.5, -0.7], &[-0.9, -1.1]]);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(found.running()[0], 0.6_f64.exp());
        close(found.running()[1], 0.8_f64.exp());
        close(found.ppl().unwrap(), 0.8_f64.exp());
        // mean 0.8, mean of squares (0.25 + 0.49 + 0.81 + 1.21) / 4 = 0.69; √((0.69 − 0.64) / 3) ·
        // e^0.8.
        close(found.ppl_error().unwrap(), (0.05_f64 / 3.0).sqrt() * 0.8_f64.exp());
        close(found.bits_per_byte().unwrap(), 3.2 / LN_2 / 32.0);
        assert_eq!((found.n_scored(), found.n_computed(), found.rate_ts()), (4, 10, 10.0));
        assert_eq!(found.ppl_interval(), None, "two chunks bound nothing");
    }

    #[test]
    fn intervals_are_over_chunks() {
        let found = scores(&[&[-1.0, -1.2], &[-0.8, -1.0], &[-1.1, -0.9], &[-1.0], &[-1.2]]);
        let (ppl, interval) = (found.ppl().unwrap(), found.ppl_interval().unwrap());
        assert!(interval.low < ppl && ppl < interval.high, "{interval:?} {ppl}");
        let (bits, interval) =
            (found.bits_per_byte().unwrap(), found.bits_per_byte_interval().unwrap());
        assert!(interval.low < bits && bits < interval.high, "{interval:?} {bits}");
        let nothing = Scores::default();
        assert_eq!(
            (nothing.ppl(), nothing.ppl_error(), nothing.bits_per_byte()),
            (None, None, None)
        );
    }
}
