//! A stream of server-sent events: one for each token, all that are ready in one write.

use super::clock::{AnswerClock, Outcome, Record};
use super::logprobs::TokenNames;
use super::logprobs::{self, Scored};
use super::shape::{self, Shape};
use super::submitted::Submitted;
use super::wire::{Besides, CallDeltas, Wire};
use crate::admission::Places;
use crate::app::App;
use crate::error::{ApiError, Result};
use crate::prepare::{Job, Wanted};
use crate::tools::{Piece, Scanner, ToolParsing};
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use pacemark_backend::layer::{self, StackLayer};
use pacemark_backend::{Event, TokenId};
use pacemark_openai_api::{ChatLogprobs, Delta, Timings, Usage};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Bytes after which a burst of events is handed on; a slow connection then has few of them in its
/// buffers.
const MAX_FRAME: usize = 16 << 10;

/// Submits `job` and gives a stream of its answers. Errors that come before anything else are
/// answers of their own.
pub(crate) async fn stream(
    app: &Arc<App>,
    job: Job,
    shape: Shape,
    record: Record,
    places: Places,
    prepare: Duration,
) -> Result<Response> {
    let answers: Vec<Answer> = job
        .requests
        .iter()
        .map(|request| Answer {
            clock: AnswerClock::new(record.arrived, request.prompt.len()),
            scanner: job.tools.clone().map(Scanner::new),
            n_chars: 0,
            begun: false,
            prompt_ids: job.wanted.ids.then(|| request.prompt.clone()),
            ids: Vec::new(),
        })
        .collect();
    let wire = Wire::new(shape, &record.id, app, answers.len(), job.stream_options);
    let mut submitted = Submitted::new(app, job.requests).await;
    let first = match submitted.events.recv().await {
        Some((_, Event::Failed(error))) => {
            let mut record = record;
            record.outcome = Outcome::Failed(error.to_string());
            return Err(error.into());
        }
        Some(first) => first,
        None => return Err(ApiError::fault("the engine has ended")),
    };
    submitted.tickets.taken();
    let n = job.n.max(1);
    let (wanted, tools) = (job.wanted, job.tools);
    let mut body = EventBody {
        submitted,
        wire,
        shape,
        open: answers.len(),
        answers,
        n,
        wanted,
        tools,
        prepare,
        record,
        _places: places,
        out: BytesMut::new(),
        ended: false,
    };
    body.event(first.0 as usize, first.1, Instant::now());
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no")); // nginx would collect events
    Ok(response)
}

/// One answer of the stream.
struct Answer {
    clock: AnswerClock,
    scanner: Option<Scanner>,
    /// Characters sent, where log-probabilities tell them.
    n_chars: u64,
    /// Its first chunk was sent.
    begun: bool,
    /// Ids of its prompt, where they are asked for and were not sent.
    prompt_ids: Option<Vec<TokenId>>,
    /// Ids of tokens whose text was not certain yet.
    ids: Vec<TokenId>,
}

/// The body of a response: it is asked for more when the connection has taken what there was.
struct EventBody {
    submitted: Submitted,
    wire: Wire,
    shape: Shape,
    answers: Vec<Answer>,
    /// Answers that have not ended.
    open: usize,
    /// Answers of each prompt.
    n: usize,
    wanted: Wanted,
    tools: Option<ToolParsing>,
    prepare: Duration,
    record: Record,
    _places: Places,
    out: BytesMut,
    ended: bool,
}

