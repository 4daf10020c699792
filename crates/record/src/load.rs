//! What a trial of requests makes: durations, rates and disagreements, by the definitions of
//! metrics.md.

use crate::{FailureKind, Request, Slo, TokenSource, Trial};
use serde_json::Value;
use std::collections::BTreeMap;

/// Row of the table of experiments that a load's trials carry.
pub const LOAD_EXPERIMENT: &str = "load";

/// Answers about whose length two counts do not agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disagreement {
    /// `usage` is not what was asked for.
    pub wanted: u64,
    /// `usage` is not the number of chunks.
    pub chunks: u64,
    /// `usage` is not what the model's own tokenizer finds.
    pub tokenizer: u64,
    /// The prompt's `usage` is less than the tokens that were sent.
    pub prompt: u64,
}

impl Trial {
    /// Requests that were answered in full.
    pub fn answered(&self) -> impl Iterator<Item = &Request> {
        self.requests().iter().filter(|request| request.is_ok())
    }

    /// Who counted the tokens of all answers.
    pub fn token_source(&self) -> TokenSource {
        if self.answered().all(|request| request.output_usage.is_some()) {
            TokenSource::Usage
        } else if self.answered().all(|request| request.output_tokenized.is_some()) {
            TokenSource::Tokenizer
        } else {
            TokenSource::Chunks
        }
    }

    /// Every chunk holds one token, by a count that is not the chunks' own: gaps between chunks are
    /// gaps between tokens.
    pub fn chunks_are_tokens(&self) -> bool {
        let source = self.token_source();
        source != TokenSource::Chunks
            && self
                .answered()
                .all(|request| request.n_output(source) == request.chunks_ns.len() as u64)
    }

    /// Every gap between two chunks of an answer, pooled.
    pub fn chunk_gaps_ms(&self) -> Vec<f64> {
        self.answered().flat_map(Request::gaps_ns).map(|ns| ns as f64 / 1e6).collect()
    }

    /// First send → last token or failure: what `total` rates divide by. `None` where nothing was
    /// sent.
    pub fn load_duration_ns(&self) -> Option<u64> {
        let first = self.requests().iter().map(|request| request.sent_ns).min()?;
        let end = |request: &Request| match request.chunks_ns.last() {
            Some(last) if request.is_ok() => *last,
            _ => request.end_ns,
        };
        let last = self.requests().iter().map(end).max()?;
        Some(last.saturating_sub(first)).filter(|ns| *ns > 0)
    }

    /// Tokens of all answers.
    pub fn output_tokens(&self) -> u64 {
        let source = self.token_source();
        self.answered().map(|request| request.n_output(source)).sum()
    }

    /// Tokens of all answers a second, `total`.
    pub fn output_rate_total(&self) -> Option<f64> {
        Some(self.output_tokens() as f64 * 1e9 / self.load_duration_ns()? as f64)
    }

    /// Tokens after the first over the time that they took, within requests: `decode`.
    pub fn output_rate_decode(&self) -> Option<f64> {
        let source = self.token_source();
        let timed = self.answered().filter(|request| request.tpot_ns(source).is_some());
        let (tokens, ns) = timed.fold((0, 0), |(tokens, ns), request| {
            (tokens + request.n_output(source) - 1, ns + request.decode_ns().unwrap_or(0))
        });
        (ns > 0).then(|| tokens as f64 * 1e9 / ns as f64)
    }

    /// `count` of requests a second of the load's duration.
    pub fn request_rate(&self, count: usize) -> Option<f64> {
        Some(count as f64 * 1e9 / self.load_duration_ns()? as f64)
    }

    /// The limits it is held to.
    pub fn slo(&self) -> Option<Slo> {
        self.params.get("slo").and_then(Value::as_str)?.parse().ok()
    }

    /// Requests that met every limit; `None` without limits.
    pub fn n_good(&self) -> Option<usize> {
        let (slo, source) = (self.slo()?, self.token_source());
        Some(self.requests().iter().filter(|request| slo.is_met_by(request, source)).count())
    }

    /// Failures by kind: how many, and what one of them said.
    pub fn failures(&self) -> BTreeMap<FailureKind, (u64, &str)> {
        let mut found = BTreeMap::new();
        for failure in self.requests().iter().filter_map(|request| request.failure.as_ref()) {
            found.entry(failure.kind).or_insert((0, failure.message.as_str())).0 += 1;
        }
        found
    }

