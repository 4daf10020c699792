//! llama.cpp behind the backend trait, to compare with: feature `llama-cpp`, off by default.
//!
//! The engine is the pinned version of the `llama-cpp-sys-2` crate, built as llama.cpp builds
//! itself (`.cargo/config.toml`) and set up as llama-bench sets it up. Tokens are chosen by the
//! same sampler as the native engine's, so that a comparison is one of the engines. Text and the
//! tokens that end a generation come from Pacemark's tokenizer where it reads the model's.

mod devices;
mod engine;
mod ffi;
mod work;
mod workers;

use crate::generation::{Host, Item, Limits, Wanted};
use crate::{cost, supports};
use engine::LlamaEngine;
use ffi::{Context, ContextParams, Model};
use pacemark_backend::{
    Backend, BackendError, BackendInfo, BatchStream, Capabilities, Elsewhere, EventStream,
    GenerateRequest, MemoryUsage, ScoreRequest, TextScores, TokenId, Watch,
};
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{DType, ModelFile, ModelFileError, TensorInfo};
use pacemark_setup::{CacheTypes, Offload, Setup, Split, Unsupported};
use pacemark_tokenizer::Tokenizer;
use std::ffi::CString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
pub use work::WorkError;
pub(crate) use work::{devices, work};
use workers::Workers;

/// Its name in [`crate::BACKENDS`].
pub const NAME: &str = "llama-cpp";

/// Why llama.cpp could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LlamaCppError {
    /// The setup asks for what it does not do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It has a format of its own.
    #[error("{}: the llama-cpp backend reads GGUF files only", .0.display())]
    Directory(PathBuf),
    /// The file is not one that may be handed to it.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The path cannot be passed to C.
    #[error("{}: the path contains a NUL byte or is not UTF-8", .0.display())]
    Path(PathBuf),
    /// It refused the file or the options.
    #[error("{}: llama.cpp cannot {action}: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Its log.
        reason: String,
    },
    /// Devices that are not there, or cannot be used so.
    #[error("{0}")]
    Devices(String),
    /// A worker that cannot be used, or was lost; the text names it.
    #[error("{0}")]
    Worker(String),
    /// A number that llama.cpp cannot count to.
    #[error("{name} {value} is more than llama.cpp can hold")]
    TooLarge {
        /// Which.
        name: &'static str,
        /// Its value.
        value: usize,
    },
    /// The first token failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// A model loaded by llama.cpp.
pub struct LlamaCppBackend {
    host: Host<LlamaEngine>,
    info: BackendInfo,
    workers: Option<Arc<Workers>>,
}

impl LlamaCppBackend {
    /// Loads `path`.
    pub fn load(path: &Path, setup: &Setup) -> Result<LlamaCppBackend, LlamaCppError> {
        supports::llama_cpp(setup)?;
        if path.is_dir() {
            return Err(LlamaCppError::Directory(path.to_owned()));
        }
        let started = Instant::now();
        // Read by us first: llama.cpp ends the process on some broken files.
        let file = ModelFile::open(path)?;
        let c_path = path.to_str().and_then(|text| CString::new(text).ok());
        let c_path = c_path.ok_or_else(|| LlamaCppError::Path(path.to_owned()))?;
        // Without a layer elsewhere it is this machine alone: nobody is asked, nothing is shared out.
        let none = Offload { n_layers: Some(0), ..Offload::default() };
        let offload = if setup.offload.n_layers == Some(0) { &none } else { &setup.offload };
        let workers = Workers::of(offload)?;
        let (model_params, names) = devices::params(offload, &setup.weights, workers.as_deref())?;
        // Of other splits llama.cpp's own error tells.
        let takes_all = offload.devices.is_none() && offload.split == Split::Layer;
        if let Some(workers) = workers.as_ref().filter(|_| takes_all && ffi::local().is_empty()) {
            workers.check_room(offloaded_bytes(&file, setup))?;
        }
        let refused = |action| {
            let workers = &workers;
            move || {
                let reason = ffi::take_errors();
                let reason = workers.iter().fold(reason, |reason, workers| workers.named(reason));
                LlamaCppError::Refused { path: path.to_owned(), action, reason }
            }
        };
        let guard = workers.as_ref().map(|workers| workers.guard.clone());
        let model = Model::load(&c_path, &model_params, guard)
            .map_err(LlamaCppError::Worker)?
            .ok_or_else(refused("load the model"))?;
        let loaded = Instant::now();
        let default_ctx = model.n_ctx_train().min(Setup::DEFAULT_MAX_CTX);
        let n_ctx = setup.n_ctx.unwrap_or(default_ctx).max(1);
        let n_seqs = setup.n_seqs.max(1);
        let n_batch = setup.n_batch.max(1);
        let (n_threads, n_threads_batch) = (setup.threads.per_token(), setup.threads.per_batch());
        let params = ContextParams {
            // A sequence's share is rounded up to 256 by llama.cpp; what is asked for must be so
            // for each of them.
            n_ctx: number("n_ctx", n_ctx.div_ceil(256).saturating_mul(256).saturating_mul(n_seqs))?,
            n_batch: number("n_batch", n_batch.max(n_seqs))?,
            n_ubatch: number("n_ubatch", setup.n_step())?,
            n_seq_max: number("n_seqs", n_seqs)?,
            n_threads: number("n_threads", n_threads)? as i32,
            n_threads_batch: number("n_threads_batch", n_threads_batch)? as i32,
            flash_attn: setup.flash_attn.map_or(-1, i32::from),
            type_k: setup.cache.k.info().ggml_id,
            type_v: setup.cache.v.info().ggml_id,
            offload_kv: setup.offload.kv,
            offload_ops: setup.offload.ops,
        };
        let bos = model.bos();
        let context = Context::new(model, &params)
            .map_err(LlamaCppError::Worker)?
            .ok_or_else(refused("set up a context"))?;
        let tokenizer = Tokenizer::from_metadata(file.metadata()).ok();
        let mut info = describe(&file, path, &context, setup.cache);
        if setup.offload.n_layers != Some(0) && !names.is_empty() {
            info.device = format!("llama.cpp {}", kinds(&names).join(","));
        }
        info.n_ctx = n_ctx.min(context.n_ctx_seq());
        info.n_seqs = n_seqs;
        info.n_threads = n_threads;
        info.n_threads_batch = n_threads_batch;
        info.bos = bos;
        let mut engine = LlamaEngine::new(context, n_seqs);
        let ready = Instant::now();
        warm(&mut engine)?;
        info.load =
            [("map", loaded - started), ("context", ready - loaded), ("warm", ready.elapsed())]
                .map(|(stage, time)| (stage.to_owned(), time))
                .to_vec();
        let limits = Limits {
            backend: NAME,
            policies: None,
            n_ctx: info.n_ctx,
            n_seqs,
            n_step: n_batch,
            n_vocab: info.vocab_size,
        };
        Ok(LlamaCppBackend { host: Host::new(engine, tokenizer, limits), info, workers })
    }
}

