//! One request of the mock: what it says at each of its deadlines.

use super::text::{END, MockText, word};
use crate::{
    BackendError, Event, FinishReason, GenerateRequest, Phases, Sink, Text, TokenId, Usage,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Log-probability of every token; alternatives have one less each.
const LOGPROB: f32 = -2.0;

/// A request under way.
pub(super) struct Stream {
    request: GenerateRequest,
    answer: Option<Arc<[TokenId]>>,
    /// Fails in place of its token of this index, with this.
    fails: Option<(usize, BackendError)>,
    /// From its turn to its first token.
    first: Duration,
    /// Between tokens.
    itl: Duration,
    sink: Sink,
    started: Instant,
    n_tokens: usize,
    /// Bytes generated that are not certain yet: a part of a character, or what may become a stop
    /// text.
    held: Vec<u8>,
    ended: Option<FinishReason>,
}

impl Stream {
    /// A request that waits for its turn.
    pub(super) fn new(
        request: GenerateRequest,
        answer: Option<Arc<[TokenId]>>,
        fails: Option<(usize, BackendError)>,
        first: Duration,
        itl: Duration,
        sink: Sink,
    ) -> Stream {
        let started = Instant::now();
        Stream {
            request,
            answer,
            fails,
            first,
            itl,
            sink,
            started,
            n_tokens: 0,
            held: Vec::new(),
            ended: None,
        }
    }

    /// It was accepted.
    pub(super) fn queue(&mut self, at: Instant) {
        (self.sink)(Event::Queued { at });
    }

    /// Its turn has come; gives when its first token is due.
    pub(super) fn start(&mut self, at: Instant) -> Instant {
        self.started = at;
        (self.sink)(Event::Started { at, cached_tokens: 0 });
        at + self.first
    }

    /// Tokens of the prompt.
    pub(super) fn prompt_tokens(&self) -> usize {
        self.request.prompt.len()
    }

    /// Tokens generated so far.
    pub(super) fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// What is due at `at`, one of its deadlines; gives the next, or `None` when it has ended.
    pub(super) fn step(&mut self, at: Instant) -> Option<Instant> {
        if self.n_tokens < self.request.max_tokens {
            if let Some((_, error)) = self.fails.take_if(|(at, _)| *at == self.n_tokens) {
                (self.sink)(Event::Failed(error));
                return None;
            }
            self.token(at);
            if self.ended.is_none() && self.n_tokens < self.request.max_tokens {
                return Some(self.started + self.first + self.itl * self.n_tokens as u32);
            }
        }
        self.finish(at);
        None
    }

    /// Token `i`: the next of the answer, then ends of sequence; or a word that depends on prompt,
    /// seed and `i`.
    fn id(&self, i: usize) -> TokenId {
        match &self.answer {
            Some(answer) => answer.get(i).copied().unwrap_or(END),
            None => word(
                (self.request.prompt.len() as u64)
                    .wrapping_add(self.request.sampling.seed)
                    .wrapping_add(i as u64) as TokenId,
            ),
        }
    }

    fn token(&mut self, at: Instant) {
        let id = self.id(self.n_tokens);
        self.n_tokens += 1;
        self.held.extend(MockText::default().token_bytes(id).unwrap_or_default());
        let may_end = self.n_tokens > self.request.min_tokens;
        let eos = id == END && !self.request.ignore_eos;
        if may_end && (eos || self.request.stop_tokens.contains(&id)) {
            self.ended = Some(FinishReason::Stop);
        }
        let mut text = self.certain_text();
        let last = self.ended.is_some() || self.n_tokens == self.request.max_tokens;
        if last {
            text += &String::from_utf8_lossy(&std::mem::take(&mut self.held));
        }
        let n_top = self.request.top_logprobs.unwrap_or(0);
        (self.sink)(Event::Token {
            id,
            text,
            logprob: self.request.top_logprobs.map(|_| LOGPROB),
            top: (0..n_top)
                .map(|k| (if k == 0 { id } else { word(k as TokenId) }, LOGPROB - k as f32))
                .collect(),
            last,
            at,
        });
    }

    /// Takes from what is held all that is whole characters and cannot become a stop text.
    fn certain_text(&mut self) -> String {
        let found =
            |stop: &String| self.held.windows(stop.len()).position(|w| w == stop.as_bytes());
        if let Some(end) =
            self.request.stop.iter().filter(|stop| !stop.is_empty()).filter_map(found).min()
        {
            self.held.truncate(end);
            self.ended = Some(FinishReason::Stop);
            return String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned();
        }
        let begun = |stop: &String| {
            (1..stop.len()).rev().find(|&n| self.held.ends_with(&stop.as_bytes()[..n]))
        };
        let may_stop = self.request.stop.iter().filter_map(begun).max().unwrap_or(0);
        let mut certain = self.held.len() - may_stop;
        if let Err(error) = std::str::from_utf8(&self.held[..certain])
            && error.error_len().is_none()
        {
            certain = error.valid_up_to();
        }
        let text = String::from_utf8_lossy(&self.held[..certain]).into_owned();
        self.held.drain(..certain);
        text
    }

    fn finish(&mut self, at: Instant) {
        let prefill = if self.n_tokens == 0 { at - self.started } else { self.first };
        (self.sink)(Event::Finished {
            reason: self.ended.unwrap_or(FinishReason::Length),
            usage: Usage {
                prompt_tokens: self.request.prompt.len(),
                cached_tokens: 0,
                output_tokens: self.n_tokens,
                kv: None,
            },
            phases: Phases { prefill, decode: at - self.started - prefill, ..Phases::default() },
            at,
        });
    }
}
