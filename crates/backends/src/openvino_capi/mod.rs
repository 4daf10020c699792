//! OpenVINO's own library behind the backend trait, for who has it as an archive and no Python: feature
//! `openvino-capi`, off by default.
//!
//! It reads directories with OpenVINO's intermediate representation (`openvino_model.xml`) of stateful
//! language models through Intel's `openvino` crate, which opens the C library at run time. Tokens are
//! chosen, texts scored and stop texts found by the code that every engine in this process shares;
//! several sequences are computed one after the other, so a batch gains nothing. Continuous batching,
//! and GGUF files, are OpenVINO GenAI's: the `openvino` backend.

mod engine;
mod library;
mod settings;

use crate::generation::{Engine, Host, Item, Limits, Wanted};
use crate::side::{Found, Lacking};
use crate::{cost, supports};
use engine::{CapiEngine, Sequence};
use openvino::{CompiledModel, Core, DeviceType, PropertyKey, RwPropertyKey};
use pacemark_backend::{
    Backend, BackendError, BackendInfo, BatchStream, Capabilities, EventStream, GenerateRequest,
    MemoryUsage, ScoreRequest, TextScores, TokenId,
};
use pacemark_modelfile::{ModelFile, ModelFileError};
use pacemark_setup::{Setup, Unsupported};
use pacemark_tokenizer::Tokenizer;
use settings::{choose, differences, kept, kv, kv_key, properties};
use std::borrow::Cow;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Its name in [`crate::BACKENDS`].
pub const NAME: &str = "openvino-capi";

const GRAPH: &str = "openvino_model.xml";
const WEIGHTS: &str = "openvino_model.bin";

/// Why OpenVINO could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum CapiError {
    /// The setup asks for what it does not do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The directory is no model's.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// Its library is not here.
    #[error("{cause}\n  {mend}")]
    Library {
        /// Why.
        cause: String,
        /// What brings it.
        mend: String,
    },
    /// What is not OpenVINO's representation of a language model that keeps its own state.
    #[error("{}: {why}; export a model with optimum-cli export openvino", path.display())]
    Graph {
        /// The directory.
        path: PathBuf,
        /// What is missing or too much.
        why: String,
    },
    /// A device that is not here.
    #[error("device {asked}: not here; OpenVINO finds {there}")]
    Device {
        /// What was asked for.
        asked: String,
        /// What there is.
        there: String,
    },
    /// It refused the graph or an option.
    #[error("{}: OpenVINO cannot {action}: {reason}", path.display())]
    Refused {
        /// The directory.
        path: PathBuf,
        /// What was tried.
        action: String,
        /// Its words.
        reason: String,
    },
    /// The first tokens failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// A model compiled by OpenVINO.
pub struct CapiBackend {
    host: Host<CapiEngine>,
    info: BackendInfo,
}

/// Whether the library is here, its version and its devices.
pub(crate) fn look() -> Found {
    let none =
        |lacking| Found { versions: Vec::new(), devices: Vec::new(), lacking: Some(lacking) };
    match library::open() {
        Err(lacking) => none(lacking),
        Ok(core) => match devices(&core) {
            Ok(devices) => Found { versions: vec![version()], devices, lacking: None },
            Err(cause) => none(Lacking { cause, mend: "install OpenVINO anew".into() }),
        },
    }
}

/// Of the library, which must be open.
fn version() -> String {
    format!("OpenVINO {}", openvino::version().build_number)
}

fn devices(core: &Core) -> Result<Vec<String>, String> {
    let devices = core.available_devices().map_err(|error| error.to_string())?;
    Ok(devices.iter().map(|device| device.as_ref().to_owned()).collect())
}

