//! Pacemark's own engine behind the backend trait.
//!
//! A request is a lazy stream: every `next()` computes one step (a chunk of the prompt, or a token), so whoever drives the
//! stream sets the pace, and dropping it frees its pages at once.

mod generation;

use generation::Generation;
use pacemark_backend::{
    Backend, BackendError, BackendInfo, Capabilities, Event, EventStream, GenerateRequest, MemoryUsage, TokenId,
};
use pacemark_engine::{BatchItem, Decoder, DecoderOptions, EngineError, LoadOptions, LogitRows, Model, SequenceKv};
use pacemark_tokenizer::{ChatTemplate, TemplateError, Tokenizer};
use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

/// Its name in [`crate::BACKENDS`].
pub const NAME: &str = "native";

/// Tokens whose logits are held at once while scoring: a quarter of a million logits each may be a lot of memory.
const SCORE_CHUNK: usize = 128;

/// How to run a model.
#[derive(Clone, Copy, Debug)]
pub struct NativeOptions {
    /// Threads that compute.
    pub n_threads: usize,
    /// Tokens that fit the KV cache; `None` for the model's training context, at most [`Self::DEFAULT_MAX_CTX`].
    pub n_ctx: Option<usize>,
    /// Prompt tokens computed at once.
    pub n_ubatch: usize,
}

impl NativeOptions {
    /// The largest context that is reserved without being asked for.
    pub const DEFAULT_MAX_CTX: usize = 8192;
}

impl Default for NativeOptions {
    fn default() -> Self {
        let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
        NativeOptions { n_threads, n_ctx: None, n_ubatch: 512 }
    }
}

/// Why the native backend could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// The model cannot be loaded.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its vocabulary cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] pacemark_tokenizer::TokenizerError),
    /// Vocabulary and embedding disagree.
    #[error("{file}: the tokenizer has {tokens} tokens, token_embd.weight has {rows} rows")]
    Vocabulary {
        /// The file.
        file: String,
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Rows of the embedding.
        rows: usize,
    },
}

/// A loaded model.
pub struct NativeBackend {
    state: RefCell<State>,
    tokenizer: Option<Tokenizer>,
    info: BackendInfo,
    n_ubatch: usize,
}

/// What a step needs exclusively.
struct State {
    decoder: Decoder,
    /// KV of the last request that asked to keep it, with its tokens.
    kept: Option<(SequenceKv, Vec<TokenId>)>,
}

impl NativeBackend {
    /// Loads `path`. `progress(layers done, layers)` is called as packing goes on.
    ///
    /// A file without a tokenizer can be run on token ids; its events then carry no text.
    pub fn load(
        path: &Path,
        options: NativeOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<NativeBackend, NativeError> {
        let n_threads = options.n_threads.max(1);
        // The memory check wants the context, whose default only the opened file knows: the largest default is assumed.
        let assumed = options.n_ctx.unwrap_or(NativeOptions::DEFAULT_MAX_CTX);
        let model = Model::load(path, LoadOptions { n_threads, n_ctx: assumed }, progress)?;
        let started = Instant::now();
        let has_tokenizer = model.file().metadata().get("tokenizer.ggml.model").is_some();
        let tokenizer = if has_tokenizer { Some(Tokenizer::from_metadata(model.file().metadata())?) } else { None };
        let rows = model.config().n_vocab;
        if let Some(tokens) = tokenizer.as_ref().map(Tokenizer::vocab_size).filter(|&tokens| tokens > rows) {
            return Err(NativeError::Vocabulary { file: path.display().to_string(), tokens, rows });
        }
        let tokenizer_time = started.elapsed();
        let n_ctx = options.n_ctx.unwrap_or(model.config().n_ctx_train.min(NativeOptions::DEFAULT_MAX_CTX));
        let mut info = describe(&model, path, n_ctx);
        info.bos = tokenizer.as_ref().filter(|t| t.adds_bos()).and_then(Tokenizer::bos);
        let times = model.times();
        let mut decoder = Decoder::new(model, DecoderOptions { n_ctx });
        let started = Instant::now();
        warm(&mut decoder)?;
        info.load =
            vec![("map", times.map), ("pack", times.pack), ("tokenizer", tokenizer_time), ("warm", started.elapsed())];
        let state = RefCell::new(State { decoder, kept: None });
        Ok(NativeBackend { state, tokenizer, info, n_ubatch: options.n_ubatch.max(1) })
    }

    /// The model's tokenizer, if its file has one.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.tokenizer.as_ref()
    }

    /// The model's chat template, or ChatML if it brings none; `None` without a tokenizer.
    pub fn chat_template(&self) -> Option<Result<ChatTemplate, TemplateError>> {
        let state = self.state.borrow();
        let metadata = state.decoder.model().file().metadata();
        self.tokenizer.as_ref().map(|tokenizer| ChatTemplate::from_metadata(metadata, tokenizer))
    }

    /// Time of all load stages.
    pub fn load_time(&self) -> Duration {
        self.info.load.iter().map(|(_, time)| *time).sum()
    }
}