    /// Where the counts of tokens do not agree.
    pub fn disagreement(&self) -> Disagreement {
        let differs =
            |a: Option<u64>, b: Option<u64>| u64::from(a.zip(b).is_some_and(|(a, b)| a != b));
        self.answered().fold(Disagreement::default(), |sum, request| Disagreement {
            wanted: sum.wanted + differs(request.output_usage, request.output_wanted),
            chunks: sum.chunks
                + differs(request.output_usage, Some(request.chunks_ns.len() as u64)),
            tokenizer: sum.tokenizer + differs(request.output_usage, request.output_tokenized),
            prompt: sum.prompt
                + u64::from(
                    request
                        .prompt_usage
                        .zip(request.prompt_tokens)
                        .is_some_and(|(usage, made)| usage < made),
                ),
        })
    }

    /// Share of prompt tokens that the server found in its cache; `None` where it does not tell.
    pub fn cached_share(&self) -> Option<f64> {
        let told = self
            .answered()
            .filter_map(|request| Some((request.cached_tokens?, request.prompt_usage?)));
        let (cached, all) = told.fold((0, 0), |sum, (cached, all)| (sum.0 + cached, sum.1 + all));
        (all > 0).then(|| cached as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    const MS: u64 = 1_000_000;

    /// Sent at 10 ms, due at 4 ms, first chunk at 110 ms, then 9 gaps of 20 ms: 10 tokens until 290
    /// ms.
    fn request() -> Request {
        Request {
            scheduled_ns: 4 * MS,
            sent_ns: 10 * MS,
            chunks_ns: (0..10).map(|i| (110 + 20 * i) * MS).collect(),
            end_ns: 300 * MS,
            output_usage: Some(10),
            output_wanted: Some(10),
            prompt_tokens: Some(32),
            prompt_usage: Some(40),
            cached_tokens: Some(10),
            ..Request::default()
        }
    }

    #[test]
    fn one_request_by_hand() {
        let request = request();
        assert_eq!(request.ttft_ns(), Some(100 * MS));
        assert_eq!(request.ttft_scheduled_ns(), Some(106 * MS));
        assert_eq!(request.tpot_ns(TokenSource::Usage), Some(20.0 * MS as f64));
        assert_eq!(request.e2e_ns(), Some(280 * MS));
        assert_eq!(request.e2e_scheduled_ns(), Some(286 * MS));
        let one = Request { chunks_ns: vec![5], output_usage: Some(1), ..Request::default() };
        assert_eq!(
            (one.tpot_ns(TokenSource::Usage), one.decode_ns()),
            (None, Some(0)),
            "absent, not 0"
        );
        let whole = Request { chunks_ns: vec![5], output_usage: Some(9), ..Request::default() };
        assert_eq!(
            whole.tpot_ns(TokenSource::Usage),
            None,
            "an answer in one piece has no time between tokens"
        );
        let whole = Request { whole: true, ..whole };
        assert_eq!(
            (whole.ttft_ns(), whole.ttft_scheduled_ns(), whole.e2e_ns()),
            (None, None, Some(5))
        );
    }

    #[test]
    fn a_load_by_hand() {
        // Two answers, the second 100 ms later, and a failure that ended at 1010 ms: a second in
        // all.
        let later = |request: Request| Request {
            sent_ns: request.sent_ns + 100 * MS,
            chunks_ns: request.chunks_ns.iter().map(|ns| ns + 100 * MS).collect(),
            ..request
        };
        let failure = Failure { kind: FailureKind::Stalled, message: "silent".into() };
        let failed = Request {
            sent_ns: 20 * MS,
            end_ns: 1010 * MS,
            chunks_ns: vec![30 * MS],
            failure: Some(failure),
            ..Request::default()
        };
        let mut trial = Trial {
            measured: vec![request(), later(request()), failed].into(),
            ..Trial::default()
        };
        assert_eq!(trial.load_duration_ns(), Some(1000 * MS));
        assert_eq!(trial.output_rate_total(), Some(20.0));
        assert_eq!(trial.output_rate_decode(), Some(50.0));
        assert_eq!(trial.request_rate(2), Some(2.0));
        assert!(trial.chunks_are_tokens());
        assert_eq!(trial.chunk_gaps_ms(), [20.0; 18]);
        assert_eq!(trial.cached_share(), Some(0.25));
        assert_eq!(trial.failures()[&FailureKind::Stalled], (1, "silent"));
        assert_eq!(trial.disagreement(), Disagreement::default());
        trial.params.insert("slo".into(), "ttft<150ms".into());
        assert_eq!(
            trial.n_good(),
            Some(1),
            "the later one was due long before, the failure is none"
        );
        trial.load_mut().unwrap().requests[0].output_usage = Some(12);
        assert!(!trial.chunks_are_tokens());
        assert_eq!(
            trial.disagreement(),
            Disagreement { wanted: 1, chunks: 1, ..Disagreement::default() }
        );
        trial.load_mut().unwrap().requests[0].output_usage = None;
        assert_eq!(trial.token_source(), TokenSource::Chunks);
        assert!(!trial.chunks_are_tokens(), "nobody says so");
    }
}
