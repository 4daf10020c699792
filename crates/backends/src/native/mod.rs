//! Pacemark's own engine behind the backend trait.

mod engine;
mod error;
mod probe;
mod service;
mod stages;

use crate::generation::{Host, Limits};
use crate::text::has_tokenizer;
use crate::{cost, supports};
use engine::NativeEngine;
use pacemark_backend::{
    Backend, BackendError, BackendInfo, BatchStream, Capabilities, EventStream, GenerateRequest,
    MemoryUsage, ScoreRequest, TextScores, TokenId,
};
use pacemark_engine::{
    BatchItem, Decoder, DecoderOptions, EngineError, KV_BLOCK, KernelSet, KvCache, KvTypes,
    LogitRows, Model, SequenceKv,
};
use pacemark_modelfile::{ModelFile, ModelFileError};
use pacemark_setup::{Setup, Unsupported};
use pacemark_tokenizer::{ChatTemplates, Tokenizer};
pub use probe::Probe;
pub use service::{NativeService, ScoreSink, ServiceOptions};
pub use stages::run_stage;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Its name in [`crate::BACKENDS`].
pub const NAME: &str = "native";

/// Why the native backend could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// The setup asks for what it does not do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
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
    /// The thread that loads the model ended without a word.
    #[error("the engine's thread panicked while it loaded the model")]
    Died,
}

/// A model ready to compute.
struct Loaded {
    decoder: Decoder,
    tokenizer: Option<Tokenizer>,
    limits: Limits,
    info: BackendInfo,
}

/// A loaded model.
pub struct NativeBackend {
    host: Host<NativeEngine>,
    info: BackendInfo,
}

impl NativeBackend {
    /// Loads `path`. `progress(layers done, layers)` is called as packing goes on.
    ///
    /// A file without a tokenizer can be run on token ids; its events then carry no text.
    pub fn load(
        path: &Path,
        setup: &Setup,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<NativeBackend, NativeError> {
        let Loaded { decoder, tokenizer, limits, info } = load(path, setup, None, progress)?;
        Ok(NativeBackend { host: Host::new(NativeEngine(decoder), tokenizer, limits), info })
    }

    /// The model's tokenizer, if its file has one.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.host.tokenizer()
    }

    /// As [`pacemark_backend::Service::room`].
    pub fn room(&self, kv: Option<&str>, n_prompt: usize) -> Result<usize, BackendError> {
        self.host.room(kv, n_prompt)
    }

    /// The model's chat templates, or ChatML if it brings none; `None` without a tokenizer.
    pub fn chat_templates(&self) -> Option<Result<ChatTemplates, ModelFileError>> {
        let tokenizer = self.host.tokenizer()?;
        let of = |engine: &NativeEngine| {
            ChatTemplates::from_metadata(engine.0.model().file().metadata(), tokenizer)
        };
        Some(self.host.with_engine(of))
    }

    /// Time of all load stages.
    pub fn load_time(&self) -> Duration {
        self.info.load.iter().map(|(_, time)| *time).sum()
    }
}

