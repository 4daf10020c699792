//! llama.cpp behind the backend trait, to compare with: feature `llama-cpp`, off by default.
//!
//! The engine is the pinned version of the `llama-cpp-sys-2` crate, built as llama.cpp builds
//! itself (`.cargo/config.toml`) and set up as llama-bench sets it up. Tokens are chosen by the
//! same sampler as the native engine's, so that a comparison is one of the engines. Text and the
//! tokens that end a generation come from Pacemark's tokenizer where it reads the model's.

mod engine;
mod ffi;

use crate::cost;
use crate::generation::{Host, Item, Limits, Wanted};
use engine::LlamaEngine;
use ffi::{Context, ContextParams, Model};
use llama_cpp_sys_2 as sys;
use pacemark_backend::{
    Backend, BackendError, BackendInfo, BatchStream, Capabilities, EventStream, GenerateRequest,
    MemoryUsage, TokenId,
};
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{DType, ModelFile, ModelFileError};
use pacemark_tokenizer::Tokenizer;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Its name in [`crate::BACKENDS`].
pub const NAME: &str = "llama-cpp";

/// Types of the KV cache by the names that llama.cpp's own tools take.
const KV_TYPES: &[(&str, sys::ggml_type)] = &[
    ("f32", sys::GGML_TYPE_F32),
    ("f16", sys::GGML_TYPE_F16),
    ("bf16", sys::GGML_TYPE_BF16),
    ("q8_0", sys::GGML_TYPE_Q8_0),
    ("q4_0", sys::GGML_TYPE_Q4_0),
    ("q4_1", sys::GGML_TYPE_Q4_1),
    ("q5_0", sys::GGML_TYPE_Q5_0),
    ("q5_1", sys::GGML_TYPE_Q5_1),
    ("iq4_nl", sys::GGML_TYPE_IQ4_NL),
];

/// How to run a model.
#[derive(Clone, Debug)]
pub struct LlamaCppOptions {
    /// Threads that compute one token.
    pub n_threads: usize,
    /// Threads that compute several tokens at once; `None` for as many as `n_threads`.
    pub n_threads_batch: Option<usize>,
    /// Tokens of the longest sequence; `None` for the model's training context, at most
    /// [`crate::native::NativeOptions::DEFAULT_MAX_CTX`].
    pub n_ctx: Option<usize>,
    /// Sequences of that length that the KV cache holds at once.
    pub n_seqs: usize,
    /// Tokens handed over at once.
    pub n_batch: usize,
    /// Of those, tokens computed at once.
    pub n_ubatch: usize,
    /// Flash attention; `None` to let llama.cpp choose.
    pub flash_attn: Option<bool>,
    /// Types of keys and values, by llama.cpp's names.
    pub kv_types: (String, String),
}

impl Default for LlamaCppOptions {
    fn default() -> Self {
        let n_threads = pacemark_limits::processors();
        LlamaCppOptions {
            n_threads,
            n_threads_batch: None,
            n_ctx: None,
            n_seqs: 1,
            n_batch: 2048,
            n_ubatch: 512,
            flash_attn: None,
            kv_types: ("f16".into(), "f16".into()),
        }
    }
}

/// Why llama.cpp could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LlamaCppError {
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
    /// A type of the KV cache that it does not have.
    #[error(
        "KV cache type {0}: llama.cpp takes f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1 or iq4_nl"
    )]
    KvType(String),
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
}

