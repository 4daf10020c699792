//! Engines that are Python packages, each in a process of its own behind `pacemark-side`'s protocol
//! (docs/side.md).
//!
//! A third engine is one script in `crates/side/python` and a row of [`ENGINES`]. Text, and which tokens
//! end an answer, come from Pacemark's tokenizer, as for every backend, so that a comparison is one of
//! the engines. What computes is here ([`SideBackend`]); a request's events are `stream`'s, a request's
//! state `request`'s.

mod engine;
mod loading;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use crate::generation::Limits;
use crate::logprob::credible;
pub use engine::{ENGINES, Engine, Found, Lacking, OPENVINO, PYTHON, TRANSFORMERS, find, look};
pub use loading::SideLoadError;
use pacemark_backend::{
    Backend, BackendError, BackendInfo, BatchStream, Capabilities, Computes, Event, EventStream,
    GenerateRequest, SamplingParams, ScoreRequest, TextScores, TokenId, Watch,
};
use pacemark_side::protocol::{Ask, Kind, Loaded, Tell};
use pacemark_side::{Clock, Process, SideError, floats};
use pacemark_tokenizer::Tokenizer;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use stream::Stream;

/// How long a process may say nothing while it computes.
const COMPUTE: Duration = Duration::from_secs(600);

/// A model loaded by an engine in a process of its own.
pub struct SideBackend {
    engine: &'static Engine,
    process: RefCell<Process>,
    clock: Clock,
    loaded: Loaded,
    info: BackendInfo,
    limits: Limits,
    tokenizer: Option<Arc<Tokenizer>>,
    /// Tokens that end an answer, by the model's file.
    ends: Vec<TokenId>,
    next_id: Cell<u64>,
    /// What was told of those who have not asked yet, by their ids. Nobody else's is kept.
    inbox: RefCell<HashMap<u64, VecDeque<Tell>>>,
}

impl SideBackend {
    fn open_inbox(&self) -> u64 {
        let id = self.next_id.replace(self.next_id.get() + 1);
        self.inbox.borrow_mut().insert(id, VecDeque::new());
        id
    }

    fn ask(&self, ask: &Ask) -> Result<(), BackendError> {
        self.process.borrow_mut().ask(ask).map_err(|error| self.lost(&error))
    }

    /// The next thing told to `id`; what others are told until then is kept for them.
    fn next(&self, id: u64) -> Result<Tell, BackendError> {
        loop {
            let kept = self.inbox.borrow_mut().get_mut(&id).and_then(VecDeque::pop_front);
            if let Some(told) = kept {
                return Ok(told);
            }
            let told = self.process.borrow_mut().next(COMPUTE);
            let told = told.map_err(|error| self.lost(&error))?;
            match told.id() {
                Some(of) if of == id => return Ok(told),
                // Without an inbox it is of what was aborted.
                Some(of) => {
                    self.inbox
                        .borrow_mut()
                        .get_mut(&of)
                        .into_iter()
                        .for_each(|inbox| inbox.push_back(told.clone()));
                }
                None => {}
            }
        }
    }

    fn close_inbox(&self, id: u64) {
        self.inbox.borrow_mut().remove(&id);
    }

    fn lost(&self, error: &SideError) -> BackendError {
        BackendError::Engine(format!("{}: {error}", self.engine.name))
    }

    /// That an engine told what cannot be.
    fn lie(&self, why: &str) -> BackendError {
        BackendError::Engine(format!("{}: {why}", self.engine.name))
    }

    fn unsupported(&self, ability: &'static str) -> BackendError {
        BackendError::Unsupported { backend: self.engine.name, ability: ability.into() }
    }

    /// What an engine's word for an error is here.
    fn refusal(&self, kind: Kind, message: String) -> BackendError {
        let name = self.engine.name;
        match kind {
            Kind::Invalid => BackendError::InvalidRequest(message),
            Kind::TooLong => BackendError::TooLong { found: message, n_ctx: self.limits.n_ctx },
            Kind::Unsupported => {
                BackendError::Unsupported { backend: name, ability: message.into() }
            }
            Kind::Engine => BackendError::Engine(format!("{name}: {message}")),
        }
    }

    /// Refuses what cannot be served, before the process hears of it.
    fn check(&self, request: &GenerateRequest) -> Result<(), BackendError> {
        self.limits.policy(request.kv.as_deref())?;
        self.limits.check(request, None)?;
        let sampling = &request.sampling;
        let plain = SamplingParams {
            temperature: sampling.temperature,
            top_k: sampling.top_k,
            top_p: sampling.top_p,
            seed: sampling.seed,
            ..SamplingParams::default()
        };
        let refused = [
            (request.constraint.is_some(), "hold output to a form"),
            (*sampling != plain, "choose tokens by anything but temperature, top_k and top_p"),
            (request.top_logprobs.is_some() && !self.loaded.logprobs, "give log-probabilities"),
        ];
        if let Some((_, ability)) = refused.into_iter().find(|(asked, _)| *asked) {
            return Err(self.unsupported(ability));
        }
        if !request.stop.is_empty() && self.tokenizer.is_none() {
            let what = "stop texts need a tokenizer, which this model lacks";
            return Err(BackendError::InvalidRequest(what.into()));
        }
        Ok(())
    }

