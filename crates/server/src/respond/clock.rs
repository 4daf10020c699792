//! When what happened to an answer, for `timings`, for metrics and for the log.

use crate::app::App;
use crate::log;
use crate::metrics::Metrics;
use pacemark_backend::{Event, Phases, Usage};
use pacemark_openai_api::{Spans, Speeds};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The stamps of one answer.
#[derive(Clone, Debug)]
pub(super) struct AnswerClock {
    arrived: Instant,
    queued: Option<Instant>,
    started: Option<Instant>,
    first_token: Option<Instant>,
    last_token: Option<Instant>,
    ended: Option<Instant>,
    waited: Duration,
    /// Between events being stamped and being handed to the connection, in all.
    handing: Duration,
    n_handed: u32,
    /// The service's own account.
    pub phases: Phases,
    /// Token counts; those of the answer so far until it ends.
    pub usage: Usage,
}

impl AnswerClock {
    /// The clock of an answer to a request that arrived then.
    pub(super) fn new(arrived: Instant, prompt_tokens: usize) -> AnswerClock {
        AnswerClock {
            arrived,
            queued: None,
            started: None,
            first_token: None,
            last_token: None,
            ended: None,
            waited: Duration::ZERO,
            handing: Duration::ZERO,
            n_handed: 0,
            phases: Phases::default(),
            usage: Usage { prompt_tokens, ..Usage::default() },
        }
    }

    /// Notes an event, and tells the metrics of it.
    pub(super) fn observe(&mut self, event: &Event, metrics: &Metrics) {
        match event {
            Event::Queued { at } => self.queued = Some(*at),
            Event::Started { at, cached_tokens } => {
                self.started = Some(*at);
                self.waited = at.saturating_duration_since(self.queued.unwrap_or(*at));
                self.usage.cached_tokens = *cached_tokens;
                metrics.queue.observe(self.waited);
            }
            Event::Prefill { .. } => {}
            Event::Token { at, .. } => {
                self.usage.output_tokens += 1;
                match self.last_token.replace(*at) {
                    None => {
                        self.first_token = Some(*at);
                        metrics.ttft.observe(at.saturating_duration_since(self.arrived));
                    }
                    Some(last) => metrics.itl.observe(at.saturating_duration_since(last)),
                }
            }
            Event::Finished { reason, usage, phases, at, .. } => {
                self.ended = Some(*at);
                self.usage = *usage;
                self.phases = *phases;
                metrics.e2e.observe(at.saturating_duration_since(self.arrived));
                metrics.ended(reason.as_str());
            }
            Event::Failed(_) => metrics.ended("error"),
        }
    }

    /// An event that was stamped then is handed to the connection now.
    pub(super) fn handed(&mut self, stamped: Instant, now: Instant) {
        self.handing += now.saturating_duration_since(stamped);
        self.n_handed += 1;
    }

    /// The whole of an answer that has ended is handed on now.
    pub(super) fn handed_at_end(&mut self, now: Instant) {
        if let Some(ended) = self.ended {
            self.handed(ended, now);
        }
    }

    /// Counts and speeds so far.
    pub(super) fn speeds(&self) -> Speeds {
        let span = |from: Option<Instant>, to: Option<Instant>| match (from, to) {
            (Some(from), Some(to)) => to.saturating_duration_since(from).as_secs_f64() * 1e3,
            _ => 0.0,
        };
        let prompt_ms = span(self.started, self.first_token);
        let predicted_ms = span(self.first_token, self.last_token);
        let Usage { prompt_tokens, cached_tokens, output_tokens, .. } = self.usage;
        let prompt_n = prompt_tokens.saturating_sub(cached_tokens) as u64;
        let each = |ms: f64, n: u64| (n > 0).then(|| ms / n as f64);
        let rate = |ms: f64, n: u64| (n > 0 && ms > 0.0).then(|| n as f64 / ms * 1e3);
        let behind_first = (output_tokens as u64).saturating_sub(1);
        Speeds {
            cache_n: cached_tokens as u64,
            prompt_n,
            prompt_ms,
            prompt_per_token_ms: each(prompt_ms, prompt_n),
            prompt_per_second: rate(prompt_ms, prompt_n),
            predicted_n: output_tokens as u64,
            predicted_ms,
            predicted_per_token_ms: each(predicted_ms, behind_first),
            predicted_per_second: rate(predicted_ms, behind_first),
        }
    }

    /// Where the time of several answers to one request went.
    pub(super) fn spans<'a>(
        clocks: impl Iterator<Item = &'a AnswerClock>,
        prepare: Duration,
    ) -> Spans {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let mut timings = Spans { prepare_ms: ms(prepare), ..Spans::default() };
        for clock in clocks {
            let handing =
                if clock.n_handed == 0 { Duration::ZERO } else { clock.handing / clock.n_handed };
            for (largest, value) in [
                (&mut timings.queue_ms, clock.waited),
                (&mut timings.prefill_ms, clock.phases.prefill),
                (&mut timings.decode_ms, clock.phases.decode),
                (&mut timings.sample_ms, clock.phases.sample),
                (&mut timings.detokenize_ms, clock.phases.detokenize),
                (&mut timings.socket_ms, handing),
                (&mut timings.total_ms, clock.arrived.elapsed()),
            ] {
                *largest = largest.max(ms(value));
            }
        }
        timings
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nobody said: its client went away.
    Aborted,
    /// All answers are complete.
    Done,
    /// It failed.
    Failed(String),
}

/// The line of the log for one request, written when this is dropped.
pub(crate) struct Record {
    /// Whose it is.
    pub app: Arc<App>,
    /// Its name.
    pub id: String,
    /// Where it came in.
    pub route: &'static str,
    /// When.
    pub arrived: Instant,
    /// Tokens of the prompts.
    pub prompt_tokens: usize,
    /// Tokens generated.
    pub output_tokens: usize,
    /// How the request was taken, where not as it says.
    pub taken: Option<String>,
    /// What was asked, if that may be told.
    pub prompt_text: Option<String>,
    /// Answers that have not ended.
    pub open_answers: usize,
    /// How it ended.
    pub outcome: Outcome,
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.outcome == Outcome::Aborted {
            (0..self.open_answers).for_each(|_| self.app.metrics.ended("abort"));
        }
        if self.app.options.quiet {
            return;
        }
        let outcome = match &self.outcome {
            Outcome::Aborted => "aborted",
            Outcome::Done => "done",
            Outcome::Failed(_) => "failed",
        };
        let ms = self.arrived.elapsed().as_secs_f64() * 1e3;
        let taken = self.taken.as_ref().map_or(String::new(), |taken| format!(" ({taken})"));
        let prompt = self.prompt_text.as_ref().map_or(String::new(), |text| format!(" {text:?}"));
        log::line(format_args!(
            "{} {} {outcome} {}+{} tokens {ms:.1} ms{taken}{prompt}",
            self.id, self.route, self.prompt_tokens, self.output_tokens
        ));
    }
}
