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
pub(crate) use machine::{Keeping, Machine, Terms};
use pacemark_backend::{
    BackendError, BatchStream, Event, EventStream, GenerateRequest, KvHeld, MemoryUsage,
    ScoreRequest, TextScores, TokenId,
};
use pacemark_engine::TokenLogprobs;
use pacemark_tokenizer::Tokenizer;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;
use stream::Stream;

/// Tokens whose logits are held at once while scoring: a quarter of a million logits each may be a
/// lot of memory.
const SCORE_CHUNK: usize = 128;

/// Told how much is computed and of how much; may end it.
pub(crate) type Progress<'a> = dyn FnMut(usize, usize) -> ControlFlow<()> + 'a;

/// Told the logits after the token of that number; may end it.
type Row<'a, E> = dyn FnMut(&E, usize, &[f32]) -> ControlFlow<()> + 'a;

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
        let mut sequence = state.open(&self.terms.limits, None)?;
        let go_on = &mut |_, _| ControlFlow::Continue(());
        let scores = self.score_in(&mut state.engine, &mut sequence, (tokens, first), go_on);
        state.close(sequence);
        state.engine.rest();
        scores.map(|scores| scores.logprobs)
    }

    /// As `Backend::predict`.
    pub(crate) fn predict(
        &self,
        request: &ScoreRequest,
        row: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        let text = (&request.tokens[..], request.first);
        self.with_sequence(request, |host, engine, sequence| {
            host.predict_in(
                engine,
                sequence,
                text,
                &mut |_, i, logits| row(i, logits),
                &mut |_, _| ControlFlow::Continue(()),
            )
        })
    }

    /// As `Backend::score_text`.
    pub(crate) fn score_text(
        &self,
        request: &ScoreRequest,
        progress: &mut Progress<'_>,
    ) -> Result<TextScores, BackendError> {
        let text = (&request.tokens[..], request.first);
        self.with_sequence(request, |host, engine, sequence| {
            let scores = host.score_in(engine, sequence, text, progress)?;
            Ok(TextScores { kv: engine.held(sequence), ..scores })
        })
    }

    /// Computes with a new sequence that keeps what the request asks for, once the request was
    /// checked.
    fn with_sequence<T>(
        &self,
        ScoreRequest { tokens, kv, n_prompt, .. }: &ScoreRequest,
        compute: impl FnOnce(&Self, &mut E, &mut E::Sequence) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let limits = &self.terms.limits;
        let policy = limits.policy(kv.as_deref())?;
        // The last token is not computed.
        limits.fits(policy.as_ref(), tokens.len().saturating_sub(1), 0)?;
        limits.check_tokens(tokens)?;
        let mut state = self.state.borrow_mut();
        state.drop_kept();
        let keeping = policy.map(|policy| Keeping { policy, n_prompt: *n_prompt });
        let mut sequence = state.open(limits, keeping)?;
        let result = compute(self, &mut state.engine, &mut sequence);
        state.close(sequence);
        state.engine.rest();
        result
    }

    fn score_in(
        &self,
        engine: &mut E,
        sequence: &mut E::Sequence,
        (tokens, first): (&[TokenId], usize),
        progress: &mut Progress<'_>,
    ) -> Result<TextScores, BackendError> {
        let mut scores = TextScores::default();
        let row = &mut |engine: &E, i: usize, logits: &[f32]| {
            let next = tokens[i + 1];
            scores.logprobs.push(engine.logprobs(logits, next, 0).chosen);
            scores.hits.push(is_first_largest(logits, next));
            ControlFlow::Continue(())
        };
        self.predict_in(engine, sequence, (tokens, first), row, progress)?;
        Ok(scores)
    }

    /// Computes the tokens and hands out the logits after each from `first` on, but for the last.
    fn predict_in(
        &self,
        engine: &mut E,
        sequence: &mut E::Sequence,
        (tokens, first): (&[TokenId], usize),
        row: &mut Row<'_, E>,
        progress: &mut Progress<'_>,
    ) -> Result<(), BackendError> {
        // The last token predicts nothing that is asked for, so it is not computed.
        let n_inputs = tokens.len().saturating_sub(1);
        let first = first.min(n_inputs);
        let mut n_computed = 0;
        for tokens in tokens[..first].chunks(self.terms.limits.n_step) {
            engine.forward(&mut [Item { sequence, tokens, wanted: Wanted::None }])?;
            n_computed += tokens.len();
            if progress(n_computed, n_inputs).is_break() {
                return Ok(());
            }
        }
        for start in (first..n_inputs).step_by(SCORE_CHUNK.min(self.terms.limits.n_step)) {
            let end = (start + SCORE_CHUNK.min(self.terms.limits.n_step)).min(n_inputs);
            engine.forward(&mut [Item {
                sequence,
                tokens: &tokens[start..end],
                wanted: Wanted::All,
            }])?;
            for i in start..end {
                if row(engine, i, engine.logits(i - start)).is_break() {
                    return Ok(());
                }
            }
            if progress(end, n_inputs).is_break() {
                break;
            }
        }
        Ok(())
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

/// Whether greedy choice would take `token`: of the largest logits the first.
fn is_first_largest(logits: &[f32], token: TokenId) -> bool {
    let Some(&own) = logits.get(token as usize) else { return false };
    logits.iter().enumerate().all(|(i, x)| *x < own || (*x == own && i >= token as usize))
}

/// The event of a request that ends without a result.
fn failed(error: &BackendError) -> Event {
    Event::Failed(error.clone())
}
