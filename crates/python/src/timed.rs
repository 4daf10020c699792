//! Many requests with their times: a closed loop, in which each request that ends makes room for the next.
//! Times are the engine's own stamps; nobody is woken while a request is computed, so that what is
//! measured is what the engine does.

use crate::engine::Engine;
use crate::error::{self, argument};
use crate::wait;
use pacemark_backend::{BackendError, Event, GenerateRequest, Service, Ticket, TokenId, Usage};
use pyo3::prelude::*;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Requests at once at most.
const MOST_AT_ONCE: usize = 4096;
/// A day: more than anybody waits for.
const MOST_SECONDS: f64 = 86_400.0;

/// A request that has ended.
#[pyclass(frozen, get_all, module = "pacemark._native")]
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    prompt_tokens: usize,
    cached_tokens: usize,
    output_tokens: usize,
    finish_reason: &'static str,
    began_s: f64,
    ttft_ms: f64,
    e2e_ms: f64,
    token_ms: Vec<f64>,
    kv_bytes: Option<u64>,
}

/// The stamps of a request under way.
#[derive(Debug)]
pub(crate) struct Stamps {
    /// When it was handed over.
    pub(crate) handed_over: Instant,
    tokens: Vec<Instant>,
}

impl Stamps {
    /// Of a request that is handed over now.
    pub(crate) fn now() -> Stamps {
        Stamps { handed_over: Instant::now(), tokens: Vec::new() }
    }

    /// Notes when a token was known.
    pub(crate) fn token(&mut self, at: Instant) {
        self.tokens.push(at);
    }

    /// Milliseconds since it was handed over.
    pub(crate) fn ms(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.handed_over).as_secs_f64() * 1e3
    }

    /// What it came to. A request without tokens has no time to the first one: it is not a number.
    pub(crate) fn sample(
        &self,
        reason: &'static str,
        usage: Usage,
        ended: Instant,
        first: Instant,
    ) -> Sample {
        let token_ms: Vec<f64> = self.tokens.iter().map(|at| self.ms(*at)).collect();
        Sample {
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
            output_tokens: usage.output_tokens,
            finish_reason: reason,
            began_s: self.handed_over.saturating_duration_since(first).as_secs_f64(),
            ttft_ms: token_ms.first().copied().unwrap_or(f64::NAN),
            e2e_ms: self.ms(ended),
            token_ms,
            kv_bytes: usage.kv.map(|held| held.page_bytes),
        }
    }
}

/// Until when requests begin.
pub(crate) struct Plan {
    pub(crate) prompts: Vec<Vec<TokenId>>,
    pub(crate) max_tokens: usize,
    pub(crate) concurrency: usize,
    pub(crate) n_requests: Option<usize>,
    pub(crate) duration: Option<Duration>,
}

impl Plan {
    /// Checked: there is an end to it.
    ///
    /// # Errors
    /// Names the argument that means nothing.
    pub(crate) fn new(
        prompts: Vec<Vec<TokenId>>,
        max_tokens: usize,
        concurrency: usize,
        n_requests: Option<usize>,
        duration_seconds: Option<f64>,
    ) -> PyResult<Plan> {
        if prompts.is_empty() || prompts.iter().any(Vec::is_empty) {
            return Err(argument("prompts", "prompts of a token at least", "an empty one"));
        }
        if max_tokens == 0 {
            return Err(argument("max_tokens", "1 at least", 0));
        }
        if !(1..=MOST_AT_ONCE).contains(&concurrency) {
            let expected = format!("1 to {MOST_AT_ONCE}");
            return Err(argument("concurrency", &expected, concurrency));
        }
        let is_time = |seconds: &f64| (0.0..=MOST_SECONDS).contains(seconds);
        if let Some(seconds) = duration_seconds.filter(|seconds| !is_time(seconds)) {
            let expected = format!("0 to {MOST_SECONDS} s");
            return Err(argument("duration_seconds", &expected, seconds));
        }
        if n_requests.is_none() && duration_seconds.is_none() {
            return Err(argument("n_requests, duration_seconds", "one of them", "none"));
        }
        let duration = duration_seconds.map(Duration::from_secs_f64);
        Ok(Plan { prompts, max_tokens, concurrency, n_requests, duration })
    }