/// Loads `path`, with a KV cache for `n_seqs` sequences of the context each, or as `service` says.
fn load(
    path: &Path,
    setup: &Setup,
    service: Option<ServiceOptions>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Loaded, NativeError> {
    let kv = supports::kv_types(setup)?;
    let n_seqs = service.map_or(setup.n_seqs, |service| service.max_num_seqs).max(1);
    let n_kv_tokens = |n_ctx: usize| match service {
        None => in_all(n_ctx, n_seqs),
        Some(service) => {
            let most = in_all(n_ctx, n_seqs);
            service
                .n_kv_tokens
                .unwrap_or(most.min(ServiceOptions::DEFAULT_MAX_KV_TOKENS))
                .max(n_ctx)
        }
    };
    // The memory check wants the context, whose default only the opened file knows: the largest
    // default is assumed.
    let assumed = setup.n_ctx.unwrap_or(Setup::DEFAULT_MAX_CTX);
    let cache = DecoderOptions { n_ctx: n_kv_tokens(assumed), kv };
    let model = Model::load(path, setup.threads, setup.weights, cache, progress)?;
    let started = Instant::now();
    let tokenizer = if has_tokenizer(model.file().metadata()) {
        Some(Tokenizer::from_metadata(model.file().metadata())?)
    } else {
        None
    };
    let rows = model.config().n_vocab;
    if let Some(tokens) =
        tokenizer.as_ref().map(Tokenizer::vocab_size).filter(|&tokens| tokens > rows)
    {
        return Err(NativeError::Vocabulary { file: path.display().to_string(), tokens, rows });
    }
    let tokenizer_time = started.elapsed();
    let n_ctx = setup.n_ctx.unwrap_or(model.config().n_ctx_train.min(Setup::DEFAULT_MAX_CTX));
    let kv_types = setup.cache.told();
    let mut info = BackendInfo { n_ctx, n_seqs, kv_types, ..describe(&model, kv, path) };
    let tokenizer_warnings = tokenizer.as_ref().map(Tokenizer::warnings).unwrap_or_default();
    info.warnings = [model.file().warnings(), tokenizer_warnings].concat();
    info.bos = tokenizer.as_ref().filter(|t| t.adds_bos()).and_then(Tokenizer::bos);
    let times = model.times();
    let mut decoder = Decoder::new(model, DecoderOptions { n_ctx: n_kv_tokens(n_ctx), kv });
    let started = Instant::now();
    warm(&mut decoder)?;
    let stages = [
        ("map", times.map),
        ("pack", times.pack),
        ("tokenizer", tokenizer_time),
        ("warm", started.elapsed()),
    ];
    info.load = stages.map(|(stage, time)| (stage.to_owned(), time)).to_vec();
    let limits = Limits {
        backend: NAME,
        policies: Some(Arc::new(decoder.model().config().clone())),
        n_ctx,
        n_seqs,
        n_step: setup.n_step(),
        n_vocab: info.vocab_size,
    };
    Ok(Loaded { decoder, tokenizer, limits, info })
}

fn describe(model: &Model, kv: KvTypes, path: &Path) -> BackendInfo {
    let info = BackendInfo {
        vocab_size: model.config().n_vocab,
        n_threads: model.n_threads(),
        n_threads_batch: model.n_threads_batch(),
        ..of_file(model.file(), model.kernels(), path)
    };
    cost::with(info, model.file(), model.kv_bytes_per_token(kv))
}

/// What the backend will say of a model, from its header alone. What that does not tell stays zero.
pub fn preview(file: &ModelFile, setup: &Setup) -> Result<BackendInfo, NativeError> {
    let kv = supports::kv_types(setup)?;
    let kernels = pacemark_engine::kernels().map_err(EngineError::from)?;
    let block = pacemark_engine::model_config(file)
        .ok()
        .and_then(|config| KvCache::bytes_for(&config, kv, KV_BLOCK));
    let info = BackendInfo {
        n_threads: setup.threads.per_token(),
        n_threads_batch: setup.threads.per_batch(),
        ..of_file(file, kernels, file.path())
    };
    Ok(cost::with(info, file, block.unwrap_or(0) / KV_BLOCK as u64))
}

fn of_file(file: &ModelFile, kernels: &KernelSet, path: &Path) -> BackendInfo {
    BackendInfo {
        backend: NAME.into(),
        device: "CPU".into(),
        engine: format!("pacemark {} {NAME}", env!("CARGO_PKG_VERSION")),
        isa: kernels.isa.name().into(),
        model_path: path.display().to_string(),
        model_type: crate::model_type(file),
        model_bytes: file.n_bytes(),
        model_params: file.n_params(),
        ..BackendInfo::default()
    }
}

/// One token through all layers: touches the packed weights and wakes the threads, so that the
/// first request does not pay.
fn warm(decoder: &mut Decoder) -> Result<(), EngineError> {
    let mut kv = SequenceKv::default();
    let result = decoder
        .forward(&mut [BatchItem { kv: &mut kv, tokens: &[0], logits: LogitRows::Last }])
        .map(|_| ());
    decoder.kv_mut().release(&mut kv);
    result
}

/// Tokens of a cache for `n_seqs` sequences of `n_ctx`, each in blocks of its own.
fn in_all(n_ctx: usize, n_seqs: usize) -> usize {
    if n_seqs == 1 {
        n_ctx
    } else {
        n_ctx.div_ceil(KV_BLOCK).saturating_mul(KV_BLOCK).saturating_mul(n_seqs)
    }
}

impl Backend for NativeBackend {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            score: true,
            logits: true,
            logprobs: true,
            prefix_reuse: true,
            batch: true,
            constraints: self.tokenizer().is_some(),
            embeddings: false,
            kv_policies: true,
        }
    }

    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        self.host.generate(request)
    }

    fn generate_batch(&self, requests: Vec<GenerateRequest>) -> BatchStream<'_> {
        self.host.generate_batch(requests)
    }

    fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
        self.host.score(tokens, first)
    }

    fn score_text(
        &self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<TextScores, BackendError> {
        self.host.score_text(request, progress)
    }

    fn predict(
        &self,
        request: &ScoreRequest,
        row: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        self.host.predict(request, row)
    }

    fn score_texts(&self, requests: &[ScoreRequest]) -> Result<Vec<TextScores>, BackendError> {
        self.host.score_texts(requests)
    }

    fn trim(&self) {
        self.host.trim();
    }

    fn memory(&self) -> Option<MemoryUsage> {
        self.host.memory()
    }
}
