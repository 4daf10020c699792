//! A model that an OpenAI-compatible server runs, behind the backend trait: vLLM, SGLang, TGI,
//! Ollama, llama-server, OpenVINO Model Server, ours, near or far.
//!
//! Nothing is computed here. The model's local file gives the tokenizer, so that prompts are the
//! same token ids as for every other engine; requests go to `/completions` through `load`'s client,
//! which stamps what comes back below TLS. `probe` finds what the server takes of what it is to be
//! told, `flow` makes events of its stream. What a user sees of it is docs/openai.md.

mod chunk;
mod dialect;
mod flow;
mod link;
mod probe;
mod score;
mod served;
mod stream;
mod text;
mod words;

use crate::supports;
use crate::text::has_tokenizer;
use dialect::{Dialect, ScoreBy};
use link::Link;
use pacemark_backend::{
    Backend, BackendError, BackendInfo, BatchStream, Capabilities, Computes, EventStream,
    GenerateRequest, ScoreRequest, TextScores, TokenId,
};
use pacemark_load::TargetError;
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{ModelFile, ModelFileError};
use pacemark_setup::{Setup, Unsupported};
use pacemark_tokenizer::{Tokenizer, TokenizerError};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Its name in [`crate::BACKENDS`].
pub const NAME: &str = "openai";

/// Why a server could not be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenAiError {
    /// The setup asks for what a server does not do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// An address that is none.
    #[error("{url}: {error}")]
    Url {
        /// The address, without what may be secret.
        url: String,
        /// What is wrong with it.
        error: TargetError,
    },
    /// The model's file cannot be read.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// Nor its tokenizer.
    #[error("{}: {error}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: Box<TokenizerError>,
    },
    /// It has none.
    #[error("{}: the file has no tokenizer, which prompts for a server need", .0.display())]
    NoTokenizer(PathBuf),
    /// The server does not answer as such servers do; the text names it.
    #[error("{0}")]
    Server(String),
    /// It refused.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// A server with a model.
pub struct OpenAiBackend {
    link: Link,
    /// What the server calls the model.
    model: String,
    tokenizer: Tokenizer,
    dialect: Dialect,
    /// Tokens that the server holds.
    held: usize,
    info: BackendInfo,
}

impl OpenAiBackend {
    /// Reads the tokenizer of the model at `path`, and asks the server of `setup` what it takes.
    pub fn load(path: &Path, setup: &Setup) -> Result<OpenAiBackend, OpenAiError> {
        supports::openai(setup)?;
        let Some(server) = &setup.server else {
            return Err(OpenAiError::Server("no server was named (--url)".into()));
        };
        let started = Instant::now();
        let file = ModelFile::open(path)?;
        if !has_tokenizer(file.metadata()) {
            return Err(OpenAiError::NoTokenizer(path.to_owned()));
        }
        let tokenizer = Tokenizer::from_metadata(file.metadata()).map_err(|error| {
            OpenAiError::Tokenizer { path: path.to_owned(), error: error.into() }
        })?;
        let read = Instant::now();
        let link = Link::new(server)?;
        let served = served::find(&link, server.model.as_deref())?;
        let connected = Instant::now();
        let probe = probe::Probe { link: &link, model: &served.model, tokenizer: &tokenizer };
        let (dialect, warnings) = probe.find()?;
        let probed = connected.elapsed();
        let trained = Summary::of(&file).ok().and_then(|summary| summary.context_length);
        let held = served.n_ctx.or(trained).map_or(Setup::DEFAULT_MAX_CTX, |n| n as usize);
        let info = BackendInfo {
            backend: NAME.into(),
            device: format!("openai {}", link.target.authority()),
            engine: format!("{} ({})", served.engine, dialect.name()),
            model_path: path.display().to_string(),
            model_type: crate::model_type(&file),
            model_bytes: file.n_bytes(),
            model_params: file.n_params(),
            vocab_size: tokenizer.vocab_size(),
            n_ctx: setup.n_ctx.map_or(held, |asked| asked.min(held)),
            n_seqs: setup.n_seqs.max(1),
            n_threads: 0, // the server's own, which it does not tell
            load: [("read", read - started), ("connect", connected - read), ("probe", probed)]
                .map(|(stage, time)| (stage.to_owned(), time))
                .to_vec(),
            warnings,
            bos: tokenizer.bos().filter(|_| tokenizer.adds_bos()),
            ..BackendInfo::default()
        };
        Ok(OpenAiBackend { link, model: served.model, tokenizer, dialect, held, info })
    }

