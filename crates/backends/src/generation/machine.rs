//! What one request goes through, whoever drives it: it is checked, begins, its prompt is computed
//! in parts, tokens are chosen, it ends. The machine makes the events that tell of it and keeps the
//! counts and times that the last one carries.
//!
//! Which tokens are computed when, and where events go, is left to the drivers: [`super::stream`]
//! and the native service's worker.

use super::check::Limits;
use super::constraint::Grammars;
use super::writer::{Chosen, Writer};
use super::{Kept, same_tokens};
use pacemark_backend::{
    BackendError, Event, FinishReason, GenerateRequest, KvHeld, Phases, TokenId, Usage,
};
use pacemark_engine::{Policy, TokenLogprobs};
use pacemark_tokenizer::Tokenizer;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// On what terms requests are served; shared by all of a model.
#[derive(Clone)]
pub(crate) struct Terms {
    pub tokenizer: Option<Arc<Tokenizer>>,
    pub grammars: Arc<Grammars>,
    pub limits: Limits,
}

impl Terms {
    /// The machine of `request`, or why it cannot be served.
    pub(crate) fn begin(&self, request: GenerateRequest) -> Result<Machine, BackendError> {
        let policy = self.limits.policy(request.kv.as_deref())?;
        self.limits.check(&request, policy.as_ref())?;
        let writer = Writer::new(&request, self.tokenizer.as_ref(), &self.grammars)?;
        let (prefill, decode) = (Duration::ZERO, Duration::ZERO);
        Ok(Machine { request, policy, writer, cached_tokens: None, prefill, decode })
    }
}

/// What a sequence keeps of its keys and values, where not all.
#[derive(Clone)]
pub(crate) struct Keeping {
    pub policy: Policy,
    /// How many of its first tokens are a prompt.
    pub n_prompt: Option<usize>,
}

/// One request under way.
pub(crate) struct Machine {
    request: GenerateRequest,
    policy: Option<Policy>,
    writer: Writer,
    /// `None` before it starts.
    cached_tokens: Option<usize>,
    /// Of steps in which it had part; all of each step's time counts.
    prefill: Duration,
    decode: Duration,
}

impl Machine {
    /// What was asked.
    pub(crate) fn request(&self) -> &GenerateRequest {
        &self.request
    }

    /// What of its keys and values is kept, and how long its prompt is.
    pub(crate) fn keeping(&self) -> Option<Keeping> {
        let policy = self.policy.clone()?;
        Some(Keeping { policy, n_prompt: Some(self.request.n_kv_prompt()) })
    }

    /// Whether a kept sequence is of any use. What a policy has let go of is gone, so under one the
    /// prompt must go on where the sequence ends; and what it lets go of must not depend on where
    /// the prompt ends.
    pub(crate) fn can_continue<S>(&self, kept: &Kept<S>) -> bool {
        match &self.policy {
            None => kept.kv.is_none(),
            Some(policy) => {
                let (prompt, tokens) = (&self.request.prompt, &kept.tokens);
                kept.kv == self.request.kv
                    && !policy.works_on_prompts()
                    && tokens.len() < prompt.len()
                    && same_tokens(tokens, prompt) == tokens.len()
            }
        }
    }

    /// Whether nothing was generated yet.
    pub(crate) fn in_prompt(&self) -> bool {
        self.writer.n_tokens() == 0
    }

    /// Whether only the prompt is to be computed, and no logits are wanted.
    pub(crate) fn is_prompt_only(&self) -> bool {
        self.request.max_tokens == 0
    }

    /// Tokens generated so far.
    pub(crate) fn n_tokens(&self) -> usize {
        self.writer.n_tokens()
    }

    /// Tokens that may still come.
    pub(crate) fn n_left(&self) -> usize {
        self.request.max_tokens - self.writer.n_tokens()
    }

    /// The first step begins, `cached_tokens` of the prompt being there. Another start, after the
    /// loss of its blocks, is not told.
    pub(crate) fn start(&mut self, at: Instant, cached_tokens: usize) -> Option<Event> {
        if self.cached_tokens.is_some() {
            return None;
        }
        self.cached_tokens = Some(cached_tokens);
        Some(Event::Started { at, cached_tokens })
    }

    /// A step in which it had part took so long.
    pub(crate) fn took(&mut self, time: Duration) {
        *(if self.in_prompt() { &mut self.prefill } else { &mut self.decode }) += time;
    }

    /// `computed` of its tokens are computed; told while that is a part of the prompt.
    pub(crate) fn progress(&self, computed: usize, at: Instant) -> Option<Event> {
        let of = self.request.prompt.len();
        (computed < of).then_some(Event::Prefill { computed, of, at })
    }

    /// Chooses the next token from the model's `logits`; `logprobs(logits, chosen, n_top)` tells
    /// their log-probabilities.
    pub(crate) fn choose(
        &mut self,
        logits: &[f32],
        logprobs: impl FnOnce(&[f32], TokenId, usize) -> TokenLogprobs,
    ) -> Result<Chosen, BackendError> {
        self.writer.choose(logits, logprobs)
    }

    /// The last event.
    pub(crate) fn finish(&self, reason: FinishReason, at: Instant, kv: Option<KvHeld>) -> Event {
        let usage = Usage {
            prompt_tokens: self.request.prompt.len(),
            cached_tokens: self.cached_tokens.unwrap_or(0),
            output_tokens: self.writer.n_tokens(),
            kv,
        };
        let phases = Phases {
            prefill: self.prefill,
            decode: self.decode,
            sample: self.writer.sample,
            detokenize: self.writer.detokenize,
        };
        Event::Finished { reason, usage, phases, at }
    }
}
