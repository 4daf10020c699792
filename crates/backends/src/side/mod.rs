//! Engines that are Python packages, each in a process of its own behind `pacemark-side`'s protocol.
//!
//! A third engine is one script in `crates/side/python` and a line in [`ENGINES`]. Text, and which tokens
//! end an answer, come from Pacemark's tokenizer where it reads the model's, as for every backend, so
//! that a comparison is one of the engines.

mod stream;

use crate::generation::Limits;
use crate::{cost, model_type};
use pacemark_backend::{
    Backend, BackendError, BackendInfo, Capabilities, Event, EventStream, GenerateRequest,
    ScoreRequest, TextScores, TokenId,
};
use pacemark_modelfile::ModelFile;
use pacemark_setup::Setup;
use pacemark_side::protocol::{Ask, Kind, Load, Loaded, Tell};
use pacemark_side::{Clock, Process, SideError};
use pacemark_tokenizer::Tokenizer;
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use stream::Stream;

/// An engine that is a script.
pub(crate) struct Engine {
    /// Its name in [`crate::BACKENDS`].
    pub(crate) name: &'static str,
    /// What it runs on where nothing is said.
    pub(crate) device: &'static str,
    script: &'static str,
}

/// What every script imports.
const SIDE: &str = include_str!("../../../side/python/side.py");

/// OpenVINO GenAI.
pub(crate) const OPENVINO: Engine = Engine {
    name: "openvino",
    device: "CPU",
    script: include_str!("../../../side/python/engine_openvino.py"),
};

/// Where Python is looked for, if not under this name on the path.
const PYTHON: &str = "PACEMARK_PYTHON";

/// How long a process may take to say who it is: it imports its packages.
const START: Duration = Duration::from_secs(120);
/// How long it may say nothing while it loads a model: some compile it.
const LOAD: Duration = Duration::from_secs(1800);
/// How long it may say nothing while it computes.
const COMPUTE: Duration = Duration::from_secs(600);

/// Why an engine beside this process could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("{engine}: {why}")]
pub struct SideLoadError {
    engine: &'static str,
    why: String,
}

/// A model loaded by an engine in a process of its own.
pub struct SideBackend {
    engine: &'static Engine,
    process: RefCell<Process>,
    clock: Clock,
    loaded: Loaded,
    info: BackendInfo,
    limits: Limits,
    tokenizer: Option<Arc<Tokenizer>>,
    next_id: Cell<u64>,
    /// A stream is under way: the process computes one request at a time.
    is_busy: Cell<bool>,
}

/// A command line on which an engine runs.
fn command(engine: &Engine) -> Command {
    let python = std::env::var_os(PYTHON).unwrap_or_else(|| "python3".into());
    // The scripts are part of this program: nothing has to be found but Python and the packages.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let program = format!(
        "import sys, types\nside = types.ModuleType('side')\nexec({}, side.__dict__)\n\
         sys.modules['side'] = side\nexec({})",
        quoted(SIDE),
        quoted(engine.script)
    );
    let mut command = Command::new(python);
    command.arg("-c").arg(program);
    command
}

