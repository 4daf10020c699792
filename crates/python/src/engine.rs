//! A loaded model: any number of threads may ask it at once, and none holds the interpreter's lock while
//! it computes. Whoever waits holds nothing of the engine, so that closing it ends the waiting.

use crate::error::{self, Kind, argument, calm};
use crate::request::Asked;
use crate::stream::Stream;
use crate::timed::{self, Plan, Sample};
use crate::{model, wait};
use pacemark_backend::{Chat, Pooling, Service, Text, TokenId};
use pacemark_backends::native::{NativeService, ServiceOptions};
use pacemark_limits::{Processors, System};
use pacemark_modelfile::quantize::{RECIPES, Recipe};
use pacemark_setup::{CacheTypes, DType, Residence, Setup, Threads};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A model that is loaded, until it is closed.
#[pyclass(frozen, module = "pacemark._native")]
pub(crate) struct Engine {
    service: Mutex<Option<Arc<NativeService>>>,
    /// The process that its threads are of: one that was forked from it has none of them.
    process: u32,
}

impl Engine {
    fn held(&self) -> MutexGuard<'_, Option<Arc<NativeService>>> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was not closed.
    pub(crate) fn is_open(&self) -> bool {
        self.held().is_some()
    }

    /// Who computes.
    ///
    /// # Errors
    /// Where it was closed, or this is another process.
    pub(crate) fn service(&self, py: Python<'_>) -> PyResult<Arc<NativeService>> {
        if std::process::id() != self.process {
            return Err(error::forked(py));
        }
        self.held().clone().ok_or_else(|| error::closed(py))
    }

    fn let_go(&self) -> Option<Arc<NativeService>> {
        let service = self.held().take();
        if std::process::id() != self.process {
            // Its threads are another process's: they could not be waited for.
            std::mem::forget(service);
            return None;
        }
        service
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(service) = self.let_go() else { return };
        // Waits for the step under way. Where the interpreter has ended there is no lock to let go of.
        let mut service = Some(service);
        Python::try_attach(|py| py.detach(|| drop(service.take())));
    }
}

/// A type of keys or values, by its name.
fn cache_type(argument_name: &str, name: &str) -> PyResult<DType> {
    DType::from_name(name).or_else(|| DType::from_name(&name.to_uppercase())).ok_or_else(|| {
        let known = format!("one of {}", DType::names());
        argument(argument_name, &known, pacemark_files::quoted(name))
    })
}