impl LlamaCppBackend {
    /// Loads `path`.
    pub fn load(path: &Path, options: &LlamaCppOptions) -> Result<LlamaCppBackend, LlamaCppError> {
        let started = Instant::now();
        let kv_type = |name: &str| {
            let found = KV_TYPES.iter().find(|(known, _)| *known == name).map(|(_, id)| *id);
            found.ok_or_else(|| LlamaCppError::KvType(name.to_owned()))
        };
        let (type_k, type_v) = (kv_type(&options.kv_types.0)?, kv_type(&options.kv_types.1)?);
        // Read by us first: llama.cpp ends the process on some broken files.
        let file = ModelFile::open(path)?;
        let c_path = path.to_str().and_then(|text| CString::new(text).ok());
        let c_path = c_path.ok_or_else(|| LlamaCppError::Path(path.to_owned()))?;
        let refused = |action| {
            move || LlamaCppError::Refused {
                path: path.to_owned(),
                action,
                reason: ffi::take_errors(),
            }
        };
        let model = Model::load(&c_path).ok_or_else(refused("load the model"))?;
        let loaded = Instant::now();
        let default_ctx = model.n_ctx_train().min(crate::native::NativeOptions::DEFAULT_MAX_CTX);
        let n_ctx = options.n_ctx.unwrap_or(default_ctx).max(1);
        let n_seqs = options.n_seqs.max(1);
        let (n_batch, n_ubatch) = (options.n_batch.max(1), options.n_ubatch.max(1));
        let n_threads = options.n_threads.max(1);
        let n_threads_batch = options.n_threads_batch.unwrap_or(n_threads).max(1);
        let params = ContextParams {
            // A sequence's share is rounded up to 256 by llama.cpp; what is asked for must be so
            // for each of them.
            n_ctx: number("n_ctx", n_ctx.div_ceil(256).saturating_mul(256).saturating_mul(n_seqs))?,
            n_batch: number("n_batch", n_batch.max(n_seqs))?,
            n_ubatch: number("n_ubatch", n_ubatch)?,
            n_seq_max: number("n_seqs", n_seqs)?,
            n_threads: number("n_threads", n_threads)? as i32,
            n_threads_batch: number("n_threads_batch", n_threads_batch)? as i32,
            flash_attn: options.flash_attn.map_or(-1, i32::from),
            type_k,
            type_v,
        };
        let bos = model.bos();
        let context = Context::new(model, &params).ok_or_else(refused("set up a context"))?;
        let tokenizer = Tokenizer::from_metadata(file.metadata()).ok();
        let mut info = describe(&file, path, &context, &options.kv_types);
        info.n_ctx = n_ctx.min(context.n_ctx_seq());
        info.n_seqs = n_seqs;
        info.n_threads = n_threads;
        info.n_threads_batch = n_threads_batch;
        info.bos = bos;
        let mut engine = LlamaEngine::new(context, n_seqs);
        let ready = Instant::now();
        warm(&mut engine)?;
        info.load =
            vec![("map", loaded - started), ("context", ready - loaded), ("warm", ready.elapsed())];
        let limits =
            Limits { n_ctx: info.n_ctx, n_seqs, n_step: n_batch, n_vocab: info.vocab_size };
        Ok(LlamaCppBackend { host: Host::new(engine, tokenizer, limits), info })
    }
}

/// llama.cpp counts in 32 bits, signed in places.
fn number(name: &'static str, value: usize) -> Result<u32, LlamaCppError> {
    let fits = u32::try_from(value).ok().filter(|&n| n <= i32::MAX as u32);
    fits.ok_or(LlamaCppError::TooLarge { name, value })
}

fn describe(
    file: &ModelFile,
    path: &Path,
    context: &Context,
    kv_types: &(String, String),
) -> BackendInfo {
    let info = BackendInfo {
        backend: NAME.into(),
        device: "llama.cpp CPU".into(),
        engine: format!("llama.cpp {}", ffi::version()),
        model_path: path.display().to_string(),
        model_type: crate::model_type(file),
        model_bytes: file.n_bytes(),
        model_params: file.n_params(),
        vocab_size: context.model().n_vocab(),
        ..BackendInfo::default()
    };
    // Half of what a token would take with both in one type: keys are as long as values.
    let of = |name: &str| {
        Summary::of(file).ok()?.kv_bytes_per_token(DType::from_name(name)?).map(|bytes| bytes / 2)
    };
    cost::with(info, file, of(&kv_types.0).zip(of(&kv_types.1)).map_or(0, |(k, v)| k + v))
}

/// One token through all layers, as the native backend does: the first request does not pay for
/// page faults.
fn warm(engine: &mut LlamaEngine) -> Result<(), BackendError> {
    use crate::generation::Engine;
    let mut sequence = engine.open();
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

    fn memory(&self) -> Option<MemoryUsage> {
        self.host.memory()
    }
}
