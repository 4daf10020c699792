//! Texts scored as one sequence each while a policy decides what of the keys and values is kept,
//! and what it took to continue them: perplexity, next-token accuracy, and what was held.

use crate::Sample;
use crate::stats::{self, CONFIDENCE, Interval};
use serde::{Deserialize, Serialize};

/// What was measured of texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Texts {
    /// Each text, in the order in which they were measured.
    pub texts: Vec<ScoredText>,
}

/// One text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoredText {
    /// Its number among the texts of the run.
    pub index: u64,
    /// Natural log-probability of each scored token, given what was kept of those before it.
    pub logprobs: Vec<f32>,
    /// For each, whether it was the most likely one.
    pub hits: Vec<bool>,
    /// Tokens that went through the model to score it.
    pub n_computed: u64,
    /// Time of that within the backend.
    pub elapsed_ns: u64,
    /// What was kept at the end, where that is known.
    pub held: Option<Held>,
    /// What it took to continue it, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued: Option<Continued>,
}

/// What was kept of a sequence's keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Tokens, over all KV heads of all layers.
    pub lane_tokens: u64,
    /// KV heads of all layers.
    pub n_lanes: u64,
    /// Tokens in the layer that has most.
    pub most_tokens: u64,
    /// Bytes of these tokens.
    pub resident_bytes: u64,
    /// Bytes of the pages that they are in.
    pub page_bytes: u64,
}

/// A continuation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Continued {
    /// Its times.
    pub sample: Sample,
    /// What was kept at its end, where that is known.
    pub held: Option<Held>,
    /// The most memory of the process while it ran; absent where the system does not say.
    pub peak_rss_bytes: Option<u64>,
}

impl Held {
    /// Tokens, the mean over layers and heads.
    pub fn mean_tokens(&self) -> f64 {
        self.lane_tokens as f64 / self.n_lanes.max(1) as f64
    }
}

impl ScoredText {
    /// The sum of the negative log-probabilities.
    fn sum_nll(&self) -> f64 {
        self.logprobs.iter().fold(0.0, |sum, logprob| sum - f64::from(*logprob))
    }

    /// Its perplexity.
    pub fn ppl(&self) -> Option<f64> {
        let n = self.logprobs.len();
        (n > 0).then(|| (self.sum_nll() / n as f64).exp())
    }

    /// The share of tokens that were the most likely.
    pub fn accuracy(&self) -> Option<f64> {
        let n = self.hits.len();
        (n > 0).then(|| self.hits.iter().filter(|hit| **hit).count() as f64 / n as f64)
    }
}

impl Continued {
    /// Seconds until the prompt was computed and the first token known.
    pub fn ttft_s(&self) -> Option<f64> {
        self.sample.ttft_ns.map(|ns| ns as f64 / 1e9)
    }

    /// Seconds a token after the first; none where there was but one.
    pub fn tpot_s(&self) -> Option<f64> {
        let gaps: Vec<f64> = self.sample.gaps_ns.iter().map(|ns| *ns as f64 / 1e9).collect();
        stats::mean(&gaps)
    }

    /// Generated tokens a second of the whole time, the prompt's included.
    pub fn throughput_ts(&self) -> Option<f64> {
        let n = self.sample.ttft_ns.map(|_| self.sample.gaps_ns.len() + 1)?;
        (self.sample.elapsed_ns > 0).then(|| n as f64 * 1e9 / self.sample.elapsed_ns as f64)
    }
}

impl Texts {
    /// Tokens scored.
    pub fn n_scored(&self) -> usize {
        self.texts.iter().map(|text| text.logprobs.len()).sum()
    }

    /// Perplexity over the tokens of all texts together.
    pub fn ppl(&self) -> Option<f64> {
        let (n, sum) = (self.n_scored(), self.texts.iter().map(ScoredText::sum_nll).sum::<f64>());
        (n > 0).then(|| (sum / n as f64).exp())
    }

    /// Where it lies, over stretches of text: tokens near each other are not independent.
    pub fn ppl_interval(&self) -> Option<Interval> {
        let means: Vec<f64> = self.stretches().filter_map(|s| stats::mean(&s.nll)).collect();
        let mean = stats::mean_interval(&means, CONFIDENCE)?;
        Some(Interval { low: mean.low.exp(), high: mean.high.exp() })
    }

    /// The share of tokens that were the most likely.
    pub fn accuracy(&self) -> Option<f64> {
        let hits = || self.texts.iter().flat_map(|text| text.hits.iter().copied());
        let n = hits().count();
        (n > 0).then(|| hits().filter(|hit| *hit).count() as f64 / n as f64)
    }

