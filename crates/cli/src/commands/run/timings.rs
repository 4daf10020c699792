//! The figures of one request from the stamps of its events, as docs/metrics.md defines them.

use pacemark_backend::{Event, Phases};
use std::time::{Duration, Instant};

/// Stamps of one request. Every figure is `None` where it cannot be known.
pub(super) struct Timings {
    sent: Instant,
    started: Option<Instant>,
    tokens: Vec<Instant>,
    finished: Option<Instant>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of those, not computed because their KV was there.
    pub cached_tokens: usize,
    /// The backend's own account.
    pub phases: Option<Phases>,
}

impl Timings {
    /// A request sent at `sent`.
    pub(super) fn new(sent: Instant, prompt_tokens: usize) -> Timings {
        let (tokens, started, finished) = (Vec::new(), None, None);
        Timings { sent, started, tokens, finished, prompt_tokens, cached_tokens: 0, phases: None }
    }

    /// Notes an event's stamp.
    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::Started { at, cached_tokens } => {
                self.started = Some(*at);
                self.cached_tokens = *cached_tokens;
            }
            Event::Token { at, .. } => self.tokens.push(*at),
            Event::Finished { at, phases, .. } => {
                self.finished = Some(*at);
                self.phases = Some(*phases);
            }
            _ => {}
        }
    }

    /// Tokens generated.
    pub(super) fn output_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Send to first token.
    pub(super) fn ttft(&self) -> Option<Duration> {
        self.tokens.first().map(|&first| first - self.sent)
    }

    /// Computed prompt tokens per second, from the start of computing to the first token.
    pub(super) fn prefill_rate(&self) -> Option<f64> {
        let time = *self.tokens.first()? - self.started?;
        Some((self.prompt_tokens - self.cached_tokens) as f64 / time.as_secs_f64())
    }

    /// Mean of the gaps between tokens, `(l - f) / (N - 1)`, and their sample standard deviation
    /// (from three tokens on).
    pub(super) fn tpot(&self) -> Option<(Duration, Option<Duration>)> {
        let gaps: Vec<f64> =
            self.tokens.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        if gaps.is_empty() {
            return None;
        }
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let squares: f64 = gaps.iter().map(|gap| (gap - mean).powi(2)).sum();
        let sd = (gaps.len() > 1)
            .then(|| Duration::from_secs_f64((squares / (gaps.len() - 1) as f64).sqrt()));
        Some((Duration::from_secs_f64(mean), sd))
    }

    /// `(N - 1) / (l - f)`, tokens per second.
    pub(super) fn decode_rate(&self) -> Option<f64> {
        self.tpot().map(|(mean, _)| 1.0 / mean.as_secs_f64())
    }

    /// Send to the end of the stream, or to the last token of one that was broken off.
    pub(super) fn total(&self) -> Option<Duration> {
        self.finished.or(self.tokens.last().copied()).map(|end| end - self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_backend::{Backend, GenerateRequest, MockBackend};

    #[test]
    fn figures_of_a_known_clock() {
        let mock = MockBackend::new(Duration::from_millis(2), Duration::from_millis(5));
        let request =
            GenerateRequest { prompt: vec![1; 50], max_tokens: 5, ..GenerateRequest::default() };
        let mut timings = None;
        for event in mock.generate(request) {
            if let Event::Queued { at } = event {
                timings = Some(Timings::new(at, 50));
            }
            timings.as_mut().unwrap().observe(&event);
        }
        let t = timings.unwrap();
        assert_eq!(t.ttft(), Some(Duration::from_millis(100)));
        assert!((t.prefill_rate().unwrap() - 500.0).abs() < 1e-6);
        assert_eq!(t.tpot(), Some((Duration::from_millis(5), Some(Duration::ZERO))));
        assert!((t.decode_rate().unwrap() - 200.0).abs() < 1e-6);
        assert_eq!(t.total(), Some(Duration::from_millis(120)));
    }

    #[test]
    fn what_cannot_be_known_is_absent() {
        let t = Timings::new(Instant::now(), 3);
        assert!(
            t.ttft().is_none()
                && t.prefill_rate().is_none()
                && t.tpot().is_none()
                && t.total().is_none()
        );
    }
}