fn describe(model: &Model, path: &Path, n_ctx: usize) -> BackendInfo {
    let file = model.file();
    BackendInfo {
        backend: NAME.into(),
        device: "CPU".into(),
        isa: model.kernels().isa.name().into(),
        model_path: path.display().to_string(),
        model_type: crate::model_type(file),
        model_bytes: file.n_bytes(),
        model_params: file.n_params(),
        bytes_per_token: pacemark_modelfile::summary::bytes_per_token(file).unwrap_or(0),
        kv_bytes_per_token: model.config().kv_bytes_per_token(),
        vocab_size: model.config().n_vocab,
        n_ctx,
        n_threads: model.n_threads(),
        ..BackendInfo::default()
    }
}

/// One token through all layers: touches the packed weights and wakes the threads, so that the first request does not pay.
fn warm(decoder: &mut Decoder) -> Result<(), EngineError> {
    let mut kv = SequenceKv::default();
    let result = decoder.forward(&mut [BatchItem { kv: &mut kv, tokens: &[0], logits: LogitRows::Last }]).map(|_| ());
    decoder.kv_mut().release(&mut kv);
    result
}

fn failed(error: &EngineError) -> BackendError {
    BackendError::Engine(error.to_string())
}

impl Backend for NativeBackend {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { score: true, logprobs: true, prefix_reuse: true }
    }

    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        match self.check(&request) {
            Ok(()) => Box::new(Generation::new(self, request)),
            Err(error) => Box::new(std::iter::once(Event::Failed(error))),
        }
    }

    fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
        let n_ctx = self.info.n_ctx;
        if tokens.len() > n_ctx {
            return Err(BackendError::ContextExceeded { prompt: tokens.len(), max_tokens: 0, n_ctx });
        }
        let mut state = self.state.borrow_mut();
        state.drop_kept();
        let mut kv = SequenceKv::default();
        let scores = state.score(&mut kv, tokens, first);
        state.decoder.kv_mut().release(&mut kv);
        scores.map_err(|error| failed(&error))
    }

    fn memory(&self) -> Option<MemoryUsage> {
        let state = self.state.borrow();
        let kv = state.decoder.kv();
        Some(MemoryUsage {
            model_bytes: state.decoder.model().packed_bytes(),
            kv_allocated_bytes: kv.allocated_bytes(),
            kv_used_bytes: kv.used_bytes(),
        })
    }
}

impl NativeBackend {
    fn check(&self, request: &GenerateRequest) -> Result<(), BackendError> {
        let (prompt, max_tokens, n_ctx) = (request.prompt.len(), request.max_tokens, self.info.n_ctx);
        if prompt == 0 {
            return Err(BackendError::InvalidRequest("the prompt is empty".into()));
        }
        if prompt.saturating_add(max_tokens) > n_ctx {
            return Err(BackendError::ContextExceeded { prompt, max_tokens, n_ctx });
        }
        let s = &request.sampling;
        let numbers = [
            ("temperature", s.temperature, 0.0, f32::MAX),
            ("top_p", s.top_p, 0.0, 1.0),
            ("min_p", s.min_p, 0.0, 1.0),
            ("repetition_penalty", s.repetition_penalty, f32::MIN_POSITIVE, f32::MAX),
            ("presence_penalty", s.presence_penalty, f32::MIN, f32::MAX),
            ("frequency_penalty", s.frequency_penalty, f32::MIN, f32::MAX),
        ];
        match numbers.iter().find(|(_, value, min, max)| !(min..=max).contains(&value)) {
            Some((name, value, ..)) => Err(BackendError::InvalidRequest(format!("{name}: {value} is out of range"))),
            None => Ok(()),
        }
    }
}

impl State {
    fn drop_kept(&mut self) {
        if let Some((mut kv, _)) = self.kept.take() {
            self.decoder.kv_mut().release(&mut kv);
        }
    }

    fn score(&mut self, kv: &mut SequenceKv, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, EngineError> {
        // The last token predicts nothing that is asked for, so it is not computed.
        let n_inputs = tokens.len().saturating_sub(1);
        let first = first.min(n_inputs);
        let mut scores = Vec::with_capacity(n_inputs - first);
        self.decoder.forward(&mut [BatchItem { kv, tokens: &tokens[..first], logits: LogitRows::None }])?;
        for start in (first..n_inputs).step_by(SCORE_CHUNK) {
            let end = (start + SCORE_CHUNK).min(n_inputs);
            let item = BatchItem { kv, tokens: &tokens[start..end], logits: LogitRows::From(0) };
            let n_vocab = self.decoder.model().config().n_vocab;
            let logits = self.decoder.forward(&mut [item])?.to_vec();
            for (row, &next) in logits.chunks_exact(n_vocab).zip(&tokens[start + 1..=end]) {
                scores.push(self.decoder.model().logprobs(row, next, 0).chosen);
            }
        }
        Ok(scores)
    }
}