    /// Whether a text can be scored.
    fn check_text(&self, request: &ScoreRequest) -> Result<(), BackendError> {
        self.limits.policy(request.kv.as_deref())?;
        self.limits.fits(None, request.tokens.len(), 0)?;
        self.limits.check_tokens(&request.tokens)
    }

    /// Asks, and takes what is told until `done` has what it wants.
    fn converse<T>(
        &self,
        ask: impl FnOnce(u64) -> Ask,
        mut done: impl FnMut(u64, Tell) -> Result<Option<T>, BackendError>,
    ) -> Result<T, BackendError> {
        let id = self.open_inbox();
        let result = self.ask(&ask(id)).and_then(|()| {
            loop {
                match self.next(id)? {
                    Tell::Failed { kind, message, .. } => return Err(self.refusal(kind, message)),
                    told => match done(id, told)? {
                        Some(found) => return Ok(found),
                        None => continue,
                    },
                }
            }
        });
        self.close_inbox(id);
        result
    }
}

impl Backend for SideBackend {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            score: self.loaded.scores,
            logits: self.loaded.predicts,
            logprobs: self.loaded.logprobs,
            batch: self.loaded.batches,
            ..Capabilities::default()
        }
    }

    fn watch(&self) -> Option<Watch> {
        let (watch, name) = (self.process.borrow().watch(), self.engine.name);
        Some(Box::new(move || watch().map(|why| format!("{name}: {why}"))))
    }

    fn computes(&self) -> Computes {
        Computes::Process(self.process.borrow().id())
    }

    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        Box::new(Stream::new(self, vec![request]).map(|(_, event)| event))
    }

    fn generate_batch(&self, requests: Vec<GenerateRequest>) -> BatchStream<'_> {
        if self.loaded.batches {
            return Box::new(Stream::new(self, requests));
        }
        let refusal = self.unsupported("compute several requests together");
        Box::new((0..requests.len()).map(move |index| (index, Event::Failed(refusal.clone()))))
    }

    fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
        let request = ScoreRequest { tokens: tokens.to_vec(), first, ..ScoreRequest::default() };
        let go_on = &mut |_, _| ControlFlow::Continue(());
        self.score_text(&request, go_on).map(|scores| scores.logprobs)
    }

    fn score_text(
        &self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<TextScores, BackendError> {
        if !self.loaded.scores {
            return Err(self.unsupported("score tokens"));
        }
        self.check_text(request)?;
        // An engine says nothing on the way.
        if progress(0, request.tokens.len()).is_break() {
            return Ok(TextScores::default());
        }
        let ScoreRequest { tokens, first, .. } = request.clone();
        let expected = tokens.len().saturating_sub(first + 1);
        self.converse(
            |id| Ask::Score { id, tokens, first },
            |_, told| {
                let Tell::Scores { logprobs, hits, .. } = told else { return Ok(None) };
                let n_hits = if hits.is_empty() { 0 } else { expected };
                if (logprobs.len(), hits.len()) != (expected, n_hits) {
                    let found = (logprobs.len(), hits.len());
                    let why =
                        format!("expected {expected} scores and {n_hits} hits, found {found:?}");
                    return Err(self.lie(&why));
                }
                let checked = logprobs.into_iter().map(|told| credible(told.into()));
                let logprobs = checked.collect::<Result<_, _>>().map_err(|why| self.lie(&why))?;
                Ok(Some(TextScores { logprobs, hits, kv: None }))
            },
        )
    }

    fn predict(
        &self,
        request: &ScoreRequest,
        row: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        if !self.loaded.predicts {
            return Err(self.unsupported("hand out logits"));
        }
        self.check_text(request)?;
        let ScoreRequest { tokens, first, .. } = request.clone();
        let mut due = first..tokens.len().saturating_sub(1);
        let wrong = |why: String| BackendError::Engine(format!("{}: {why}", self.engine.name));
        self.converse(
            |id| Ask::Predict { id, tokens, first },
            |id, told| match told {
                Tell::Row { at, logits, .. } => {
                    if due.next() != Some(at) {
                        return Err(wrong(format!(
                            "a row of logits out of turn, after token {at}"
                        )));
                    }
                    let logits = floats(&logits, self.limits.n_vocab).map_err(wrong)?;
                    if row(at, &logits).is_break() {
                        self.ask(&Ask::Abort { id, index: None })?;
                        return Ok(Some(()));
                    }
                    Ok(None)
                }
                Tell::Finished { .. } if due.is_empty() => Ok(Some(())),
                Tell::Finished { .. } => Err(wrong(format!("rows of logits {due:?} are missing"))),
                _ => Ok(None),
            },
        )
    }
}
