//! A trial of several sequences computed together, in llama-batched-bench's terms.

use crate::{Sample, Trial, stats};

/// Mean times of a batch and what they make. Speeds are tokens over mean time, as one reads them
/// off the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchTimes {
    /// Seconds until every sequence has its first token.
    pub t_pp: f64,
    /// Prompt tokens of all sequences a second of that time.
    pub speed_pp: f64,
    /// Seconds from then to the last token.
    pub t_tg: f64,
    /// Tokens generated in that time, over all sequences, a second; 0 where none are generated.
    pub speed_tg: f64,
    /// Both together.
    pub t: f64,
    /// All tokens a second.
    pub speed: f64,
}

impl Trial {
    /// Sequences computed together.
    pub fn n_parallel(&self) -> u64 {
        self.count("n_parallel").max(1)
    }

    /// The table's figures; `None` without a sample.
    pub fn batch_times(&self) -> Option<BatchTimes> {
        let mean = |of: fn(&Sample) -> u64| {
            stats::mean(
                &self.samples().iter().map(|sample| of(sample) as f64 / 1e9).collect::<Vec<_>>(),
            )
        };
        let (t_pp, t_tg, t) = (mean(prefill_ns)?, mean(decode_ns)?, mean(|s| s.elapsed_ns)?);
        let early = mean(|s| s.early_tokens)? * 1e9;
        let n_generated = (self.n_parallel() * self.count("n_gen")) as f64 - early;
        let rate = |n: f64, time: f64| if time > 0.0 { n / time } else { 0.0 };
        Some(BatchTimes {
            t_pp,
            speed_pp: rate((self.n_parallel() * self.count("n_prompt")) as f64, t_pp),
            t_tg,
            speed_tg: rate(n_generated, t_tg),
            t,
            speed: rate(self.tokens_per_repetition() as f64, t),
        })
    }

    /// Prompt tokens a second of each repetition.
    pub fn prefill_rates_ts(&self) -> Vec<f64> {
        let n = (self.n_parallel() * self.count("n_prompt")) as f64;
        self.samples().iter().map(|s| 1e9 * n / prefill_ns(s).max(1) as f64).collect()
    }

    /// Generated tokens a second of each repetition; empty where none are generated.
    pub fn decode_rates_ts(&self) -> Vec<f64> {
        let n = self.n_parallel() * self.count("n_gen");
        let timed = self.samples().iter().filter(|s| n > s.early_tokens);
        timed.map(|s| 1e9 * (n - s.early_tokens) as f64 / decode_ns(s).max(1) as f64).collect()
    }
}

fn prefill_ns(sample: &Sample) -> u64 {
    sample.ttft_ns.unwrap_or(sample.elapsed_ns)
}

fn decode_ns(sample: &Sample) -> u64 {
    sample.elapsed_ns.saturating_sub(prefill_ns(sample))
}