/// Whether a graph keeps a state: without one each step would forget those before it.
fn has_state(graph: &Path) -> std::io::Result<bool> {
    const STATE: &[u8] = b"type=\"ReadValue\"";
    let mut reader = BufReader::new(std::fs::File::open(graph)?);
    let mut seen: Vec<u8> = Vec::new();
    loop {
        let more = reader.fill_buf()?;
        let n = more.len();
        seen.extend_from_slice(more);
        reader.consume(n);
        if seen.windows(STATE.len()).any(|window| window == STATE) {
            return Ok(true);
        }
        if n == 0 {
            return Ok(false);
        }
        // What may be the beginning of it stays.
        seen.drain(..seen.len().saturating_sub(STATE.len()));
    }
}

/// Two tokens one after the other, as the native backend does with one: what is compiled or set up with
/// the first steps is none of the first request's time. The second goes on from a state.
fn warm(engine: &mut CapiEngine) -> Result<(), BackendError> {
    let mut sequence = Sequence::default();
    for _ in 0..2 {
        let item = Item { sequence: &mut sequence, tokens: &[0], wanted: Wanted::Last };
        engine.forward(&mut [item])?;
    }
    engine.close(sequence);
    Ok(())
}

impl CapiBackend {
    /// Loads the directory `path`.
    ///
    /// # Errors
    /// Where the library is not found, the directory is no stateful language model's, or a device or an
    /// option is refused.
    pub fn load(path: &Path, setup: &Setup) -> Result<CapiBackend, CapiError> {
        supports::openvino_capi(setup)?;
        let started = Instant::now();
        let file = describe(path)?;
        let mut core = library::open()
            .map_err(|Lacking { cause, mend }| CapiError::Library { cause, mend })?;
        let refused = |action: &str| {
            let (path, action) = (path.to_owned(), action.to_owned());
            move |reason: String| CapiError::Refused { path, action, reason }
        };
        let there = devices(&core).map_err(refused("list its devices"))?;
        let asked = setup.offload.devices.as_deref().and_then(<[String]>::first);
        let (device, note) = choose(asked.map_or("CPU", String::as_str), &there)?;
        for (key, value) in properties(setup, &device) {
            core.set_property(&DeviceType::from(device.as_str()), &key, &value).map_err(
                |error| {
                    refused(&format!("set {}={value} on {device}", key.as_ref()))(error.to_string())
                },
            )?;
        }
        let [graph, weights] = [GRAPH, WEIGHTS].map(|name| path.join(name).display().to_string());
        let model = core
            .read_model_from_file(&graph, &weights)
            .map_err(|error| refused("read the graph")(error.to_string()))?;
        let read = Instant::now();
        let model = core
            .compile_model(&model, DeviceType::from(device.as_str()))
            .map_err(|error| refused(&format!("compile it for {device}"))(error.to_string()))?;
        let mut engine = CapiEngine::new(model)
            .map_err(|why| CapiError::Graph { path: path.to_owned(), why })?;
        let compiled = Instant::now();
        warm(&mut engine)?;
        let mut info = told(&file, path, setup, &engine, &device);
        info.load =
            [("read", read - started), ("compile", compiled - read), ("warm", compiled.elapsed())]
                .map(|(stage, time)| (stage.to_owned(), time))
                .to_vec();
        info.warnings.extend(note);
        let tokenizer = Tokenizer::from_metadata(file.metadata())
            .map_err(|error| info.warnings.push(format!("no text, only token ids: {error}")))
            .ok();
        info.bos = tokenizer.as_ref().filter(|t| t.adds_bos()).and_then(Tokenizer::bos);
        let limits = Limits {
            backend: NAME,
            policies: None,
            n_ctx: info.n_ctx,
            n_seqs: info.n_seqs,
            n_step: setup.n_step(),
            n_vocab: info.vocab_size,
        };
        Ok(CapiBackend { host: Host::new(engine, tokenizer, limits), info })
    }
}

