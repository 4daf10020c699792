//! The events of requests that are computed together, out of what a process tells.

use super::SideBackend;
use super::request::Under;
use crate::logprob::credible;
use pacemark_backend::{BackendError, Event, GenerateRequest};
use pacemark_side::protocol::{Ask, Tell};
use std::collections::VecDeque;

/// State between two events.
pub(super) struct Stream<'a> {
    backend: &'a SideBackend,
    id: u64,
    /// In the order in which the process has them; `None` when they have ended.
    under: Vec<Option<Under>>,
    /// Events that are known and not yet taken.
    ready: VecDeque<(usize, Event)>,
    is_asked: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(backend: &'a SideBackend, requests: Vec<GenerateRequest>) -> Stream<'a> {
        let (mut under, mut ready) = (Vec::new(), VecDeque::new());
        for (index, request) in requests.into_iter().enumerate() {
            if under.len() >= backend.limits.n_seqs {
                let full = format!("{} sequences are computed at once, no more", under.len());
                ready.push_back((index, Event::Failed(BackendError::Full(full))));
                continue;
            }
            match backend.check(&request) {
                Err(error) => ready.push_back((index, Event::Failed(error))),
                Ok(()) => {
                    let one = Under::new(backend, index, request);
                    ready.push_back((index, one.queued()));
                    under.push(Some(one));
                }
            }
        }
        Stream { backend, id: backend.open_inbox(), under, ready, is_asked: false }
    }

    fn ask(&mut self) -> Result<(), BackendError> {
        self.is_asked = true;
        let requests = self.under.iter().flatten().map(Under::asked).collect();
        self.backend.ask(&Ask::Generate { id: self.id, requests })
    }

    /// Ends all that is under way.
    fn fail(&mut self, error: &BackendError) {
        for one in self.under.iter_mut().filter_map(Option::take) {
            self.ready.push_back((one.index, Event::Failed(error.clone())));
        }
    }

    /// What is told of one of them, as events.
    fn hear(&mut self, told: Tell) -> Result<(), BackendError> {
        let (Tell::Started { index, .. }
        | Tell::Token { index, .. }
        | Tell::Finished { index, .. }
        | Tell::Failed { index, .. }) = told
        else {
            return Ok(());
        };
        let Some(slot) = self.under.get_mut(index) else {
            let n = self.under.len();
            let what = format!("its process told of request {index} of {n}");
            return Err(self.backend.lie(&what));
        };
        // Of what has ended here, it may go on for a moment there.
        let Some(one) = slot.as_mut() else { return Ok(()) };
        let clock = &self.backend.clock;
        let (event, ends) = match told {
            Tell::Started { ns, cached, .. } => (one.start(clock.ours(ns), cached), false),
            Tell::Token { ns, token, logprob, top, .. } => {
                let logprob = logprob.map(|told| credible(told.into())).transpose();
                let logprob = logprob.map_err(|why| self.backend.lie(&why))?;
                let Some(event) = one.token(clock.ours(ns), token, logprob, top) else {
                    return Ok(());
                };
                if one.is_cut() {
                    self.ready.push_back((one.index, event));
                    self.backend.ask(&Ask::Abort { id: self.id, index: Some(index) })?;
                    (one.finish(clock.ours(ns)), true)
                } else {
                    (event, false)
                }
            }
            Tell::Finished { ns, .. } => (one.finish(clock.ours(ns)), true),
            Tell::Failed { kind, message, .. } => {
                (Event::Failed(self.backend.refusal(kind, message)), true)
            }
            _ => return Ok(()),
        };
        self.ready.push_back((one.index, event));
        if ends {
            *slot = None;
        }
        Ok(())
    }
}

impl Iterator for Stream<'_> {
    type Item = (usize, Event);

    fn next(&mut self) -> Option<(usize, Event)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.under.iter().all(Option::is_none) {
                return None;
            }
            let heard = match self.is_asked {
                false => self.ask(),
                true => self.backend.next(self.id).and_then(|told| self.hear(told)),
            };
            if let Err(error) = heard {
                self.fail(&error);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ready.len(), None)
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        self.backend.close_inbox(self.id);
        if self.is_asked && self.under.iter().any(Option::is_some) {
            // An error shows with the next request.
            let _ = self.backend.ask(&Ask::Abort { id: self.id, index: None });
        }
    }
}