    /// What is refused before it is sent.
    fn check(&self, request: &GenerateRequest) -> Result<(), BackendError> {
        let unsupported = |ability: &'static str| {
            Err(BackendError::Unsupported { backend: NAME, ability: ability.into() })
        };
        let (prompt, n_ctx) = (request.prompt.len(), self.info.n_ctx);
        if request.has_policy() {
            return unsupported("keep a part of the keys and values only");
        }
        if request.constraint.is_some() {
            return unsupported("hold the output to a form");
        }
        let s = &request.sampling;
        if s.typical_p < 1.0 || s.top_n_sigma > 0.0 || s.xtc_probability > 0.0 {
            return unsupported("choose tokens by typical_p, top_n_sigma or xtc");
        }
        if prompt == 0 {
            return Err(BackendError::InvalidRequest("the prompt is empty".into()));
        }
        if let Some(id) = request.prompt.iter().find(|id| **id as usize >= self.info.vocab_size) {
            let n = self.info.vocab_size;
            let why = format!("token {id} is not among the model's {n}");
            return Err(BackendError::InvalidRequest(why));
        }
        if prompt.saturating_add(request.max_tokens) > n_ctx {
            let max_tokens = request.max_tokens;
            return Err(BackendError::ContextExceeded { prompt, max_tokens, n_ctx });
        }
        Ok(())
    }

    fn score_by(&self) -> Result<ScoreBy, BackendError> {
        let refused = BackendError::Unsupported {
            backend: NAME,
            ability: "score tokens: the server tells no log-probabilities of a prompt (echo, prompt_logprobs)".into(),
        };
        self.dialect.score.ok_or(refused)
    }
}

impl Backend for OpenAiBackend {
    fn computes(&self) -> Computes {
        Computes::Elsewhere
    }

    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            score: self.dialect.score.is_some(),
            logprobs: self.dialect.logprobs,
            batch: true,
            ..Capabilities::default()
        }
    }

    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        Box::new(stream::Batch::new(self, vec![request]).map(|(_, event)| event))
    }

    fn generate_batch(&self, requests: Vec<GenerateRequest>) -> BatchStream<'_> {
        Box::new(stream::Batch::new(self, requests))
    }

    fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
        let request = ScoreRequest { tokens: tokens.to_vec(), first, ..ScoreRequest::default() };
        self.score_text(&request, &mut |_, _| ControlFlow::Continue(())).map(|found| found.logprobs)
    }

    fn score_text(
        &self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<TextScores, BackendError> {
        let by = self.score_by()?;
        if request.kv.as_deref().is_some_and(|spec| spec != "full") {
            let ability = "keep a part of the keys and values only";
            return Err(BackendError::Unsupported { backend: NAME, ability: ability.into() });
        }
        let n = request.tokens.len();
        // What the server holds, not what was asked for: a chunk is as long as that.
        if n > self.held {
            let n_ctx = self.held;
            return Err(BackendError::ContextExceeded { prompt: n, max_tokens: 0, n_ctx });
        }
        if n < 2 || request.first + 1 >= n {
            return Ok(TextScores::default());
        }
        let mut found = score::ask(&self.link, by, &self.model, &request.tokens)?;
        found.logprobs.drain(..request.first);
        found.hits.drain(..request.first);
        // It is computed by now; whoever wants to end has the whole.
        let _ = progress(n, n);
        Ok(found)
    }
}
