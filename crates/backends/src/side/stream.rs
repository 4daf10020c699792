//! One request's events, out of what a process tells.

use super::{COMPUTE, SideBackend, error};
use pacemark_backend::{BackendError, Event, FinishReason, GenerateRequest, Phases, Usage};
use pacemark_side::protocol::{Ask, Request, Tell};
use pacemark_tokenizer::{DecodeOptions, Detokenizer, Tokenizer};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) struct Stream<'a> {
    backend: &'a SideBackend,
    id: u64,
    request: GenerateRequest,
    queued: Option<Instant>,
    detokenizer: Option<Detokenizer<Arc<Tokenizer>>>,
    /// When what is known was known: stamps never go back, however the clocks differ.
    last: Instant,
    started: Option<Instant>,
    first_token: Option<Instant>,
    cached: usize,
    n_tokens: usize,
    is_over: bool,
}

impl<'a> Stream<'a> {
    /// Of a request that was checked.
    pub(super) fn new(backend: &'a SideBackend, request: GenerateRequest) -> Stream<'a> {
        backend.is_busy.set(true);
        let now = Instant::now();
        let options = DecodeOptions { special: false, start_of_text: false };
        let tokenizer = backend.tokenizer.clone();
        Stream {
            backend,
            id: backend.id(),
            request,
            queued: Some(now),
            detokenizer: tokenizer.map(|tokenizer| Detokenizer::new(tokenizer, options)),
            last: now,
            started: None,
            first_token: None,
            cached: 0,
            n_tokens: 0,
            is_over: false,
        }
    }

    fn ask(&self) -> Result<(), BackendError> {
        let GenerateRequest { prompt, max_tokens, ignore_eos, min_tokens, stop_tokens, .. } =
            &self.request;
        let sampling = &self.request.sampling;
        let request = Request {
            prompt: prompt.clone(),
            max_tokens: *max_tokens,
            ignore_eos: *ignore_eos,
            min_tokens: *min_tokens,
            stop_tokens: stop_tokens.clone(),
            temperature: sampling.temperature,
            top_k: sampling.top_k,
            top_p: sampling.top_p,
            seed: sampling.seed,
            top_logprobs: self.request.top_logprobs,
        };
        let ask = Ask::Generate { id: self.id, requests: vec![request] };
        self.backend.process.borrow_mut().ask(&ask).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> BackendError {
        BackendError::Engine(format!("{}: {error}", self.backend.engine.name))
    }

    /// A moment of the engine's, not before the last one.
    fn at(&mut self, ns: u64) -> Instant {
        self.last = self.backend.clock.ours(ns).max(self.last);
        self.last
    }

    fn over(&mut self, event: Event) -> Event {
        self.is_over = true;
        self.backend.is_busy.set(false);
        event
    }

    fn token(&mut self, ns: u64, id: u32, logprob: Option<f32>, top: Vec<(u32, f32)>) -> Event {
        let at = self.at(ns);
        self.first_token.get_or_insert(at);
        self.n_tokens += 1;
        let tokenizer = self.backend.tokenizer.as_ref();
        let ends =
            !self.request.ignore_eos && tokenizer.is_some_and(|t| t.is_end_of_generation(id));
        let last = ends
            || self.n_tokens == self.request.max_tokens
            || self.request.stop_tokens.contains(&id);
        let mut text = String::new();
        if let Some(detokenizer) = self.detokenizer.as_mut().filter(|_| !ends) {
            text += detokenizer.push(id).unwrap_or_default();
        }
        if let Some(detokenizer) = self.detokenizer.as_mut().filter(|_| last) {
            text += &detokenizer.finish();
        }
        Event::Token { id, text, logprob, top, last, at }
    }

    fn finished(&mut self, ns: u64, stopped: bool) -> Event {
        let at = self.at(ns);
        let started = self.started.unwrap_or(at);
        let first = self.first_token.unwrap_or(at);
        let phases = Phases {
            prefill: first.saturating_duration_since(started),
            decode: at.saturating_duration_since(first),
            sample: Duration::ZERO,
            detokenize: Duration::ZERO,
        };
        let usage = Usage {
            prompt_tokens: self.request.prompt.len(),
            cached_tokens: self.cached,
            output_tokens: self.n_tokens,
            kv: None,
        };
        let reason = if stopped { FinishReason::Stop } else { FinishReason::Length };
        self.over(Event::Finished { reason, usage, phases, at })
    }
}

impl Iterator for Stream<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        if let Some(at) = self.queued.take() {
            if let Err(error) = self.ask() {
                return Some(self.over(Event::Failed(error)));
            }
            return Some(Event::Queued { at });
        }
        loop {
            let told = self.backend.process.borrow_mut().next(COMPUTE);
            let event = match told {
                Ok(Tell::Started { id, ns, cached, .. }) if id == self.id => {
                    let at = self.at(ns);
                    (self.started, self.cached) = (Some(at), cached);
                    Event::Started { at, cached_tokens: cached }
                }
                Ok(Tell::Token { id, ns, token, logprob, top, .. }) if id == self.id => {
                    self.token(ns, token, logprob, top)
                }
                Ok(Tell::Finished { id, ns, stopped, .. }) if id == self.id => {
                    self.finished(ns, stopped)
                }
                Ok(Tell::Failed { id, kind, message, .. }) if id == self.id => {
                    let error = error(kind, message, self.backend.engine.name);
                    self.over(Event::Failed(error))
                }
                // Of what was aborted before.
                Ok(_) => continue,
                Err(error) => {
                    let error = self.failed(&error);
                    self.over(Event::Failed(error))
                }
            };
            return Some(event);
        }
    }
}

impl Drop for Stream<'_> {
    /// What is told of it after that is passed over by the next.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.backend.is_busy.set(false);
        if self.queued.is_none() {
            // An error shows with the next request.
            let _ = self.backend.process.borrow_mut().ask(&Ask::Abort { id: self.id });
        }
    }
}
