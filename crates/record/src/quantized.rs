//! A model in one type of weights: what running it took, each time in a process of its own, and how
//! far its predictions are from those of the weights it was made of.

use crate::{Distances, Sample};
use serde::{Deserialize, Serialize};

/// What was measured of one type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantized {
    /// Bytes of its file.
    pub file_bytes: u64,
    /// Each run, in order; those of all types were taken in turn.
    pub runs: Vec<FreshRun>,
    /// How far it is from the weights it was made of; absent until that was measured.
    pub distances: Option<Distances>,
}

/// A model loaded and run once, in a process that did nothing before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FreshRun {
    /// From opening the file to ready to compute.
    pub load_ns: u64,
    /// Resident memory of the process when the model was loaded; absent where the system does not
    /// say.
    pub loaded_rss_bytes: Option<u64>,
    /// The most until the end, while loading included.
    pub peak_rss_bytes: Option<u64>,
    /// Tokens of the prompt.
    pub n_prompt: u64,
    /// A prompt and what was generated after it, once warm.
    pub sample: Sample,
}

impl FreshRun {
    /// Prompt tokens over the time to the first token, a second.
    pub fn prefill_ts(&self) -> Option<f64> {
        self.sample.ttft_ns.filter(|ns| *ns > 0).map(|ns| self.n_prompt as f64 * 1e9 / ns as f64)
    }

    /// Tokens after the first over their time, a second.
    pub fn decode_ts(&self) -> Option<f64> {
        let gaps = &self.sample.gaps_ns;
        let ns: u64 = gaps.iter().sum();
        (ns > 0).then(|| gaps.len() as f64 * 1e9 / ns as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_by_hand() {
        let sample = Sample {
            ttft_ns: Some(500_000_000),
            gaps_ns: vec![100_000_000, 300_000_000],
            ..Sample::default()
        };
        let run = FreshRun { n_prompt: 100, sample, ..FreshRun::default() };
        assert_eq!((run.prefill_ts(), run.decode_ts()), (Some(200.0), Some(5.0)));
        let none = FreshRun::default();
        assert_eq!((none.prefill_ts(), none.decode_ts()), (None, None));
    }
}
