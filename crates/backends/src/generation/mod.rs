//! What is the same for every engine that lives in this process: requests become streams of events.
//!
//! An [`Engine`] computes tokens of sequences and nothing else; a [`Host`] holds it with its
//! tokenizer, checks requests, keeps a prefix where asked to and hands out [`stream::Stream`]s. A
//! stream is lazy: every `next()` computes one step (a chunk of the prompts, or one token of each
//! sequence), so whoever drives it sets the pace, and dropping it frees what it held.

mod check;
mod constraint;
mod machine;
mod stop;
mod stream;
mod writer;

pub(crate) use check::Limits;
pub(crate) use machine::{Machine, Terms};
use pacemark_backend::{
    BackendError, BatchStream, Event, EventStream, GenerateRequest, MemoryUsage, TokenId,
};
use pacemark_engine::TokenLogprobs;
use pacemark_tokenizer::Tokenizer;
use std::cell::RefCell;
use std::sync::Arc;
use stream::Stream;

/// Tokens whose logits are held at once while scoring: a quarter of a million logits each may be a
/// lot of memory.
const SCORE_CHUNK: usize = 128;

/// Tokens of one sequence in a step; they follow what the sequence holds.
pub(crate) struct Item<'a, S> {
    pub sequence: &'a mut S,
    pub tokens: &'a [TokenId],
    pub wanted: Wanted,
}

/// Which tokens of an item need logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    None,
    Last,
    All,
}

/// Something in this process that computes sequences of tokens.
pub(crate) trait Engine {
    /// One sequence's keys and values.
    type Sequence;

    /// An empty sequence. [`Host`] never has more than it was told.
    fn open(&mut self) -> Self::Sequence;

    /// Forgets all but the first `len` tokens, or more where the engine can't cut there; says how
    /// many are left.
    fn truncate(&mut self, sequence: &mut Self::Sequence, len: usize) -> usize;

    /// Told that the sequence will be continued by a later request, from a prefix of what it holds.
    fn keep(&mut self, sequence: &mut Self::Sequence) {
        let _ = sequence;
    }

    /// Takes back everything `sequence` holds.
    fn close(&mut self, sequence: Self::Sequence);

    /// Computes the items' tokens.
    fn forward(&mut self, items: &mut [Item<'_, Self::Sequence>]) -> Result<(), BackendError>;

    /// Wanted logits of the last [`Engine::forward`], `[n_vocab]`; `row` counts them in order of
    /// items and tokens.
    fn logits(&self, row: usize) -> &[f32];

    /// Natural log-probabilities of `chosen` and of the `n_top` most likely tokens.
    fn logprobs(&self, logits: &[f32], chosen: TokenId, n_top: usize) -> TokenLogprobs;

    /// No stream computes for now: threads should not wait for the next step.
    fn rest(&mut self) {}

    /// Memory held, where it can be known.
    fn memory(&self) -> Option<MemoryUsage>;
}

/// An engine that serves requests.
pub(crate) struct Host<E: Engine> {
    state: RefCell<State<E>>,
    terms: Terms,
}

/// What a step needs exclusively.
struct State<E: Engine> {
    engine: E,
    /// Sequences that exist, the kept one included.
    n_open: usize,
    /// The sequence of the last request that asked to keep it, with its tokens.
    kept: Option<(E::Sequence, Vec<TokenId>)>,
}

impl<E: Engine> Host<E> {
    pub(crate) fn new(engine: E, tokenizer: Option<Tokenizer>, limits: Limits) -> Host<E> {
        let terms = Terms { tokenizer: tokenizer.map(Arc::new), grammars: Arc::default(), limits };
        Host { state: RefCell::new(State { engine, n_open: 0, kept: None }), terms }
    }

    /// The model's tokenizer, if its file has one that can be used.
    pub(crate) fn tokenizer(&self) -> Option<&Tokenizer> {
        self.terms.tokenizer.as_deref()
    }

    /// Looks at the engine.
    pub(crate) fn with_engine<T>(&self, look: impl FnOnce(&E) -> T) -> T {
        look(&self.state.borrow().engine)
    }

    /// As `Backend::generate`.
    pub(crate) fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        Box::new(Stream::new(self, vec![request]).map(|(_, event)| event))
    }

    /// As `Backend::generate_batch`.
    pub(crate) fn generate_batch(&self, requests: Vec<GenerateRequest>) -> BatchStream<'_> {
        Box::new(Stream::new(self, requests))
    }

    /// As `Backend::score`.
    pub(crate) fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
        let n_ctx = self.terms.limits.n_ctx;
        if tokens.len() > n_ctx {
            return Err(BackendError::ContextExceeded {
                prompt: tokens.len(),
                max_tokens: 0,
                n_ctx,
            });
        }
        self.terms.limits.check_tokens(tokens)?;
        let mut state = self.state.borrow_mut();
        state.drop_kept();
        let mut sequence = state.open(&self.terms.limits)?;
        let scores = self.score_in(&mut state.engine, &mut sequence, tokens, first);
        state.close(sequence);
        state.engine.rest();
        scores
    }

    fn score_in(
        &self,
        engine: &mut E,
        sequence: &mut E::Sequence,
        tokens: &[TokenId],
        first: usize,
    ) -> Result<Vec<f32>, BackendError> {
        // The last token predicts nothing that is asked for, so it is not computed.
        let n_inputs = tokens.len().saturating_sub(1);
        let first = first.min(n_inputs);
        let mut scores = Vec::with_capacity(n_inputs - first);
        for tokens in tokens[..first].chunks(self.terms.limits.n_step) {
            engine.forward(&mut [Item { sequence, tokens, wanted: Wanted::None }])?;
        }
        for start in (first..n_inputs).step_by(SCORE_CHUNK.min(self.terms.limits.n_step)) {
            let end = (start + SCORE_CHUNK.min(self.terms.limits.n_step)).min(n_inputs);
            engine.forward(&mut [Item {
                sequence,
                tokens: &tokens[start..end],
                wanted: Wanted::All,
            }])?;
            for (row, &next) in tokens[start + 1..=end].iter().enumerate() {
                scores.push(engine.logprobs(engine.logits(row), next, 0).chosen);
            }
        }
        Ok(scores)
    }

    /// Memory held.
    pub(crate) fn memory(&self) -> Option<MemoryUsage> {
        self.state.borrow().engine.memory()
    }
}

impl<E: Engine> State<E> {
    /// An empty sequence; the kept one goes if there is no other room.
    fn open(&mut self, limits: &Limits) -> Result<E::Sequence, BackendError> {
        if self.n_open == limits.n_seqs {
            self.drop_kept();
        }
        if self.n_open == limits.n_seqs {
            let n = limits.n_seqs;
            return Err(BackendError::Full(format!(
                "no room: {n} at a time is what was set up (n_seqs)"
            )));
        }
        self.n_open += 1;
        Ok(self.engine.open())
    }

    fn close(&mut self, sequence: E::Sequence) {
        self.n_open -= 1;
        self.engine.close(sequence);
    }

    fn drop_kept(&mut self) {
        if let Some((sequence, _)) = self.kept.take() {
            self.close(sequence);
        }
    }
}

/// The event of a request that ends without a result.
fn failed(error: &BackendError) -> Event {
    Event::Failed(error.clone())
}
