//! What is the same for every engine that lives in this process: requests become streams of events.
//!
//! An [`Engine`] computes tokens of sequences and nothing else; a [`Host`] holds it with its
//! tokenizer, checks requests, keeps a prefix where asked to and hands out [`stream::Stream`]s. A
//! stream is lazy: every `next()` computes one step (a chunk of the prompts, or one token of each
//! sequence), so whoever drives it sets the pace, and dropping it frees what it held.

mod check;
mod constraint;
mod machine;
mod score;
mod stop;
mod stream;
mod writer;

pub(crate) use check::Limits;
pub(crate) use machine::{Keeping, Machine, Terms};
use pacemark_backend::{
    BackendError, BatchStream, Event, EventStream, GenerateRequest, KvHeld, MemoryUsage, TokenId,
};
use pacemark_engine::TokenLogprobs;
use pacemark_tokenizer::Tokenizer;
pub(crate) use score::score_from;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;
pub(crate) use stop::StopTexts;
use stream::Stream;

/// Told how much is computed and of how much; may end it.
pub(crate) type Progress<'a> = dyn FnMut(usize, usize) -> ControlFlow<()> + 'a;

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

    /// An empty sequence. [`Host`] never has more than it was told, and asks for none that keeps
    /// but a part where its limits know of no policies.
    fn open(&mut self, keeping: Option<Keeping>) -> Self::Sequence;

    /// Forgets all but the first `len` tokens, or more where the engine can't cut there; says how
    /// many are left.
    fn truncate(&mut self, sequence: &mut Self::Sequence, len: usize) -> usize;

    /// What is kept of it, where it can be known.
    fn held(&self, sequence: &Self::Sequence) -> Option<KvHeld> {
        let _ = sequence;
        None
    }

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

    /// Gives memory back that holds nothing.
    fn trim(&mut self) {}

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
    /// The sequence of the last request that asked to keep it.
    kept: Option<Kept<E::Sequence>>,
}

/// A sequence that may be continued.
pub(crate) struct Kept<S> {
    sequence: S,
    tokens: Vec<TokenId>,
    /// Its policy: only a request under the same can go on from here.
    kv: Option<String>,
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

    /// Tokens that may follow a prompt under a policy.
    pub(crate) fn room(&self, kv: Option<&str>, n_prompt: usize) -> Result<usize, BackendError> {
        let limits = &self.terms.limits;
        limits.room(limits.policy(kv)?.as_ref(), n_prompt)
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

    /// As `Backend::trim`; the kept sequence goes.
    pub(crate) fn trim(&self) {
        let mut state = self.state.borrow_mut();
        state.drop_kept();
        state.engine.trim();
    }

    /// Memory held.
    pub(crate) fn memory(&self) -> Option<MemoryUsage> {
        self.state.borrow().engine.memory()
    }
}

impl<E: Engine> State<E> {
    /// An empty sequence; the kept one goes if there is no other room.
    fn open(
        &mut self,
        limits: &Limits,
        keeping: Option<Keeping>,
    ) -> Result<E::Sequence, BackendError> {
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
        Ok(self.engine.open(keeping))
    }

    fn close(&mut self, sequence: E::Sequence) {
        self.n_open -= 1;
        self.engine.close(sequence);
    }

    fn drop_kept(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.close(kept.sequence);
        }
    }
}

/// Tokens at their beginning that two texts have in common.
fn same_tokens(a: &[TokenId], b: &[TokenId]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The event of a request that ends without a result.
fn failed(error: &BackendError) -> Event {
    Event::Failed(error.clone())
}