/// Kinds of devices as llama-bench prints them: `CUDA`, `RPC`, without numbers, each once.
fn kinds(names: &[String]) -> Vec<&str> {
    let mut kinds: Vec<&str> = Vec::new();
    for name in names {
        let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Bytes of the tensors that go to devices, at least: all layers are taken as equal, and what is
/// outside of them (embeddings, output) as staying here.
fn offloaded_bytes(file: &ModelFile, setup: &Setup) -> u64 {
    let in_layers = file.tensors().iter().filter(|tensor| tensor.name.starts_with("blk."));
    let bytes: u64 = in_layers.map(TensorInfo::n_bytes).sum();
    let n_layers = Summary::of(file).ok().and_then(|summary| summary.n_layer).unwrap_or(0);
    match setup.offload.n_layers {
        Some(n) if u64::from(n) < n_layers => {
            (u128::from(bytes) * u128::from(n) / u128::from(n_layers)) as u64
        }
        _ => bytes,
    }
}

/// llama.cpp counts in 32 bits, signed in places.
fn number(name: &'static str, value: usize) -> Result<u32, LlamaCppError> {
    let fits = u32::try_from(value).ok().filter(|&n| n <= i32::MAX as u32);
    fits.ok_or(LlamaCppError::TooLarge { name, value })
}

fn describe(file: &ModelFile, path: &Path, context: &Context, cache: CacheTypes) -> BackendInfo {
    let info = BackendInfo {
        backend: NAME.into(),
        device: "llama.cpp CPU".into(),
        engine: format!("llama.cpp {}", ffi::version()),
        model_path: path.display().to_string(),
        model_type: crate::model_type(file),
        model_bytes: file.n_bytes(),
        model_params: file.n_params(),
        vocab_size: context.model().n_vocab(),
        kv_types: cache.told(),
        ..BackendInfo::default()
    };
    // Half of what a token would take with both in one type: keys are as long as values.
    let of =
        |dtype: DType| Summary::of(file).ok()?.kv_bytes_per_token(dtype).map(|bytes| bytes / 2);
    cost::with(info, file, of(cache.k).zip(of(cache.v)).map_or(0, |(k, v)| k + v))
}

/// One token through all layers, as the native backend does: the first request does not pay for
/// page faults.
fn warm(engine: &mut LlamaEngine) -> Result<(), BackendError> {
    use crate::generation::Engine;
    let mut sequence = engine.open(None);
    let result =
        engine.forward(&mut [Item { sequence: &mut sequence, tokens: &[0], wanted: Wanted::Last }]);
    engine.close(sequence);
    engine.rest();
    result
}

impl Backend for LlamaCppBackend {
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
            ..Capabilities::default()
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

    fn memory(&self) -> Option<MemoryUsage> {
        self.host.memory()
    }

    fn elsewhere(&self) -> Option<Elsewhere> {
        let workers = self.workers.as_ref()?;
        Some(Elsewhere { links: workers.links.clone(), usage: workers.relays.usage() })
    }

    fn watch(&self) -> Option<Watch> {
        let guard = self.workers.as_ref()?.guard.clone();
        Some(Box::new(move || guard.check().err()))
    }
}
