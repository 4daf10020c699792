//! One request of those that an engine beside this process computes: what has come of it, its text, and
//! whether it has ended.

use super::SideBackend;
use crate::generation::StopTexts;
use pacemark_backend::{
    BackendError, Event, FinishReason, GenerateRequest, Phases, TokenId, Usage,
};
use pacemark_side::protocol;
use pacemark_tokenizer::{DecodeOptions, Detokenizer, Tokenizer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request under way.
pub(super) struct Under {
    /// Its place among those of the caller.
    pub(super) index: usize,
    request: GenerateRequest,
    /// Tokens that end it.
    ends: Vec<TokenId>,
    detokenizer: Option<Detokenizer<Arc<Tokenizer>>>,
    stop_texts: StopTexts,
    /// When what is known was known: stamps never go back, however the clocks differ.
    last: Instant,
    started: Option<Instant>,
    first_token: Option<Instant>,
    cached: usize,
    n_tokens: usize,
    finished: Option<FinishReason>,
    /// Time spent on text, which is this side's.
    detokenize: Duration,
}

impl Under {
    /// One that was checked.
    pub(super) fn new(backend: &SideBackend, index: usize, request: GenerateRequest) -> Under {
        let options = DecodeOptions { special: false, start_of_text: false };
        let tokenizer = backend.tokenizer.clone();
        let ends = if request.ignore_eos { Vec::new() } else { backend.ends.clone() };
        Under {
            index,
            ends,
            detokenizer: tokenizer.map(|tokenizer| Detokenizer::new(tokenizer, options)),
            stop_texts: StopTexts::new(&request.stop),
            request,
            last: Instant::now(),
            started: None,
            first_token: None,
            cached: 0,
            n_tokens: 0,
            finished: None,
            detokenize: Duration::ZERO,
        }
    }

    /// As the engine is asked.
    pub(super) fn asked(&self) -> protocol::Request {
        let request = &self.request;
        let sampling = &request.sampling;
        let stops = request.stop_tokens.iter().chain(&self.ends).copied();
        protocol::Request {
            prompt: request.prompt.clone(),
            max_tokens: request.max_tokens,
            ignore_eos: request.ignore_eos,
            min_tokens: request.min_tokens,
            stop_tokens: stops.collect(),
            temperature: sampling.temperature,
            top_k: sampling.top_k,
            top_p: sampling.top_p,
            seed: sampling.seed,
            top_logprobs: request.top_logprobs,
        }
    }

    /// A moment, not before the last one.
    fn at(&mut self, at: Instant) -> Instant {
        self.last = at.max(self.last);
        self.last
    }

    pub(super) fn queued(&self) -> Event {
        Event::Queued { at: self.last }
    }

    pub(super) fn start(&mut self, at: Instant, cached: usize) -> Event {
        let at = self.at(at);
        (self.started, self.cached) = (Some(at), cached);
        Event::Started { at, cached_tokens: cached }
    }

    /// A token; `None` where one comes after the last.
    pub(super) fn token(
        &mut self,
        at: Instant,
        id: TokenId,
        logprob: Option<f32>,
        top: Vec<(TokenId, f32)>,
    ) -> Option<Event> {
        if self.finished.is_some() {
            return None;
        }
        let at = self.at(at);
        self.first_token.get_or_insert(at);
        self.n_tokens += 1;
        let ends = self.ends.contains(&id);
        let before_text = Instant::now();
        let mut text = String::new();
        // An end is no text, and an id beyond the tokenizer has none.
        if let Some(detokenizer) = self.detokenizer.as_mut().filter(|_| !ends) {
            text += detokenizer.push(id).unwrap_or_default();
        }
        let mut stopped = false;
        if self.n_tokens >= self.request.min_tokens {
            (text, stopped) = self.stop_texts.push(&text);
        }
        let is_stop = stopped || ends || self.request.stop_tokens.contains(&id);
        self.finished = match is_stop {
            true => Some(FinishReason::Stop),
            false => (self.n_tokens >= self.request.max_tokens).then_some(FinishReason::Length),
        };
        let last = self.finished.is_some();
        if last && !stopped {
            text += &self.rest();
        }
        self.detokenize += before_text.elapsed();
        Some(Event::Token { id, text, logprob, top, last, at })
    }

    /// Text that was held back when the output ends.
    fn rest(&mut self) -> String {
        let Some(detokenizer) = self.detokenizer.take() else { return String::new() };
        let (text, stopped) = self.stop_texts.push(&detokenizer.finish());
        if stopped { text } else { text + &self.stop_texts.finish() }
    }

    /// Whether it has been stopped, by what the engine may not know or obey: it is told.
    pub(super) fn is_cut(&self) -> bool {
        self.finished == Some(FinishReason::Stop)
    }

    /// Its end, as the engine told it.
    pub(super) fn finish(&mut self, at: Instant) -> Event {
        let at = self.at(at);
        let wanted = self.request.max_tokens;
        if self.finished.is_none() && self.request.ignore_eos && self.n_tokens < wanted {
            let n = self.n_tokens;
            let what = format!("the engine ended after {n} tokens, expected {wanted} (ignore_eos)");
            return Event::Failed(BackendError::Engine(what));
        }
        let started = self.started.unwrap_or(at);
        let first = self.first_token.unwrap_or(at);
        let phases = Phases {
            prefill: first.saturating_duration_since(started),
            decode: at.saturating_duration_since(first),
            sample: Duration::ZERO,
            detokenize: self.detokenize,
        };
        let usage = Usage {
            prompt_tokens: self.request.prompt.len(),
            cached_tokens: self.cached,
            output_tokens: self.n_tokens,
            kv: None,
        };
        // An end that this side does not know is the model's all the same.
        let early = || if wanted == 0 { FinishReason::Length } else { FinishReason::Stop };
        let reason = self.finished.unwrap_or_else(early);
        Event::Finished { reason, usage, phases, at }
    }
}