/// What the directory says of itself, if it is one that can be handed to OpenVINO.
fn describe(path: &Path) -> Result<ModelFile, CapiError> {
    let wrong = |why: String| CapiError::Graph { path: path.to_owned(), why };
    if !path.is_dir() {
        let why = "the openvino-capi backend reads OpenVINO-IR directories only";
        return Err(wrong(format!("{why} (--backend openvino reads GGUF files)")));
    }
    // Both go to C as text.
    if path.to_str().is_none_or(|text| text.contains('\0')) {
        return Err(wrong("the path contains a NUL byte or is not UTF-8".into()));
    }
    if let Some(name) = [GRAPH, WEIGHTS].into_iter().find(|name| !path.join(name).is_file()) {
        return Err(wrong(format!("a directory without {name}")));
    }
    match has_state(&path.join(GRAPH)) {
        Ok(true) => Ok(ModelFile::describe(path)?),
        Ok(false) => Err(wrong(format!("{GRAPH} keeps no state (no ReadValue in it)"))),
        Err(error) => Err(wrong(format!("{GRAPH}: {error}"))),
    }
}

/// What is to be said of a model that is loaded.
fn told(
    file: &ModelFile,
    path: &Path,
    setup: &Setup,
    engine: &CapiEngine,
    device: &str,
) -> BackendInfo {
    // What it was compiled with, which may be other than what was asked for.
    let property = |model: &CompiledModel, key: RwPropertyKey| {
        model.get_property(&PropertyKey::Rw(key)).map(Cow::into_owned).ok()
    };
    let model = engine.model();
    let dtype = property(model, RwPropertyKey::HintInferencePrecision).unwrap_or_default();
    let set = property(model, kv_key()).unwrap_or_else(|| kv(setup.cache.k).to_owned());
    let kept = kept(device, &set, &dtype).to_owned();
    let n_threads = property(model, RwPropertyKey::InferenceNumThreads)
        .and_then(|n| n.parse().ok())
        .filter(|_| device == "CPU");
    let mut warnings = file.warnings().to_vec();
    warnings.extend(differences(setup, &dtype, &kept));
    let info = BackendInfo {
        backend: NAME.into(),
        device: format!("{NAME} {device}"),
        engine: version(),
        isa: dtype.clone(),
        precision: dtype,
        kv_types: kept,
        model_path: path.display().to_string(),
        model_type: crate::model_type(file),
        model_bytes: std::fs::metadata(path.join(WEIGHTS)).map_or(0, |weights| weights.len()),
        model_params: file.n_params(),
        vocab_size: engine.n_vocab(),
        n_ctx: setup.n_ctx.unwrap_or(Setup::DEFAULT_MAX_CTX).max(1),
        n_seqs: setup.n_seqs.max(1),
        n_threads: n_threads.unwrap_or(0),
        n_threads_batch: n_threads.unwrap_or(0),
        warnings,
        ..BackendInfo::default()
    };
    cost::of_engine(info, file, device)
}

impl Backend for CapiBackend {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_no_stateful_graph_is_refused_before_the_library_is_opened() {
        let path = std::env::temp_dir().join(format!("pacemark-capi-ir-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let refused = || match CapiBackend::load(&path, &Setup::default()) {
            Ok(_) => panic!("it was loaded"),
            Err(error) => error.to_string(),
        };
        assert!(refused().contains("a directory without openvino_model.xml; export a model"));
        // A state's layer goes over the end of what is read at once.
        let mut graph = vec![b' '; 8190];
        std::fs::write(path.join(GRAPH), &graph).unwrap();
        std::fs::write(path.join(WEIGHTS), "").unwrap();
        assert!(refused().contains("openvino_model.xml keeps no state"));
        assert!(!has_state(&path.join(GRAPH)).unwrap());
        graph.extend_from_slice(b"<layer type=\"ReadValue\"/>");
        std::fs::write(path.join(GRAPH), &graph).unwrap();
        assert!(has_state(&path.join(GRAPH)).unwrap());
        let file =
            CapiBackend::load(&path.join(GRAPH), &Setup::default()).err().unwrap().to_string();
        assert!(file.contains("reads OpenVINO-IR directories only"), "{file}");
        std::fs::remove_dir_all(&path).unwrap();
    }
}
