//! From a setup to an engine that has the model loaded, in a process of its own.

use super::{Engine, SideBackend};
use crate::generation::Limits;
use crate::{cost, model_type, supports};
use pacemark_backend::{BackendInfo, TokenId};
use pacemark_modelfile::{ModelFile, ModelFileError};
use pacemark_setup::{DType, Setup, Unsupported};
use pacemark_side::protocol::{Ask, Kind, Load, Loaded, Tell};
use pacemark_side::{Process, SideError};
use pacemark_tokenizer::Tokenizer;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a process may take to say who it is: it imports its packages.
const START: Duration = Duration::from_secs(120);
/// How long it may say nothing while it loads a model: some compile it.
const LOAD: Duration = Duration::from_secs(1800);

/// Why an engine beside this process could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SideLoadError {
    /// The setup asks for what it does not do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The model cannot be read.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// It could not be started, or not load the model.
    #[error("{engine}: {why}")]
    Failed {
        /// Its name.
        engine: &'static str,
        /// Why, in the engine's words.
        why: String,
    },
}

impl SideBackend {
    /// Loads `path`; `progress(done, of)` is told of what the engine tells.
    ///
    /// # Errors
    /// Where Python or its packages are not there, or the engine does not take the model.
    pub fn load(
        engine: &'static Engine,
        path: &Path,
        setup: &Setup,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<SideBackend, SideLoadError> {
        supports::side(engine, setup)?;
        let failed = |why: String| SideLoadError::Failed { engine: engine.name, why };
        let of_process = |error: SideError| failed(reason(engine, error));
        let file = ModelFile::describe(path)?;
        let mut process = Process::start(engine.command(), START).map_err(of_process)?;
        process.ask(&Ask::Load(load(engine, path, setup))).map_err(of_process)?;
        let loaded = loop {
            match process.next(LOAD).map_err(of_process)? {
                Tell::Progress { done, of } => progress(done as usize, of as usize),
                Tell::Loaded(loaded) => break loaded,
                Tell::Failed { kind: Kind::Invalid, message, .. } => return Err(failed(message)),
                Tell::Failed { kind: Kind::Unsupported, message, .. } => {
                    let (path, types) = (path.display(), types(&file));
                    let reads = engine.reads;
                    return Err(failed(format!("{path}: {message}{types} (it reads {reads})")));
                }
                Tell::Failed { message, .. } => {
                    return Err(failed(format!("{}: {message}", path.display())));
                }
                other => return Err(failed(format!("it told {other:?} while it loaded"))),
            }
        };
        check(&loaded).map_err(failed)?;
        let clock = process.clock(START).map_err(of_process)?;
        let mut info = describe(engine, &process, &loaded, &file, path);
        info.warnings.extend(rounded(engine, &file));
        let tokenizer = match Tokenizer::from_metadata(file.metadata()) {
            Ok(tokenizer) => Some(Arc::new(tokenizer)),
            Err(error) => {
                info.warnings.push(format!("no text, only token ids: {error}"));
                None
            }
        };
        let ends_of = |tokenizer: &Arc<Tokenizer>| {
            let all = 0..TokenId::try_from(loaded.n_vocab).unwrap_or(TokenId::MAX);
            all.filter(|id| tokenizer.is_end_of_generation(*id)).collect()
        };
        let ends = tokenizer.as_ref().map(ends_of).unwrap_or_default();
        info.bos = tokenizer.as_ref().filter(|t| t.adds_bos()).and_then(|t| t.bos());
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
            ends,
            next_id: Cell::new(1),
            inbox: RefCell::default(),
        })
    }
}

fn load(engine: &Engine, path: &Path, setup: &Setup) -> Load {
    let asked = setup.offload.devices.as_deref().and_then(<[String]>::first);
    Load {
        model: path.display().to_string(),
        device: asked.map_or(engine.device, String::as_str).to_owned(),
        n_threads: Some(setup.threads.per_token()),
        n_ctx: setup.n_ctx,
        n_seqs: setup.n_seqs.max(1),
        kv: setup.cache.names().map(|name| name.to_string()),
        dtype: setup.precision.map(|precision| precision.name().to_owned()),
        n_batch: setup.n_batch.max(1),
    }
}

/// Whether what an engine says of itself can be.
fn check(loaded: &Loaded) -> Result<(), String> {
    let numbers = [
        ("n_ctx", loaded.n_ctx, 1 << 31),
        ("n_seqs", loaded.n_seqs, 1 << 16),
        ("n_vocab", loaded.n_vocab, 1 << 24),
    ];
    match numbers.into_iter().find(|(_, n, most)| !(1..=*most).contains(n)) {
        Some((name, n, most)) => Err(format!("{name}: expected 1 to {most}, found {n}")),
        None => Ok(()),
    }
}

/// What is to be said of the types of the file.
fn rounded(engine: &Engine, file: &ModelFile) -> Option<String> {
    let has = |dtype: DType| file.tensors().iter().any(|tensor| tensor.dtype == dtype);
    let (dtype, what) = engine.rounds.iter().find(|(dtype, _)| has(*dtype))?;
    Some(format!("{}: {} {what}: answers are not the file's", dtype.name(), engine.name))
}

/// What a process's end says to its user: what to install, where a package is what is missing.
fn reason(engine: &Engine, error: SideError) -> String {
    let said = error.to_string();
    let advice = match &error {
        SideError::Start { .. } => {
            format!("install Python 3, or name one: {}=…", super::engine::PYTHON)
        }
        SideError::Ended { last_words, .. }
            if ["ModuleNotFoundError", "ImportError", "No module named"]
                .iter()
                .any(|word| last_words.contains(word)) =>
        {
            let python = super::engine::python();
            format!(
                "{} -m {}; `pacemark doctor` says more",
                python.to_string_lossy(),
                engine.install
            )
        }
        _ => return said,
    };
    format!("{said}\n  {advice}")
}

/// The types of a file's tensors, as an error goes on; nothing where it tells none.
fn types(file: &ModelFile) -> String {
    let all: BTreeSet<&str> = file.tensors().iter().map(|t| t.dtype.name()).collect();
    let all: Vec<&str> = all.into_iter().collect();
    if all.is_empty() { String::new() } else { format!("; its tensors are {}", all.join(", ")) }
}

fn describe(
    engine: &Engine,
    process: &Process,
    loaded: &Loaded,
    file: &ModelFile,
    path: &Path,
) -> BackendInfo {
    let stages = loaded.load_ns.iter();
    let info = BackendInfo {
        backend: engine.name.into(),
        device: format!("{} {}", engine.name, loaded.device),
        engine: process.engine().to_owned(),
        isa: loaded.dtype.clone().unwrap_or_default(),
        precision: loaded.dtype.clone().unwrap_or_default(),
        kv_types: loaded.kv.clone().unwrap_or_default(),
        model_path: path.display().to_string(),
        model_type: model_type(file),
        model_bytes: if file.n_bytes() > 0 { file.n_bytes() } else { file.file_bytes() },
        model_params: file.n_params(),
        vocab_size: loaded.n_vocab,
        n_ctx: loaded.n_ctx,
        n_seqs: loaded.n_seqs,
        n_threads: loaded.n_threads,
        n_threads_batch: loaded.n_threads,
        load: stages.map(|(stage, ns)| (stage.clone(), Duration::from_nanos(*ns))).collect(),
        warnings: [file.warnings(), &loaded.warnings].concat(),
        ..BackendInfo::default()
    };
    cost::of_engine(info, file, &loaded.device)
}