impl SideBackend {
    /// Loads `path`; `progress(done, of)` is told of what the engine tells.
    pub(crate) fn load(
        engine: &'static Engine,
        path: &Path,
        setup: &Setup,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<SideBackend, SideLoadError> {
        let failed = |why: String| SideLoadError { engine: engine.name, why };
        let of_process = |error: SideError| failed(error.to_string());
        let file = ModelFile::open(path).map_err(|error| failed(error.to_string()))?;
        let mut process = Process::start(command(engine), START).map_err(of_process)?;
        let load = Load {
            model: path.display().to_string(),
            device: engine.device.to_owned(),
            n_threads: Some(setup.threads.per_token()),
            n_ctx: setup.n_ctx,
            n_seqs: setup.n_seqs.max(1),
            kv: setup.cache.names().map(|name| name.to_string()),
        };
        process.ask(&Ask::Load(load)).map_err(of_process)?;
        let loaded = loop {
            match process.next(LOAD).map_err(of_process)? {
                Tell::Progress { done, of } => progress(done as usize, of as usize),
                Tell::Loaded(loaded) => break loaded,
                Tell::Failed { message, .. } => return Err(failed(message)),
                other => return Err(failed(format!("it told {other:?} while it loaded"))),
            }
        };
        let clock = process.clock(START).map_err(of_process)?;
        let tokenizer = Tokenizer::from_metadata(file.metadata()).ok().map(Arc::new);
        let info = describe(engine, &process, &loaded, &file, path);
        let limits = Limits {
            backend: engine.name,
            policies: None,
            n_ctx: loaded.n_ctx,
            n_seqs: loaded.n_seqs,
            n_step: loaded.n_ctx,
            n_vocab: loaded.n_vocab,
        };
        Ok(SideBackend {
            engine,
            process: RefCell::new(process),
            clock,
            loaded,
            info,
            limits,
            tokenizer,
            next_id: Cell::new(1),
            is_busy: Cell::new(false),
        })
    }

    fn id(&self) -> u64 {
        self.next_id.replace(self.next_id.get() + 1)
    }

    /// Refuses what cannot be served, before the process hears of it.
    fn check(&self, request: &GenerateRequest) -> Result<(), BackendError> {
        self.limits.policy(request.kv.as_deref())?;
        self.limits.check(request, None)?;
        self.limits.fits(None, request.prompt.len(), request.max_tokens)?;
        let sampling = &request.sampling;
        let plain = pacemark_backend::SamplingParams {
            temperature: sampling.temperature,
            top_k: sampling.top_k,
            top_p: sampling.top_p,
            seed: sampling.seed,
            ..Default::default()
        };
        let refused = [
            (request.constraint.is_some(), "hold output to a form"),
            (!request.stop.is_empty(), "end at a text"),
            (*sampling != plain, "choose tokens by anything but temperature, top_k and top_p"),
            (request.top_logprobs.is_some() && !self.loaded.logprobs, "give log-probabilities"),
        ];
        let backend = self.engine.name;
        match refused.into_iter().find(|(asked, _)| *asked) {
            Some((_, ability)) => Err(BackendError::Unsupported { backend, ability }),
            None if self.is_busy.get() => {
                Err(BackendError::Full("the engine computes one request at a time".into()))
            }
            None => Ok(()),
        }
    }
}

fn describe(
    engine: &Engine,
    process: &Process,
    loaded: &Loaded,
    file: &ModelFile,
    path: &Path,
) -> BackendInfo {
    let info = BackendInfo {
        backend: engine.name.into(),
        device: format!("{} {}", engine.name, loaded.device),
        engine: process.engine().to_owned(),
        model_path: path.display().to_string(),
        model_type: model_type(file),
        model_bytes: file.n_bytes(),
        model_params: file.n_params(),
        vocab_size: loaded.n_vocab,
        n_ctx: loaded.n_ctx,
        n_seqs: loaded.n_seqs,
        n_threads: loaded.n_threads,
        n_threads_batch: loaded.n_threads,
        load: loaded.load_ns.iter().map(|(_, ns)| ("load", Duration::from_nanos(*ns))).collect(),
        warnings: loaded.warnings.clone(),
        ..BackendInfo::default()
    };
    cost::with(info, file, 0)
}

/// What an engine's word for an error is here.
fn error(kind: Kind, message: String, backend: &'static str) -> BackendError {
    match kind {
        Kind::Invalid | Kind::TooLong => BackendError::InvalidRequest(message),
        Kind::Unsupported | Kind::Engine => BackendError::Engine(format!("{backend}: {message}")),
    }
}

impl Backend for SideBackend {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            score: self.loaded.scores,
            logprobs: self.loaded.logprobs,
            ..Capabilities::default()
        }
    }

    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        match self.check(&request) {
            Ok(()) => Box::new(Stream::new(self, request)),
            Err(error) => Box::new(std::iter::once(Event::Failed(error))),
        }
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
        let backend = self.engine.name;
        if !self.loaded.scores {
            return Err(BackendError::Unsupported { backend, ability: "score tokens" });
        }
        self.limits.policy(request.kv.as_deref())?;
        let _ = progress(0, request.tokens.len());
        let id = self.id();
        let ask = Ask::Score { id, tokens: request.tokens.clone(), first: request.first };
        let mut process = self.process.borrow_mut();
        let failed = |error: SideError| BackendError::Engine(format!("{backend}: {error}"));
        process.ask(&ask).map_err(failed)?;
        loop {
            match process.next(COMPUTE).map_err(failed)? {
                Tell::Scores { id: of, logprobs, hits } if of == id => {
                    let expected = request.tokens.len().saturating_sub(request.first + 1);
                    if logprobs.len() != expected || hits.len() != expected {
                        let found = logprobs.len();
                        let why = format!("{backend}: expected {expected} scores, found {found}");
                        return Err(BackendError::Engine(why));
                    }
                    return Ok(TextScores { logprobs, hits, kv: None });
                }
                Tell::Failed { id: of, kind, message, .. } if of == id => {
                    return Err(error(kind, message, backend));
                }
                // Of what was aborted before.
                _ => {}
            }
        }
    }
}
