//! The seam between whatever generates tokens and whatever measures or serves them.
//!
//! A [`Backend`] turns a [`GenerateRequest`] into a stream of [`Event`]s, each stamped where it
//! happens. This crate holds the trait, its plain data, a [`MockBackend`] with a virtual clock and
//! the [`conformance`] suite that every backend must pass. Concrete backends live in `backends`;
//! statistics over the stamps live in `record` and `bench`.

mod bell;
pub mod conformance;
pub mod elsewhere;
mod error;
mod event;
pub mod layer;
mod mock;
mod mock_service;
mod request;
mod service;

pub use bell::{Bell, Bells};
pub use elsewhere::Elsewhere;
pub use error::BackendError;
pub use event::{Event, FinishReason, Phases, Usage};
pub use mock::MockBackend;
pub use mock_service::{MockOptions, MockService, MockText};
pub use request::{
    Constraint, GenerateRequest, JsonForm, KvHeld, Priority, SamplingParams, ScoreRequest,
    TextScores, Whitespace,
};
pub use service::{Chat, EmbeddingSink, Pooling, Service, ServiceStatus, Sink, Text, Ticket};

use std::ops::ControlFlow;
use std::time::Duration;

/// A token's number in the model's vocabulary.
pub type TokenId = u32;

/// What a backend runs: the facts that a report shows beside its figures.
#[derive(Clone, Debug, Default)]
pub struct BackendInfo {
    /// Name in the `BACKENDS` table, e.g. `native`.
    pub backend: String,
    /// What computes, as llama-bench prints it, e.g. `CPU`.
    pub device: String,
    /// The engine and its version, e.g. `pacemark 0.1.0 native`.
    pub engine: String,
    /// The numbers that most of its products are computed in, e.g. `int8` or `bf16`; empty where that is
    /// not known.
    pub precision: String,
    /// The types of keys and values; empty where they are not known.
    pub kv_types: String,
    /// Instruction set in use, e.g. `avx512`.
    pub isa: String,
    /// File the model came from.
    pub model_path: String,
    /// Architecture and size as llama.cpp words it, e.g. `llama 135M Q4_1`.
    pub model_type: String,
    /// Bytes of all tensors in the file.
    pub model_bytes: u64,
    /// Number of weights.
    pub model_params: u64,
    /// Bytes of weights read to generate one token.
    pub bytes_per_token: u64,
    /// KV bytes one token occupies over all layers.
    pub kv_bytes_per_token: u64,
    /// Of those, what layers have that see a window of positions only, and that window; the largest
    /// where they differ.
    pub kv_windowed: Option<(u64, u64)>,
    /// Operations of one token in the layers; all zero where they are not known.
    pub layer_operations: Operations,
    /// Operations of one token's logits.
    pub output_operations: Operations,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Longest sequence this instance accepts.
    pub n_ctx: usize,
    /// Sequences of that length that it holds at once, in one batch or in several streams.
    pub n_seqs: usize,
    /// Threads that compute one token.
    pub n_threads: usize,
    /// Threads that compute prompts and batches.
    pub n_threads_batch: usize,
    /// Load time split into named stages, in order.
    pub load: Vec<(String, Duration)>,
    /// What was passed over while the model was read, in words for its user.
    pub warnings: Vec<String>,
    /// The token that starts a sequence, where the model wants one.
    pub bos: Option<TokenId>,
}

/// Operations of one token's products with weight matrices, a multiplication and an addition
/// counting two, by the type they are done in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// On 8-bit integers.
    pub int8: u64,
    /// On bfloat16.
    pub bf16: u64,
    /// On 32-bit floats.
    pub f32: u64,
}

/// What a backend can do; a report shows a dash with the reason for what it can't.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// [`Backend::score`] works.
    pub score: bool,
    /// [`Backend::predict`] works.
    pub logits: bool,
    /// Token events carry log-probabilities and alternatives.
    pub logprobs: bool,
    /// [`GenerateRequest::reuse_prefix`] has an effect.
    pub prefix_reuse: bool,
    /// [`Backend::generate_batch`] works.
    pub batch: bool,
    /// [`GenerateRequest::constraint`] is kept to.
    pub constraints: bool,
    /// [`Service::embed`] works.
    pub embeddings: bool,
    /// [`GenerateRequest::kv`] may be other than `full`.
    pub kv_policies: bool,
}

/// Memory of the engine process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Weights as they are held (packed or mapped).
    pub model_bytes: u64,
    /// KV cache reserved over all layers.
    pub kv_allocated_bytes: u64,
    /// KV cache that holds tokens.
    pub kv_used_bytes: u64,
}

/// The events of one request, in order; dropping it aborts the request and frees what it held.
///
/// The last event is [`Event::Finished`] or [`Event::Failed`]; nothing follows it.
pub type EventStream<'a> = Box<dyn Iterator<Item = Event> + 'a>;