    fn begins(&self, n_begun: usize, since: Duration) -> bool {
        let is_due = self.n_requests.is_none_or(|n| n_begun < n);
        is_due && self.duration.is_none_or(|most| since < most)
    }

    fn request(&self, i: usize) -> GenerateRequest {
        GenerateRequest {
            prompt: self.prompts[i % self.prompts.len()].clone(),
            max_tokens: self.max_tokens,
            ignore_eos: true,
            ..GenerateRequest::default()
        }
    }
}

/// What a request came to, by its number.
type Ended = (usize, Result<Sample, BackendError>);

/// Runs a plan.
///
/// # Errors
/// Of the request that failed first, or what a signal's handler raised. Either has what has ended by then
/// as `partial`.
pub(crate) fn run(py: Python<'_>, engine: &Engine, plan: &Plan) -> PyResult<Vec<Sample>> {
    let mut samples = Vec::new();
    match go(py, engine, plan, &mut samples) {
        Ok(()) => Ok(samples),
        Err(error) => {
            error.value(py).setattr("partial", samples)?;
            Err(error)
        }
    }
}

fn go(py: Python<'_>, engine: &Engine, plan: &Plan, samples: &mut Vec<Sample>) -> PyResult<()> {
    let (tell, mut ended): (Sender<Ended>, Receiver<Ended>) = channel();
    let first = Instant::now();
    let mut open: HashMap<usize, Ticket> = HashMap::new();
    let mut n_begun = 0;
    // The only senders are the requests': where the engine ends, so does the waiting.
    let mut tell = Some(tell);
    loop {
        while open.len() < plan.concurrency && plan.begins(n_begun, first.elapsed()) {
            let Some(tell) = tell.clone() else { break };
            let service = engine.service(py)?;
            let ticket = begin(&*service, plan.request(n_begun), (n_begun, first), tell);
            open.insert(n_begun, ticket);
            n_begun += 1;
        }
        if !plan.begins(n_begun, first.elapsed()) {
            tell = None;
        }
        if open.is_empty() {
            return Ok(());
        }
        match next(py, engine, &mut ended)? {
            (i, Ok(sample)) => {
                open.remove(&i);
                samples.push(sample);
                // Requests may end faster than anybody waits, and only who waits sees signals.
                py.check_signals()?;
            }
            (_, Err(why)) => return Err(error::of_backend(py, &why)),
        }
    }
}

/// Waits for a request to end. One that was aborted by the engine's end says nothing.
fn next(py: Python<'_>, engine: &Engine, ended: &mut Receiver<Ended>) -> PyResult<Ended> {
    loop {
        match wait::within(py, ended)? {
            wait::Came::Told(told) => return Ok(told),
            wait::Came::Nothing if engine.is_open() => {}
            wait::Came::Nothing | wait::Came::End => return Err(error::closed(py)),
        }
    }
}

fn begin(
    service: &dyn Service,
    request: GenerateRequest,
    (i, first): (usize, Instant),
    tell: Sender<Ended>,
) -> Ticket {
    let mut stamps = Stamps::now();
    let sink = move |event: Event| match event {
        Event::Token { at, .. } => stamps.token(at),
        Event::Finished { reason, usage, at, .. } => {
            let sample = stamps.sample(reason.as_str(), usage, at, first);
            let _ = tell.send((i, Ok(sample))); // nobody waits for it any more
        }
        Event::Failed(error) => drop(tell.send((i, Err(error)))),
        Event::Queued { .. } | Event::Started { .. } | Event::Prefill { .. } => {}
    };
    service.submit(request, Box::new(sink))
}
