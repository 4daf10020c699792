//! A backend without a model: fixed times per token on a virtual clock, for tests of everything above the seam.

use crate::{
    Backend, BackendError, BackendInfo, Capabilities, Event, EventStream, FinishReason, GenerateRequest, MemoryUsage,
    Phases, TokenId, Usage,
};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// Generates `prompt.len() + i` as token `i`, at exactly the times it is told. No time really passes: stamps come from a
/// virtual clock that only this backend advances.
pub struct MockBackend {
    /// Time for one prompt token.
    pub prefill_per_token: Duration,
    /// Time for one generated token after the first.
    pub per_token: Duration,
    /// Longest sequence.
    pub n_ctx: usize,
    /// Every score.
    pub logprob: f32,
    clock: Cell<Instant>,
    /// Prompt of the last request that asked to keep its KV.
    kept: RefCell<Vec<TokenId>>,
}

impl MockBackend {
    /// A mock that takes `prefill_per_token` and `per_token`, with a context of 4096.
    pub fn new(prefill_per_token: Duration, per_token: Duration) -> Self {
        let clock = Cell::new(Instant::now());
        MockBackend { prefill_per_token, per_token, n_ctx: 4096, logprob: -2.0, clock, kept: RefCell::default() }
    }

    fn advance(&self, by: Duration) -> Instant {
        self.clock.set(self.clock.get() + by);
        self.clock.get()
    }
}

impl Backend for MockBackend {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            backend: "mock".into(),
            device: "mock".into(),
            isa: "none".into(),
            model_path: "mock.gguf".into(),
            model_type: "mock 1M F32".into(),
            model_bytes: 4_000_000,
            model_params: 1_000_000,
            bytes_per_token: 4_000_000,
            kv_bytes_per_token: 64,
            vocab_size: 1000,
            n_ctx: self.n_ctx,
            n_threads: 1,
            ..BackendInfo::default()
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { score: true, logprobs: true, prefix_reuse: true }
    }

    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        let prompt = request.prompt.len();
        if prompt == 0 {
            let error = BackendError::InvalidRequest("the prompt is empty".into());
            return Box::new(std::iter::once(Event::Failed(error)));
        }
        if prompt + request.max_tokens > self.n_ctx {
            let error = BackendError::ContextExceeded { prompt, max_tokens: request.max_tokens, n_ctx: self.n_ctx };
            return Box::new(std::iter::once(Event::Failed(error)));
        }
        let mut cached = 0;
        if request.reuse_prefix {
            let kept = self.kept.replace(request.prompt.clone());
            let same = kept.iter().zip(&request.prompt).take_while(|(a, b)| a == b).count();
            cached = same.min(prompt - 1);
        }
        let prefill = self.prefill_per_token * (prompt - cached) as u32;
        let decode = self.per_token * request.max_tokens.saturating_sub(1) as u32;
        let usage = Usage { prompt_tokens: prompt, cached_tokens: cached, output_tokens: request.max_tokens };
        let opening =
            [Event::Queued { at: self.clock.get() }, Event::Started { at: self.clock.get(), cached_tokens: cached }];
        let tokens = (0..request.max_tokens).map(move |i| Event::Token {
            id: ((prompt + i) % 1000) as TokenId,
            text: format!(" {i}"),
            logprob: request.top_logprobs.map(|_| self.logprob),
            top: (0..request.top_logprobs.unwrap_or(0)).map(|k| (k as TokenId, self.logprob - k as f32)).collect(),
            at: self.advance(if i == 0 { prefill } else { self.per_token }),
        });
        let closing = std::iter::once_with(move || Event::Finished {
            reason: FinishReason::Length,
            text: String::new(),
            usage,
            phases: Phases { prefill, decode, ..Phases::default() },
            at: self.advance(if usage.output_tokens == 0 { prefill } else { Duration::ZERO }),
        });
        Box::new(opening.into_iter().chain(tokens).chain(closing))
    }

    fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
        self.advance(self.prefill_per_token * tokens.len() as u32);
        Ok(vec![self.logprob; tokens.len().saturating_sub(first + 1)])
    }

    fn memory(&self) -> Option<MemoryUsage> {
        Some(MemoryUsage { model_bytes: 4_000_000, kv_allocated_bytes: 262_144, kv_used_bytes: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mock_itself_conforms() {
        let mock = MockBackend::new(Duration::from_micros(10), Duration::from_millis(1));
        crate::conformance::check(&mock).unwrap();
    }

    #[test]
    fn its_clock_is_exact() {
        let mock = MockBackend::new(Duration::from_millis(1), Duration::from_millis(5));
        let request = GenerateRequest { prompt: vec![1; 8], max_tokens: 3, ..GenerateRequest::default() };
        let events: Vec<Event> = mock.generate(request).collect();
        let Event::Started { at: started, .. } = events[1] else { panic!("{events:?}") };
        let Event::Token { at: last, .. } = events[4] else { panic!("{events:?}") };
        assert_eq!(last - started, Duration::from_millis(8 + 10));
    }
}