    /// Where that lies, over stretches.
    pub fn accuracy_interval(&self) -> Option<Interval> {
        let means: Vec<f64> = self.stretches().filter_map(|s| stats::mean(&s.hits)).collect();
        stats::mean_interval(&means, CONFIDENCE)
    }

    /// What is held at the end of a text: tokens, the mean over layers, of all texts.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.texts.iter().filter_map(|text| text.held.as_ref())
    }

    /// What it took to continue texts, in the order in which that was measured.
    pub fn continued(&self) -> impl Iterator<Item = &Continued> {
        self.texts.iter().filter_map(|text| text.continued.as_ref())
    }

    /// Computed tokens a second while scoring.
    pub fn rate_ts(&self) -> Option<f64> {
        let ns: u64 = self.texts.iter().map(|text| text.elapsed_ns).sum();
        let n: u64 = self.texts.iter().map(|text| text.n_computed).sum();
        (ns > 0).then(|| n as f64 * 1e9 / ns as f64)
    }

    /// Scored tokens in runs of [`STRETCH`]; a shorter rest is left out.
    fn stretches(&self) -> impl Iterator<Item = Stretch> {
        self.texts.iter().flat_map(|text| {
            text.logprobs.chunks_exact(STRETCH).zip(text.hits.chunks_exact(STRETCH)).map(
                |(logprobs, hits)| Stretch {
                    nll: logprobs.iter().map(|logprob| -f64::from(*logprob)).collect(),
                    hits: hits.iter().map(|hit| f64::from(u8::from(*hit))).collect(),
                },
            )
        })
    }
}

/// Tokens of a stretch: long enough that one says little of the next.
const STRETCH: usize = 128;

/// A stretch of scored text.
struct Stretch {
    nll: Vec<f64>,
    hits: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_texts_by_hand() {
        let text = |logprobs: &[f32], hits: &[bool]| ScoredText {
            logprobs: logprobs.to_vec(),
            hits: hits.to_vec(),
            n_computed: 10,
            elapsed_ns: 500_000_000,
            ..ScoredText::default()
        };
        let texts =
            Texts { texts: vec![text(&[-0.5, -1.5], &[true, false]), text(&[-1.0], &[true])] };
        assert_eq!(texts.ppl(), Some(1.0_f64.exp()), "tokens count, not texts");
        assert_eq!(texts.texts[0].ppl(), Some(1.0_f64.exp()));
        assert_eq!(texts.accuracy(), Some(2.0 / 3.0));
        assert_eq!((texts.rate_ts(), texts.n_scored()), (Some(20.0), 3));
        assert_eq!(texts.ppl_interval(), None, "no stretch is whole");
        assert_eq!((Texts::default().ppl(), Texts::default().accuracy()), (None, None));
    }

    #[test]
    fn a_continuation_by_hand() {
        let sample = Sample {
            elapsed_ns: 2_000_000_000,
            ttft_ns: Some(1_000_000_000),
            gaps_ns: vec![400_000_000, 600_000_000],
            ..Sample::default()
        };
        let continued = Continued { sample, ..Continued::default() };
        assert_eq!((continued.ttft_s(), continued.tpot_s()), (Some(1.0), Some(0.5)));
        assert_eq!(continued.throughput_ts(), Some(1.5), "the prompt's time counts");
        let none = Continued::default();
        assert_eq!((none.ttft_s(), none.tpot_s(), none.throughput_ts()), (None, None, None));
        let text = |continued| ScoredText { continued, ..ScoredText::default() };
        let texts = Texts { texts: vec![text(None), text(Some(none))] };
        assert_eq!(texts.continued().count(), 1);
    }

    #[test]
    fn intervals_are_over_stretches() {
        let logprobs: Vec<f32> = (0..STRETCH * 8).map(|i| -((i % 7) as f32) / 3.0).collect();
        let hits = logprobs.iter().map(|logprob| *logprob > -1.0).collect();
        let texts = Texts { texts: vec![ScoredText { logprobs, hits, ..Default::default() }] };
        let (interval, ppl) = (texts.ppl_interval().unwrap(), texts.ppl().unwrap());
        assert!(interval.low <= ppl && ppl <= interval.high, "{interval:?} {ppl}");
        let (interval, share) = (texts.accuracy_interval().unwrap(), texts.accuracy().unwrap());
        assert!(interval.low <= share && share <= interval.high, "{interval:?} {share}");
    }
}
