//! A backend that does one step at each word of a test: batches under way stand still in between.

use pacemark_backend::{
    Backend, BackendError, BackendInfo, BatchStream, Capabilities, Event, EventStream,
    FinishReason, GenerateRequest, Phases, Service, Ticket, TokenId, Usage,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// What the next step does.
pub(crate) enum Step {
    /// A token of each request, and the ends of those that have all.
    Tokens,
    /// All fail.
    Error,
    /// The stream ends, though its requests have not.
    End,
    /// An event of a request that there is not.
    Nonsense,
    Panic,
}

/// What the test holds.
pub(crate) struct Steps {
    steps: Sender<Step>,
    n_streams: Arc<AtomicUsize>,
}

impl Steps {
    pub(crate) fn send(&self, step: Step) {
        self.steps.send(step).unwrap();
    }

    /// Streams that exist.
    pub(crate) fn n_streams(&self) -> usize {
        self.n_streams.load(SeqCst)
    }
}

pub(crate) struct Scripted {
    steps: Receiver<Step>,
    n_streams: Arc<AtomicUsize>,
    n_seqs: usize,
}

impl Scripted {
    pub(crate) fn new(n_seqs: usize) -> (Steps, Scripted) {
        let (sender, steps) = channel();
        let n_streams = Arc::new(AtomicUsize::new(0));
        (
            Steps { steps: sender, n_streams: n_streams.clone() },
            Scripted { steps, n_streams, n_seqs },
        )
    }
}

impl Backend for Scripted {
    fn info(&self) -> BackendInfo {
        BackendInfo { n_ctx: 4096, n_seqs: self.n_seqs, ..BackendInfo::default() }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { batch: true, ..Capabilities::default() }
    }

    fn generate(&self, _: GenerateRequest) -> EventStream<'_> {
        unreachable!("it computes batches")
    }

    fn generate_batch(&self, requests: Vec<GenerateRequest>) -> BatchStream<'_> {
        self.n_streams.fetch_add(1, SeqCst);
        let at = Instant::now();
        let ready = (0..requests.len()).map(|index| (index, Event::Queued { at })).collect();
        let left = requests.iter().map(|request| request.max_tokens).collect();
        Box::new(Stream { of: self, requests, left, ready, started: false, ended: false })
    }
}

struct Stream<'a> {
    of: &'a Scripted,
    requests: Vec<GenerateRequest>,
    /// Tokens that each has still to get.
    left: Vec<usize>,
    ready: VecDeque<(usize, Event)>,
    started: bool,
    ended: bool,
}

impl Stream<'_> {
    fn tokens(&mut self) {
        let at = Instant::now();
        let started = std::mem::replace(&mut self.started, true);
        for (index, left) in self.left.iter_mut().enumerate().filter(|(_, left)| **left > 0) {
            if !started {
                self.ready.push_back((index, Event::Started { at, cached_tokens: 0 }));
            }
            *left -= 1;
            let (id, text, logprob, top) = (*left as TokenId, String::new(), None, Vec::new());
            let last = *left == 0;
            self.ready.push_back((index, Event::Token { id, text, logprob, top, last, at }));
            if last {
                let request = &self.requests[index];
                let (prompt_tokens, output_tokens) = (request.prompt.len(), request.max_tokens);
                let usage = Usage { prompt_tokens, output_tokens, ..Usage::default() };
                let (reason, phases) = (FinishReason::Length, Phases::default());
                let end = || (index, Event::Finished { reason, usage, phases, at });
                self.ready.extend([end(), end()]);
            }
        }
    }
}

impl Iterator for Stream<'_> {
    type Item = (usize, Event);

    fn next(&mut self) -> Option<(usize, Event)> {
        while self.ready.is_empty() && !self.ended && self.left.iter().any(|left| *left > 0) {
            // A test that has failed must not wait for ever.
            match self.of.steps.recv_timeout(Duration::from_secs(60)).unwrap_or(Step::End) {
                Step::Tokens => self.tokens(),
                Step::Error => {
                    self.left.fill(0);
                    let failed = || Event::Failed(BackendError::Engine("scripted".into()));
                    self.ready.extend((0..self.left.len()).map(|index| (index, failed())));
                }
                Step::End => self.ended = true,
                Step::Nonsense => {
                    let at = Instant::now();
                    self.ready.push_back((usize::MAX, Event::Started { at, cached_tokens: 7 }));
                }
                Step::Panic => panic!("as scripted"),
            }
        }
        self.ready.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ready.len(), None)
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        self.of.n_streams.fetch_sub(1, SeqCst);
    }
}

pub(crate) fn request(n_prompt: usize, max_tokens: usize) -> GenerateRequest {
    GenerateRequest { prompt: vec![1; n_prompt], max_tokens, ..GenerateRequest::default() }
}

/// Submits a request; its events.
pub(crate) fn listen(service: &dyn Service, request: GenerateRequest) -> (Ticket, Receiver<Event>) {
    let (told, events) = channel();
    (service.submit(request, Box::new(move |event| drop(told.send(event)))), events)
}

/// Gauges follow commands a moment later.
pub(crate) fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it never came true");
}