fn text<'a>(py: Python<'_>, service: &'a NativeService) -> PyResult<&'a dyn Text> {
    let why = "the model has no tokenizer: give token ids";
    service.text().ok_or_else(|| error::of(py, Kind::Request, why))
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (model, *, threads = None, n_ctx = None, max_num_seqs = 16, cache_type_k = "f16", cache_type_v = "f16",
        weights = None, prefix_cache = true, progress = None))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn new(
        py: Python<'_>,
        model: String,
        threads: Option<usize>,
        n_ctx: Option<usize>,
        max_num_seqs: usize,
        cache_type_k: &str,
        cache_type_v: &str,
        weights: Option<&str>,
        prefix_cache: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Engine> {
        let usable = Processors::of(&System::here()).usable;
        let cache = CacheTypes {
            k: cache_type("cache_type_k", cache_type_k)?,
            v: cache_type("cache_type_v", cache_type_v)?,
        };
        let quantize = weights.map(|name| {
            let known = || RECIPES.iter().map(|info| info.name).collect::<Vec<_>>().join(", ");
            let wrong = || argument("weights", &known(), pacemark_files::quoted(name));
            Recipe::from_name(name).ok_or_else(wrong)
        });
        let quantize = quantize.transpose()?;
        for (name, given, most) in [
            ("threads", threads, usize::from(u16::MAX)),
            ("n_ctx", n_ctx, u32::MAX as usize),
            ("max_num_seqs", Some(max_num_seqs), 4096),
        ] {
            if let Some(n) = given.filter(|n| !(1..=most).contains(n)) {
                return Err(argument(name, &format!("1 to {most}"), n));
            }
        }
        let setup = Setup {
            threads: Threads::new(threads.unwrap_or(usable)),
            n_ctx,
            cache,
            weights: Residence { quantize, ..Residence::default() },
            ..Setup::default()
        };
        let options = ServiceOptions { max_num_seqs, prefix_cache, ..ServiceOptions::default() };
        let service = calm(py, || model::load(py, model, setup, options, progress))?;
        let service = Mutex::new(Some(Arc::new(service)));
        Ok(Engine { service, process: std::process::id() })
    }

    #[getter]
    fn is_closed(&self) -> bool {
        !self.is_open()
    }

    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = self.service(py)?.info();
        let dict = PyDict::new(py);
        dict.set_item("backend", info.backend)?;
        dict.set_item("engine", info.engine)?;
        dict.set_item("isa", info.isa)?;
        dict.set_item("model_path", info.model_path)?;
        dict.set_item("model_type", info.model_type)?;
        dict.set_item("model_bytes", info.model_bytes)?;
        dict.set_item("n_params", info.model_params)?;
        dict.set_item("n_vocab", info.vocab_size)?;
        dict.set_item("n_ctx", info.n_ctx)?;
        dict.set_item("n_seqs", info.n_seqs)?;
        dict.set_item("n_threads", info.n_threads)?;
        dict.set_item("kv_types", info.kv_types)?;
        dict.set_item("kv_bytes_per_token", info.kv_bytes_per_token)?;
        Ok(dict)
    }

    /// Ends it: whoever waits for an answer gets an `EngineClosedError`.
    fn close(&self, py: Python<'_>) {
        let service = self.let_go();
        py.detach(|| drop(service));
    }

    fn memory<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let memory = self.service(py)?.memory().unwrap_or_default();
        let dict = PyDict::new(py);
        dict.set_item("model_bytes", memory.model_bytes)?;
        dict.set_item("kv_allocated_bytes", memory.kv_allocated_bytes)?;
        dict.set_item("kv_used_bytes", memory.kv_used_bytes)?;
        Ok(dict)
    }

    fn encode(&self, py: Python<'_>, text: &str, special: bool) -> PyResult<Vec<TokenId>> {
        let service = self.service(py)?;
        let own = self::text(py, &service)?;
        calm(py, || Ok(py.detach(|| own.encode(text, special))))
    }

    fn decode(&self, py: Python<'_>, tokens: Vec<TokenId>) -> PyResult<String> {
        let service = self.service(py)?;
        let own = text(py, &service)?;
        let decoded = calm(py, || Ok(py.detach(|| own.decode(&tokens))))?;
        decoded.map_err(|why| error::of_backend(py, &why))
    }

    fn encode_chat(&self, py: Python<'_>, messages: &str, extra: &str) -> PyResult<Vec<TokenId>> {
        let service = self.service(py)?;
        let own = text(py, &service)?;
        let wrong = |why: serde_json::Error| argument("messages", "JSON", why);
        let chat = Chat {
            messages: serde_json::from_str(messages).map_err(wrong)?,
            extra: serde_json::from_str(extra).map_err(wrong)?,
            ..Chat::default()
        };
        let rendered =
            calm(
                py,
                || Ok(py.detach(|| own.render(&chat).map(|prompt| own.encode_chat(&prompt)))),
            )?;
        rendered.map_err(|why| error::of_backend(py, &why))
    }

    #[pyo3(signature = (n_prompt, kv = None))]
    fn room(&self, py: Python<'_>, n_prompt: usize, kv: Option<&str>) -> PyResult<usize> {
        let room = self.service(py)?.room(kv, n_prompt);
        room.map_err(|why| error::of_backend(py, &why))
    }

    /// Hands a request over.
    #[pyo3(signature = (prompt, *, max_tokens, temperature = 0.0, top_k = 0, top_p = 1.0, min_p = 0.0, repetition_penalty = 1.0,
        presence_penalty = 0.0, frequency_penalty = 0.0, seed = 0, stop = Vec::new(), ignore_eos = false, logprobs = None,
        json_schema = None, regex = None, grammar = None, kv = None, reuse_prefix = true))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn start(
        &self,
        py: Python<'_>,
        prompt: Vec<TokenId>,
        max_tokens: usize,
        temperature: f32,
        top_k: usize,
        top_p: f32,
        min_p: f32,
        repetition_penalty: f32,
        presence_penalty: f32,
        frequency_penalty: f32,
        seed: u64,
        stop: Vec<String>,
        ignore_eos: bool,
        logprobs: Option<usize>,
        json_schema: Option<String>,
        regex: Option<String>,
        grammar: Option<String>,
        kv: Option<String>,
        reuse_prefix: bool,
    ) -> PyResult<Stream> {
        let service = self.service(py)?;
        let asked = Asked {
            max_tokens,
            temperature,
            top_k,
            top_p,
            min_p,
            repetition_penalty,
            presence_penalty,
            frequency_penalty,
            seed,
            stop,
            ignore_eos,
            logprobs,
            json_schema,
            regex,
            grammar,
            kv,
            reuse_prefix,
        };
        let request = asked.of(prompt)?;
        calm(py, || Ok(py.detach(|| Stream::begin(&*service, request))))
    }

    #[pyo3(signature = (prompt, pooling = None))]
    fn embed(
        &self,
        py: Python<'_>,
        prompt: Vec<TokenId>,
        pooling: Option<&str>,
    ) -> PyResult<Vec<f32>> {
        let pooling = pooling.map(|name| match name {
            "mean" => Ok(Pooling::Mean),
            "cls" => Ok(Pooling::Cls),
            "last" => Ok(Pooling::Last),
            _ => Err(argument("pooling", "mean, cls or last", pacemark_files::quoted(name))),
        });
        let pooling = pooling.transpose()?;
        let (tell, mut told) = channel();
        let sink = Box::new(move |embedding| drop(tell.send(embedding)));
        // Held until the embedding has come: dropped, it ends the request.
        let _ticket = self.service(py)?.embed(prompt, pooling, sink);
        let found = wait::next(py, &mut told)?.ok_or_else(|| error::closed(py))?;
        found.map_err(|why| error::of_backend(py, &why))
    }

    fn score(&self, py: Python<'_>, tokens: Vec<TokenId>, first: usize) -> PyResult<Vec<f32>> {
        let (tell, mut told) = channel();
        let sink = Box::new(move |scores| drop(tell.send(scores)));
        let _ticket = self.service(py)?.score(tokens, first, sink);
        let found = wait::next(py, &mut told)?.ok_or_else(|| error::closed(py))?;
        found.map_err(|why| error::of_backend(py, &why))
    }

    #[pyo3(signature = (prompts, *, max_tokens, concurrency = 1, n_requests = None, duration_seconds = None))]
    fn timed(
        &self,
        py: Python<'_>,
        prompts: Vec<Vec<TokenId>>,
        max_tokens: usize,
        concurrency: usize,
        n_requests: Option<usize>,
        duration_seconds: Option<f64>,
    ) -> PyResult<Vec<Sample>> {
        let plan = Plan::new(prompts, max_tokens, concurrency, n_requests, duration_seconds)?;
        timed::run(py, self, &plan)
    }
}