/// The events of several requests, each with the index of its request; dropping it aborts all of
/// them.
///
/// For each request they are those of an [`EventStream`], in the same order; those of different
/// requests are interleaved as they happen. The lower bound of the size hint, of this stream as of that
/// one, is how many events are known and come without computing: whoever hands them on wakes
/// listeners once for all of these.
pub type BatchStream<'a> = Box<dyn Iterator<Item = (usize, Event)> + 'a>;

/// Where the process is that computes, for who measures its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Computes {
    /// This one.
    #[default]
    Here,
    /// Another one on this machine, by its number.
    Process(u32),
    /// A server's, of which nothing is known.
    Elsewhere,
}

/// Why a backend computes nothing any more, whatever it is asked: a worker that is lost, say. `None` as
/// long as it computes.
pub type Watch = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Anything that generates.
///
/// ```
/// use pacemark_backend::{Backend, Event, GenerateRequest, MockBackend};
/// use std::time::Duration;
///
/// let backend = MockBackend::new(Duration::from_millis(1), Duration::from_millis(5));
/// let request = GenerateRequest { prompt: vec![1, 2, 3], max_tokens: 2, ..GenerateRequest::default() };
///
/// // Driving the stream computes; dropping it would free what the request holds.
/// let mut n_tokens = 0;
/// for event in backend.generate(request) {
///     match event {
///         Event::Token { .. } => n_tokens += 1,
///         Event::Finished { usage, .. } => assert_eq!(usage.output_tokens, n_tokens),
///         Event::Failed(error) => panic!("{error}"),
///         _ => {}
///     }
/// }
/// assert_eq!(n_tokens, 2);
/// ```
pub trait Backend {
    /// What runs.
    fn info(&self) -> BackendInfo;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Starts a request. Errors that concern the request arrive as [`Event::Failed`].
    fn generate(&self, request: GenerateRequest) -> EventStream<'_>;

    /// Starts several requests that are computed together, as far as the backend can; each gives
    /// what it would give alone, within rounding. A request that is refused does not concern the
    /// others.
    ///
    /// Whether all prompts come before the first generated tokens is the backend's choice: a
    /// scheduler may mix them.
    fn generate_batch(&self, requests: Vec<GenerateRequest>) -> BatchStream<'_> {
        let refusal = BackendError::Unsupported {
            backend: "this backend",
            ability: "compute several requests together".into(),
        };
        Box::new((0..requests.len()).map(move |index| (index, Event::Failed(refusal.clone()))))
    }

    /// Log-probabilities (natural) of `tokens[i + 1]` given `tokens[..=i]`, for `i` in
    /// `first..tokens.len() - 1`.
    fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
        let _ = (tokens, first);
        Err(BackendError::Unsupported { backend: "this backend", ability: "score tokens".into() })
    }

    /// Scores a text as one sequence, each token given what a policy keeps of those before it, as
    /// if they had come one at a time. `progress(computed, of)` is told now and then, and may end
    /// it: then there are fewer scores.
    fn score_text(
        &self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<TextScores, BackendError> {
        let _ = (request, progress);
        Err(BackendError::Unsupported { backend: "this backend", ability: "score a text".into() })
    }

    /// Predicts a text as one sequence: `row(i, logits)` is told what is predicted after `tokens[i]`,
    /// for each `i` in `first..tokens.len() - 1` in order, one logit for each token of the
    /// vocabulary, not normalized. It may end it.
    fn predict(
        &self,
        request: &ScoreRequest,
        row: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        let _ = (request, row);
        Err(BackendError::Unsupported {
            backend: "this backend",
            ability: "hand out logits".into(),
        })
    }

    /// Scores several texts, each as [`Backend::score_text`] scores it alone; what one has in common
    /// with the beginning of the one before it may be computed once.
    fn score_texts(&self, requests: &[ScoreRequest]) -> Result<Vec<TextScores>, BackendError> {
        let go_on = &mut |_, _| ControlFlow::Continue(());
        requests.iter().map(|request| self.score_text(request, go_on)).collect()
    }

    /// Gives memory back that holds nothing, as far as the backend can: for measuring what the next
    /// request takes.
    fn trim(&self) {}

    /// Memory held, where it can be known.
    fn memory(&self) -> Option<MemoryUsage> {
        None
    }

    /// Which process computes.
    fn computes(&self) -> Computes {
        Computes::Here
    }

    /// Workers on other machines and what they were used for until now; `None` where all is computed
    /// here. Asking takes a round trip to each: not within what is timed.
    fn elsewhere(&self) -> Option<Elsewhere> {
        None
    }

    /// Who knows, on any thread and at any time, whether it still computes. `None` where nothing is
    /// known to end that.
    fn watch(&self) -> Option<Watch> {
        None
    }
}
