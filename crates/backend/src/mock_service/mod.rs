//! A service without a model: tokens by the clock, for tests of everything above the seam and for
//! calibrating clients.
//!
//! Token `i` of a request is due exactly `ttft + n_prompt · per_prompt_token + i · itl` after the
//! request's turn has come (with [`MockOptions::max_num_seqs`] unset: after it was submitted),
//! whatever came late before it, so that the clock never drifts. Events are stamped with the time
//! that they are due; how much later they are delivered depends on the system's timer (some 60 µs
//! on Linux) and load.

mod clock;
mod stream;
mod text;

pub use text::MockText;

use crate::{
    BackendError, BackendInfo, Capabilities, EmbeddingSink, Event, GenerateRequest, Pooling,
    Service, ServiceStatus, Sink, Text, Ticket, TokenId,
};
use clock::Clock;
use std::sync::Arc;
use std::time::Duration;
use stream::Stream;

/// How the mock behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct MockOptions {
    /// From a request's turn to its first token.
    pub ttft: Duration,
    /// From a token to the next.
    pub itl: Duration,
    /// Added to `ttft` for each token of the prompt.
    pub per_prompt_token: Duration,
    /// Longest sequence.
    pub n_ctx: usize,
    /// Requests that are served at once, others wait; 0 for no bound.
    pub max_num_seqs: usize,
    /// What every request is answered with before the end-of-sequence token. Without one, answers
    /// are made-up words and end at `max_tokens` only.
    pub answer: Option<String>,
    /// Take [`GenerateRequest::constraint`]s, which the answer is then taken to keep to.
    pub constraints: bool,
    /// What [`Text::tool_template`] gives; the mock's own prompts are always one line a message.
    pub template: Option<String>,
    /// What every request and every embedding is refused with.
    pub refusal: Option<BackendError>,
    /// Each request fails instead of giving its token of this index.
    pub fails_at: Option<usize>,
    /// With this.
    pub failure: BackendError,
}

impl Default for MockOptions {
    fn default() -> Self {
        MockOptions {
            ttft: Duration::from_millis(50),
            itl: Duration::from_millis(10),
            per_prompt_token: Duration::ZERO,
            n_ctx: 8192,
            max_num_seqs: 0,
            answer: None,
            constraints: false,
            template: None,
            refusal: None,
            fails_at: None,
            failure: BackendError::Engine("the mock was told to fail here".into()),
        }
    }
}

/// The mock; dropping it ends its thread and with it all streams.
pub struct MockService {
    options: MockOptions,
    text: MockText,
    answer: Option<Arc<[TokenId]>>,
    clock: Clock,
}

impl MockService {
    /// Starts the mock's thread.
    pub fn new(options: MockOptions) -> std::io::Result<MockService> {
        let text = MockText { template: options.template.clone() };
        let answer = options.answer.as_ref().map(|answer| text.encode(answer, false).into());
        let clock = Clock::start(options.max_num_seqs)?;
        Ok(MockService { options, text, answer, clock })
    }

    /// Why the request cannot be served.
    fn refusal(&self, request: &GenerateRequest) -> Option<BackendError> {
        if let Some(error) = &self.options.refusal {
            return Some(error.clone());
        }
        let (prompt, max_tokens, n_ctx) =
            (request.prompt.len(), request.max_tokens, self.options.n_ctx);
        if prompt == 0 {
            return Some(BackendError::InvalidRequest("the prompt is empty".into()));
        }
        if request.constraint.is_some() && !self.options.constraints {
            return Some(BackendError::Unsupported {
                backend: "mock",
                ability: "constrain its output".into(),
            });
        }
        let fits = prompt.checked_add(max_tokens).is_some_and(|n| n <= n_ctx);
        (!fits).then_some(BackendError::ContextExceeded { prompt, max_tokens, n_ctx })
    }
}

impl Service for MockService {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            backend: "mock".into(),
            device: "mock".into(),
            engine: "mock".into(),
            isa: "none".into(),
            model_path: "mock".into(),
            model_type: "mock".into(),
            vocab_size: text::VOCABULARY as usize,
            n_ctx: self.options.n_ctx,
            n_seqs: if self.options.max_num_seqs == 0 {
                1 << 16
            } else {
                self.options.max_num_seqs
            },
            n_threads: 1,
            ..BackendInfo::default()
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            logprobs: true,
            batch: true,
            embeddings: true,
            constraints: self.options.constraints,
            ..Capabilities::default()
        }
    }

    fn text(&self) -> Option<&dyn Text> {
        Some(&self.text)
    }

    fn add_bell(&self, bell: std::sync::Weak<crate::Bell>) {
        self.clock.bells.add(bell);
    }

    fn submit(&self, request: GenerateRequest, mut sink: Sink) -> Ticket {
        if let Some(error) = self.refusal(&request) {
            sink(Event::Failed(error));
            return Ticket::default();
        }
        let first = self.options.ttft + self.options.per_prompt_token * request.prompt.len() as u32;
        self.clock.submit(Stream::new(
            request,
            self.answer.clone(),
            self.options.fails_at.map(|at| (at, self.options.failure.clone())),
            first,
            self.options.itl,
            sink,
        ))
    }

    /// Four numbers that depend on the prompt and the pooling alone.
    fn embed(&self, prompt: Vec<TokenId>, pooling: Option<Pooling>, sink: EmbeddingSink) -> Ticket {
        let request = GenerateRequest { prompt, ..GenerateRequest::default() };
        if let Some(error) = self.refusal(&request) {
            sink(Err(error));
            return Ticket::default();
        }
        let prompt = request.prompt;
        let last = prompt[prompt.len() - 1] as f32;
        let mean = prompt.iter().map(|id| *id as f32).sum::<f32>() / prompt.len() as f32;
        let pooled = match pooling.unwrap_or_default() {
            Pooling::Mean => mean,
            Pooling::Cls => prompt[0] as f32,
            Pooling::Last => last,
        };
        let norm = (pooled * pooled + 3.0).sqrt();
        sink(Ok(vec![pooled / norm, 1.0 / norm, -1.0 / norm, 1.0 / norm]));
        Ticket::default()
    }

    fn status(&self) -> ServiceStatus {
        self.clock.counters.read()
    }
}

#[cfg(test)]
mod tests;
