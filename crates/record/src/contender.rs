//! An engine under one setting beside others: what running a model took, each time in a process of its
//! own, how well it predicted a text, and the terms under which it ran.

use crate::{FreshRun, Sample, Scores};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was measured of one engine under one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contender {
    /// Each run, in order; those of all engines were taken in turn.
    pub runs: Vec<EngineRun>,
    /// How well it predicted a text; absent until that was measured, or where it cannot.
    pub scores: Option<Scores>,
    /// What has to be the same for a comparison to be of the engines alone, by name: threads, precision,
    /// types of keys and values, prompts, tokens generated. What is not known is missing.
    #[serde(default)]
    pub terms: BTreeMap<String, String>,
    /// Figures that there are none of, and why.
    #[serde(default)]
    pub lacks: BTreeMap<String, String>,
    /// What the engine said of how it runs the model.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Why it was not measured, or not to the end.
    #[serde(default)]
    pub failure: Option<String>,
}

/// A model loaded and run once, alone and several sequences at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineRun {
    /// A prompt and its answer.
    pub alone: FreshRun,
    /// Sequences computed together, as llama-batched-bench times them.
    pub together: Option<Sample>,
    /// How many those were.
    pub n_parallel: u64,
    /// Tokens that each of them generated after its first.
    pub n_gen: u64,
}

impl EngineRun {
    /// Tokens that all sequences generated after every one had its first, a second.
    pub fn together_ts(&self) -> Option<f64> {
        let sample = self.together.as_ref()?;
        let ns = sample.elapsed_ns.checked_sub(sample.ttft_ns?).filter(|ns| *ns > 0)?;
        let n = self.n_parallel.checked_mul(self.n_gen)?.checked_sub(sample.early_tokens)?;
        Some(n as f64 * 1e9 / ns as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_by_hand() {
        let sample = Sample {
            elapsed_ns: 3_000_000_000,
            ttft_ns: Some(1_000_000_000),
            early_tokens: 2,
            ..Sample::default()
        };
        let run =
            EngineRun { together: Some(sample), n_parallel: 4, n_gen: 8, ..EngineRun::default() };
        assert_eq!(run.together_ts(), Some(15.0));
        assert_eq!(EngineRun::default().together_ts(), None);
    }
}