impl http_body::Body for EventBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.submitted.tickets.given_up() {
            self.ended = true;
            self.record.outcome = Outcome::Aborted;
            return Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client reads too slowly",
            ))));
        }
        let now = Instant::now();
        while !self.ended && self.out.len() < MAX_FRAME {
            match self.submitted.events.poll_recv(cx) {
                Poll::Ready(Some((answer, event))) => {
                    self.submitted.tickets.taken();
                    self.event(answer as usize, event, now);
                }
                Poll::Ready(None) => self.fail(&ApiError::fault("the engine has ended")),
                Poll::Pending => break,
            }
        }
        if !self.out.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(self.out.split().freeze()))));
        }
        if self.ended { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl EventBody {
    /// Writes what an event comes to.
    fn event(&mut self, i: usize, event: Event, now: Instant) {
        self.answers[i].clock.observe(&event, &self.record.app.metrics);
        match event {
            Event::Queued { .. } | Event::Started { .. } | Event::Prefill { .. } => {}
            Event::Token { id, text, logprob, top, last, at } => {
                self.record.output_tokens += 1;
                self.answers[i].clock.handed(at, now);
                self.begin(i);
                let offset = self.answers[i].n_chars;
                let scored = logprob.filter(|_| self.wanted.logprobs).map(|logprob| Scored {
                    id,
                    logprob,
                    top,
                    offset,
                });
                if self.wanted.ids {
                    self.answers[i].ids.push(id);
                }
                self.token(i, &text, last, scored);
            }
            Event::Finished { reason, .. } => {
                self.begin(i);
                let called =
                    self.answers[i].scanner.as_ref().is_some_and(|scanner| scanner.n_calls() > 0);
                let reason = shape::finish_reason(reason, called, self.tools.as_ref());
                let besides = self.besides(i, false);
                self.wire.finish(&mut self.out, i, reason, &besides);
                self.open -= 1;
                self.record.open_answers = self.open;
                if self.open == 0 {
                    self.end();
                }
            }
            Event::Failed(error) => self.fail(&error.into()),
        }
    }

    fn begin(&mut self, i: usize) {
        if !std::mem::replace(&mut self.answers[i].begun, true) {
            // A text completion has no chunk before its first text.
            if self.shape == Shape::Chat {
                let besides = self.besides(i, false);
                self.wire.role(&mut self.out, i, &besides);
            }
        }
    }

    /// Exactly one event for a token, whether its text is certain yet or not.
    fn token(&mut self, i: usize, text: &str, last: bool, scored: Option<Scored>) {
        layer::pass(StackLayer::Stream);
        if scored.is_some() {
            self.answers[i].n_chars += text.chars().count() as u64;
        }
        if self.shape == Shape::Completion {
            let logprobs = scored.map(|scored| logprobs::completion(self.names(), &[scored]));
            let besides = self.besides(i, last || !text.is_empty());
            return self.wire.text(&mut self.out, i, text, logprobs.as_ref(), &besides);
        }
        let content = |scored: Scored| Some(vec![logprobs::chat(self.names(), &scored)]);
        let logprobs = scored.map(|scored| ChatLogprobs { content: content(scored) });
        let Some(scanner) = &mut self.answers[i].scanner else {
            let besides = self.besides(i, last || !text.is_empty());
            return self.wire.text(&mut self.out, i, text, logprobs.as_ref(), &besides);
        };
        let before = scanner.n_calls();
        let mut pieces = scanner.feed(text);
        if last {
            pieces.extend(scanner.finish());
        }
        let delta = self.delta(before, pieces);
        let besides = self.besides(i, last || delta.is_some());
        let delta = delta.unwrap_or(Delta { content: Some(String::new()), ..Delta::default() });
        self.wire.delta(&mut self.out, i, &delta, logprobs.as_ref(), &besides);
    }

    fn names(&self) -> TokenNames<'_> {
        TokenNames { text: self.record.app.service.text(), by_id: self.wanted.named_by_id }
    }

    /// Pieces as one delta; `n_calls` had begun before them.
    fn delta(&self, mut n_calls: usize, pieces: Vec<Piece>) -> Option<Delta> {
        let mut content = String::new();
        let mut calls = CallDeltas::default();
        for piece in pieces {
            match piece {
                Piece::Text(text) => content.push_str(&text),
                Piece::Call(name) => {
                    calls.begin(n_calls, format!("call_{}", self.record.app.new_id()), name);
                    n_calls += 1;
                }
                Piece::Arguments(more) => calls.arguments(n_calls.saturating_sub(1), &more),
            }
        }
        let tool_calls = calls.take();
        let content = Some(content).filter(|content| !content.is_empty());
        (content.is_some() || tool_calls.is_some()).then_some(Delta {
            content,
            tool_calls,
            ..Delta::default()
        })
    }

    /// What the next chunk of answer `i` carries besides; ids of tokens only together with text of
    /// theirs.
    fn besides(&mut self, i: usize, with_ids: bool) -> Besides {
        if !self.wanted.in_chunks && !self.wire.counts_in_each() {
            return Besides::default();
        }
        let answer = &mut self.answers[i];
        let usage = &answer.clock.usage;
        let count = |n: usize| n as u64;
        let so_far = || {
            Usage::new(
                count(usage.prompt_tokens),
                count(usage.output_tokens),
                count(usage.cached_tokens),
            )
        };
        Besides {
            so_far: self.wire.counts_in_each().then(so_far),
            timings: self
                .wanted
                .speeds
                .then(|| Timings { spans: None, speeds: Some(answer.clock.speeds()) }),
            prompt_ids: answer.prompt_ids.take(),
            ids: (with_ids && !answer.ids.is_empty()).then(|| std::mem::take(&mut answer.ids)),
        }
    }

    /// All answers are complete.
    fn end(&mut self) {
        let usage = shape::usage(self.answers.iter().map(|answer| &answer.clock), self.n);
        let timings = shape::timings(
            self.wanted,
            self.answers.iter().map(|answer| &answer.clock),
            self.prepare,
        );
        self.wire.totals(&mut self.out, &usage, timings.as_ref());
        self.wire.done(&mut self.out);
        self.record.outcome = Outcome::Done;
        self.ended = true;
    }

    /// Tells of an error and ends; other answers are aborted with this.
    fn fail(&mut self, error: &ApiError) {
        self.wire.error(&mut self.out, error);
        self.wire.done(&mut self.out);
        self.record.outcome = Outcome::Failed(error.message.clone());
        self.ended = true;
    }
}
