//! One request to an engine in this process, with what was asked and answered, and its figures by
//! the definitions of metrics.md.

use crate::{Request, Trial};
use serde::{Deserialize, Serialize};

/// Row of the table of experiments that a single generation's trials carry.
pub const GENERATION_EXPERIMENT: &str = "run";

/// What was asked and answered, where that is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The prompt as the model sees it.
    pub prompt: String,
    /// Its tokens.
    pub prompt_ids: Vec<u32>,
    /// The answer.
    pub text: String,
    /// Its tokens.
    pub ids: Vec<u32>,
    /// The most likely tokens at each position and their natural log-probabilities, where they were
    /// asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<Vec<(u32, f32)>>,
}

impl Request {
    /// Computed prompt tokens a second, from the start of computing to the first token; [`None`]
    /// where the start is not known.
    pub fn prefill_rate_ts(&self) -> Option<f64> {
        let ns = self.chunks_ns.first()?.checked_sub(self.started_ns?)?;
        let computed = self.prompt_tokens?.saturating_sub(self.cached_tokens.unwrap_or(0));
        (ns > 0).then(|| computed as f64 * 1e9 / ns as f64)
    }

    /// `(N − 1)/(l − f)` where each chunk is a token, tokens a second.
    pub fn decode_rate_ts(&self) -> Option<f64> {
        let n = self.chunks_ns.len();
        let ns = self.decode_ns().filter(|ns| *ns > 0)?;
        (n >= 2).then(|| (n - 1) as f64 * 1e9 / ns as f64)
    }

    /// From send to the end of the stream, or to the last token of one that was broken off.
    pub fn total_ns(&self) -> Option<u64> {
        let end = self.chunks_ns.last().copied().into_iter().chain([self.end_ns]).max();
        end.map(|end| end.saturating_sub(self.sent_ns)).filter(|ns| *ns > 0)
    }
}

impl Trial {
    /// The one request of a generation.
    pub fn generation(&self) -> Option<&Request> {
        self.requests().first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_known_clock() {
        const MS: u64 = 1_000_000;
        let request = Request {
            started_ns: Some(MS),
            prompt_tokens: Some(52),
            cached_tokens: Some(2),
            chunks_ns: (0..5).map(|i| (101 + 5 * i) * MS).collect(),
            end_ns: 121 * MS,
            ..Request::default()
        };
        assert_eq!(request.ttft_ns(), Some(101 * MS));
        assert_eq!(request.prefill_rate_ts(), Some(500.0));
        assert_eq!(request.decode_rate_ts(), Some(200.0));
        assert_eq!(request.total_ns(), Some(121 * MS));
    }

    #[test]
    fn what_cannot_be_known_is_absent() {
        let none = Request { prompt_tokens: Some(3), ..Request::default() };
        assert_eq!((none.ttft_ns(), none.prefill_rate_ts()), (None, None));
        assert_eq!((none.decode_rate_ts(), none.total_ns()), (None, None));
        let one = Request { chunks_ns: vec![7], end_ns: 7, ..none };
        assert_eq!((one.prefill_rate_ts(), one.decode_rate_ts()), (None, None));
        assert_eq!(one.total_ns(), Some(7));
    }
}
