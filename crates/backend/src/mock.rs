//! A backend without a model: fixed times per token on a virtual clock, for tests of everything
//! above the seam.

use crate::{
    Backend, BackendError, BackendInfo, BatchStream, Capabilities, Event, EventStream,
    FinishReason, GenerateRequest, MemoryUsage, Phases, TokenId, Usage,
};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// Generates `prompt.len() + i` as token `i`, at exactly the times it is told. No time really
/// passes: stamps come from a virtual clock that only this backend advances.
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
        MockBackend {
            prefill_per_token,
            per_token,
            n_ctx: 4096,
            logprob: -2.0,
            clock,
            kept: RefCell::default(),
        }
    }

    fn advance(&self, by: Duration) -> Instant {
        self.clock.set(self.clock.get() + by);
        self.clock.get()
    }

    /// Why the request cannot be served.
    fn refusal(&self, request: &GenerateRequest) -> Option<BackendError> {
        let (prompt, max_tokens, n_ctx) = (request.prompt.len(), request.max_tokens, self.n_ctx);
        if prompt == 0 {
            return Some(BackendError::InvalidRequest("the prompt is empty".into()));
        }
        if request.has_policy() {
            let (backend, ability) = ("the mock", "let go of keys and values");
            return Some(BackendError::Unsupported { backend, ability: ability.into() });
        }
        (prompt + max_tokens > n_ctx).then_some(BackendError::ContextExceeded {
            prompt,
            max_tokens,
            n_ctx,
        })
    }

    /// Output token `i` of `request`.
    fn token(&self, request: &GenerateRequest, i: usize, at: Instant) -> Event {
        let n_top = request.top_logprobs.unwrap_or(0);
        Event::Token {
            id: ((request.prompt.len() + i) % 1000) as TokenId,
            text: format!(" {i}"),
            logprob: request.top_logprobs.map(|_| self.logprob),
            top: (0..n_top).map(|k| (k as TokenId, self.logprob - k as f32)).collect(),
            last: i + 1 == request.max_tokens,
            at,
        }
    }
}

impl Backend for MockBackend {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            backend: "mock".into(),
            device: "mock".into(),
            engine: "mock".into(),
            isa: "none".into(),
            model_path: "mock.gguf".into(),
            model_type: "mock 1M F32".into(),
            model_bytes: 4_000_000,
            model_params: 1_000_000,
            bytes_per_token: 4_000_000,
            kv_bytes_per_token: 64,
            vocab_size: 1000,
            n_ctx: self.n_ctx,
            n_seqs: 64,
            n_threads: 1,
            ..BackendInfo::default()
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            score: true,
            logits: false,
            logprobs: true,
            prefix_reuse: true,
            batch: true,
            ..Capabilities::default()
        }
    }

    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        if let Some(error) = self.refusal(&request) {
            return Box::new(std::iter::once(Event::Failed(error)));
        }
        let prompt = request.prompt.len();
        let mut cached = 0;
        if request.reuse_prefix {
            let kept = self.kept.replace(request.prompt.clone());
            let same = kept.iter().zip(&request.prompt).take_while(|(a, b)| a == b).count();
            cached = same.min(prompt - 1);
        }
        let prefill = self.prefill_per_token * (prompt - cached) as u32;
        let decode = self.per_token * request.max_tokens.saturating_sub(1) as u32;
        let usage = Usage {
            prompt_tokens: prompt,
            cached_tokens: cached,
            output_tokens: request.max_tokens,
            kv: None,
        };
        let opening = [
            Event::Queued { at: self.clock.get() },
            Event::Started { at: self.clock.get(), cached_tokens: cached },
        ];
        let tokens = (0..request.max_tokens).map(move |i| {
            self.token(&request, i, self.advance(if i == 0 { prefill } else { self.per_token }))
        });
        let closing = std::iter::once_with(move || Event::Finished {
            reason: FinishReason::Length,
            usage,
            phases: Phases { prefill, decode, ..Phases::default() },
            at: self.advance(if usage.output_tokens == 0 { prefill } else { Duration::ZERO }),
        });
        Box::new(opening.into_iter().chain(tokens).chain(closing))
    }

    /// All prompts one after the other, then a token of each in [`Self::per_token`], however many
    /// they are.
    fn generate_batch(&self, requests: Vec<GenerateRequest>) -> BatchStream<'_> {
        let mut events = Vec::new();
        let mut accepted = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            match self.refusal(request) {
                Some(error) => events.push((index, Event::Failed(error))),
                None => accepted.push((index, request)),
            }
        }
        for &(index, _) in &accepted {
            let at = self.clock.get();
            events.extend([
                (index, Event::Queued { at }),
                (index, Event::Started { at, cached_tokens: 0 }),
            ]);
        }
        let prompts: usize = accepted.iter().map(|(_, request)| request.prompt.len()).sum();
        self.advance(self.prefill_per_token * prompts as u32);
        let longest = accepted.iter().map(|(_, request)| request.max_tokens).max().unwrap_or(0);
        for i in 0..=longest {
            let at = if i == 0 || i == longest {
                self.clock.get()
            } else {
                self.advance(self.per_token)
            };
            for &(index, request) in &accepted {
                if i < request.max_tokens {
                    events.push((index, self.token(request, i, at)));
                }
                if i == request.max_tokens {
                    let (prompt_tokens, output_tokens) = (request.prompt.len(), request.max_tokens);
                    let usage = Usage { prompt_tokens, output_tokens, ..Usage::default() };
                    let (reason, phases) = (FinishReason::Length, Phases::default());
                    events.push((index, Event::Finished { reason, usage, phases, at }));
                }
            }
        }
        Box::new(events.into_iter())
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
        let request =
            GenerateRequest { prompt: vec![1; 8], max_tokens: 3, ..GenerateRequest::default() };
        let events: Vec<Event> = mock.generate(request).collect();
        let Event::Started { at: started, .. } = events[1] else { panic!("{events:?}") };
        let Event::Token { at: last, .. } = events[4] else { panic!("{events:?}") };
        assert_eq!(last - started, Duration::from_millis(8 + 10));
    }
}
