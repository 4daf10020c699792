//! An answer in one piece: collected on the service's thread, which costs less than handing over
//! every token.

use super::clock::{AnswerClock, Outcome, Record};
use super::logprobs::Scored;
use super::submit::submit;
use crate::app::App;
use crate::error::{ApiError, Result};
use pacemark_backend::{BackendError, Event, FinishReason, GenerateRequest, Sink, TokenId};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// A complete answer.
pub(super) struct WholeAnswer {
    /// Its text.
    pub text: String,
    /// Its tokens, where log-probabilities were asked for.
    pub tokens: Vec<Scored>,
    /// The ids of all its tokens.
    pub ids: Vec<TokenId>,
    /// Why it ended.
    pub reason: FinishReason,
    /// Its stamps and counts.
    pub clock: AnswerClock,
}

/// All answers of a request, in order.
pub(super) struct Whole {
    /// The answers.
    pub answers: Vec<WholeAnswer>,
}

/// Submits requests and waits for all of them. If this is dropped before, they are aborted.
pub(super) async fn whole(
    app: &Arc<App>,
    requests: Vec<GenerateRequest>,
    record: &mut Record,
) -> Result<Whole> {
    let n_answers = requests.len();
    let (sender, mut ended) = unbounded_channel();
    let arrived = record.arrived;
    let sink = |i: usize, request: &GenerateRequest| -> Sink {
        let mut collector = Some(Collector::new(app, i, arrived, request, sender.clone()));
        Box::new(move |event| {
            if let Some(open) = collector.as_mut()
                && let Some(result) = open.event(event)
                && let Some(closed) = collector.take()
            {
                closed.end(result);
            }
        })
    };
    let _tickets = submit(app, requests, sink).await;
    drop(sender);
    let mut answers: Vec<Option<WholeAnswer>> = (0..n_answers).map(|_| None).collect();
    for _ in 0..n_answers {
        match ended.recv().await {
            Some((i, Ok(answer))) => {
                record.open_answers -= 1;
                record.output_tokens += answer.clock.usage.output_tokens;
                answers[i] = Some(answer);
            }
            Some((_, Err(error))) => {
                record.outcome = Outcome::Failed(error.to_string());
                return Err(error.into());
            }
            None => return Err(ApiError::fault("the engine has ended")),
        }
    }
    record.outcome = Outcome::Done;
    let now = Instant::now();
    let mut answers: Vec<WholeAnswer> = answers.into_iter().flatten().collect();
    for answer in &mut answers {
        answer.clock.handed_at_end(now);
    }
    Ok(Whole { answers })
}

type Ended = UnboundedSender<(usize, std::result::Result<WholeAnswer, BackendError>)>;

/// Collects one answer on the service's thread.
struct Collector {
    i: usize,
    answer: WholeAnswer,
    with_tokens: bool,
    n_chars: u64,
    metrics: Arc<crate::metrics::Metrics>,
    ended: Ended,
}

impl Collector {
    fn new(
        app: &App,
        i: usize,
        arrived: Instant,
        request: &GenerateRequest,
        ended: Ended,
    ) -> Collector {
        let clock = AnswerClock::new(arrived, request.prompt.len());
        let answer = WholeAnswer {
            text: String::new(),
            tokens: Vec::new(),
            ids: Vec::new(),
            reason: FinishReason::Length,
            clock,
        };
        let with_tokens = request.top_logprobs.is_some();
        Collector { i, answer, with_tokens, n_chars: 0, metrics: app.metrics.clone(), ended }
    }

    /// Takes an event; how it ended, if it did.
    fn event(&mut self, event: Event) -> Option<std::result::Result<(), BackendError>> {
        self.answer.clock.observe(&event, &self.metrics);
        match event {
            Event::Token { id, text, logprob, top, .. } => {
                self.answer.ids.push(id);
                if self.with_tokens {
                    let logprob = logprob.unwrap_or(f32::NEG_INFINITY);
                    self.answer.tokens.push(Scored { id, logprob, top, offset: self.n_chars });
                    self.n_chars += text.chars().count() as u64;
                }
                self.answer.text.push_str(&text);
                None
            }
            Event::Finished { reason, .. } => {
                self.answer.reason = reason;
                Some(Ok(()))
            }
            Event::Failed(error) => Some(Err(error)),
            Event::Queued { .. } | Event::Started { .. } | Event::Prefill { .. } => None,
        }
    }

    fn end(self, result: std::result::Result<(), BackendError>) {
        let _ = self.ended.send((self.i, result.map(|()| self.answer))); // nobody waits any more: its client is gone
    }
}
