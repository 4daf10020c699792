//! Requests under way: sent when they are first driven, aborted when they are dropped, each on a
//! connection of its own.

use super::OpenAiBackend;
use super::flow::{Flow, Reader};
use super::link::Patience;
use super::{text, words};
use pacemark_backend::{BackendError, Event, GenerateRequest};
use pacemark_load::clock::now_ns;
use pacemark_load::{Piece, Sending, Whole};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// A request of a batch.
struct One {
    flow: Flow,
    body: String,
    /// Of an answer that is a refusal.
    refused: Option<Whole>,
    patience: Patience,
    /// Dropped with this, which aborts it.
    sending: Option<Sending>,
    over: bool,
}

/// The requests of a batch and their events.
pub(super) struct Batch<'a> {
    backend: &'a OpenAiBackend,
    all: Vec<One>,
    ready: VecDeque<(usize, Event)>,
    sent: bool,
    pieces: Receiver<(usize, Piece)>,
    sender: Sender<(usize, Piece)>,
    /// The same moment on both clocks.
    clocks: (Instant, u64),
}

impl<'a> Batch<'a> {
    pub(super) fn new(backend: &'a OpenAiBackend, requests: Vec<GenerateRequest>) -> Batch<'a> {
        let (sender, pieces) = channel();
        let mut ready = VecDeque::new();
        let mut all = Vec::new();
        for (index, request) in requests.into_iter().enumerate() {
            let body = backend.check(&request).and_then(|()| {
                let dialect = &backend.dialect;
                let prompt = text::prompt(&backend.tokenizer, dialect.prompt, &request.prompt)?;
                Ok(dialect.body(&backend.model, prompt, &request))
            });
            let over = body.is_err();
            ready.push_back((
                index,
                match &body {
                    Ok(_) => Event::Queued { at: Instant::now() },
                    Err(error) => Event::Failed(error.clone()),
                },
            ));
            all.push(One {
                flow: Flow::new(request),
                body: body.unwrap_or_default(),
                refused: None,
                patience: Patience::default(),
                sending: None,
                over,
            });
        }
        let clocks = (Instant::now(), now_ns());
        Batch { backend, all, ready, sent: false, pieces, sender, clocks }
    }

    fn instant(&self, ns: u64) -> Instant {
        let (instant, origin) = self.clocks;
        match ns.checked_sub(origin) {
            Some(after) => instant + Duration::from_nanos(after),
            None => instant.checked_sub(Duration::from_nanos(origin - ns)).unwrap_or(instant),
        }
    }

    fn send(&mut self, index: usize) {
        let (sender, link) = (self.sender.clone(), &self.backend.link);
        let body = self.all[index].body.clone();
        let on_piece = move |piece| {
            // Nobody listens any more: the request is being aborted.
            let _ = sender.send((index, piece));
        };
        self.all[index].sending = Some(link.client.send(link.completions(), body, on_piece));
    }

    fn fail(&mut self, index: usize, error: BackendError) {
        self.all[index].over = true;
        self.all[index].sending = None;
        self.ready.push_back((index, Event::Failed(error)));
    }

    fn take(&mut self, index: usize, piece: Piece) {
        let by = Reader { tokenizer: &self.backend.tokenizer, dialect: &self.backend.dialect };
        let mut out = VecDeque::new();
        match piece {
            Piece::Head { sent_ns, status: 200, .. } => {
                let sent = self.instant(sent_ns);
                self.all[index].flow.begin(sent, &mut out);
            }
            Piece::Head { status, headers, .. } => {
                self.all[index].refused = Some(Whole { status, headers, bytes: Vec::new() });
            }
            Piece::Bytes { bytes, at_ns } => {
                let at = self.instant(at_ns);
                let one = &mut self.all[index];
                match &mut one.refused {
                    Some(whole) => whole.bytes.extend(bytes),
                    None => one.flow.bytes(by, &bytes, at, &mut out),
                }
            }
            Piece::End(end) => match (end, self.all[index].refused.take()) {
                (_, Some(whole)) => self.refused(index, whole),
                (Ok(()), None) => {
                    self.all[index].over = true;
                    self.all[index].flow.end(by, &mut out);
                }
                (Err(failure), None) => {
                    let link = &self.backend.link;
                    let said = words::failure(&link.url(&link.completions()), &failure);
                    self.fail(index, BackendError::Engine(said));
                }
            },
        }
        self.ready.extend(out.into_iter().map(|event| (index, event)));
    }

    /// Sends it again if the server had too much to do, and not too often.
    fn refused(&mut self, index: usize, whole: Whole) {
        let link = &self.backend.link;
        let path = link.completions();
        if whole.status != 429 {
            return self.fail(index, link.refusal(&path, &whole));
        }
        match self.all[index].patience.wait(&whole) {
            Ok(wait) => {
                // What comes of others meanwhile is stamped by the system.
                std::thread::sleep(wait);
                self.send(index);
            }
            Err(spent) => self.fail(index, link.too_many(&path, &whole, &spent)),
        }
    }
}

impl Iterator for Batch<'_> {
    type Item = (usize, Event);

    fn next(&mut self) -> Option<(usize, Event)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if !self.sent {
                self.sent = true;
                (0..self.all.len())
                    .filter(|i| !self.all[*i].over)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .for_each(|index| self.send(index));
            }
            if self.all.iter().all(|one| one.over) {
                return None;
            }
            // A sender is kept here, so it waits; every request ends, by its timeouts at the latest.
            let (index, piece) = self.pieces.recv().ok()?;
            self.take(index, piece);
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ready.len(), None)
    }
}
