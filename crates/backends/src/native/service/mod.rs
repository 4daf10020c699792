//! The native engine for many at once: decoder and scheduler on a thread of their own behind
//! `backend::Service`.
//!
//! Requests are checked, and their grammars compiled, on the caller's thread; the engine's thread
//! ([`worker`]) only computes, samples and hands out events. Between the two is a queue of
//! commands. The thread that computes also loads the model: the team counts it as one of its own.

mod as_backend;
mod draft;
mod pooling;
pub(in crate::native) mod requests;
mod residency;
mod score;
mod turn;
pub(in crate::native) mod worker;

use super::{Loaded, NativeError, load};
use crate::generation::Terms;
use crate::text::ModelText;
use pacemark_backend::{
    BackendError, BackendInfo, Bell, Bells, Capabilities, EmbeddingSink, Event, GenerateRequest,
    MemoryUsage, Pooling, Service, ServiceStatus, Sink, Text, Ticket, TokenId,
};
use pacemark_modelfile::ModelFile;
use pacemark_setup::Setup;
use pacemark_tokenizer::ChatTemplates;
use requests::{Embedding, Generation};
pub use score::ScoreSink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Instant;
use worker::Worker;

/// How to serve.
#[derive(Clone, Copy, Debug)]
pub struct ServiceOptions {
    /// Requests computed at once.
    pub max_num_seqs: usize,
    /// Tokens of a step, over all requests; raised to `max_num_seqs`, so that whoever generates
    /// always advances.
    pub max_num_batched_tokens: usize,
    /// Tokens of KV cache, over all requests, raised to one context; `None` for `max_num_seqs`
    /// times the context, at most [`Self::DEFAULT_MAX_KV_TOKENS`] or one context.
    pub n_kv_tokens: Option<usize>,
    /// Find blocks of earlier prompts again.
    pub prefix_cache: bool,
    /// Interactive requests that may start before a batch request that is first in its line.
    pub max_overtakes: usize,
    /// Tokens to guess from what was written before (prompt lookup); 0 for none.
    pub n_draft: usize,
}

impl ServiceOptions {
    /// KV cache that is reserved without being asked for, in tokens.
    pub const DEFAULT_MAX_KV_TOKENS: usize = 16384;
}

impl Default for ServiceOptions {
    fn default() -> Self {
        ServiceOptions {
            max_num_seqs: 16,
            max_num_batched_tokens: 512,
            n_kv_tokens: None,
            prefix_cache: true,
            max_overtakes: 64,
            n_draft: 0,
        }
    }
}

/// Work that has the engine's thread to itself.
pub(in crate::native) type Loan = Box<dyn FnOnce(&mut Worker) + Send>;

/// What the engine's thread is told.
pub(super) enum Command {
    Generate(Box<Generation>),
    Embed(Embedding),
    /// Forget a request, wherever it is.
    Abort(u64),
    /// Lend the decoder, when nothing else is under way.
    Lend(Loan),
    /// Tell when all commands before this one are done.
    Ping(Sender<()>),
    /// Drop everything and end.
    Stop,
}

/// What is known of the engine's thread from outside.
#[derive(Default)]
pub(super) struct Shared {
    bells: Bells,
    status: Mutex<ServiceStatus>,
    /// The thread is to end: work that has it to itself ends soon.
    is_ending: AtomicBool,
    /// Commands handed over and not taken yet; nearly all of them are requests.
    n_commands: AtomicU64,
}

/// A loaded model that serves. Dropping it ends its thread; requests under way get no further
/// events.
pub struct NativeService {
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    terms: Terms,
    text: Option<ModelText>,
    /// The model's own, or why there is none.
    pooling: Result<Pooling, String>,
    info: BackendInfo,
    memory: MemoryUsage,
    n_blocks: usize,
    next_id: AtomicU64,
}

/// What the thread tells while it loads.
enum Loading {
    Progress(usize, usize),
    Done(Result<Box<Ready>, NativeError>),
}

/// What is known once the model is loaded.
struct Ready {
    terms: Terms,
    file: Arc<ModelFile>,
    info: BackendInfo,
    memory: MemoryUsage,
    n_blocks: usize,
}

impl NativeService {
    /// Loads `path` and serves it. `progress(layers done, layers)` is called as packing goes on.
    ///
    /// How many requests run at once and how many tokens make a step is `service`'s to say: the
    /// sequences and batches of `setup` are those of a backend without a scheduler.
    pub fn load(
        path: &Path,
        setup: &Setup,
        service: ServiceOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<NativeService, NativeError> {
        let (commands, queue) = channel();
        let (told, loading) = channel();
        let shared = Arc::new(Shared::default());
        let (path, setup, seen) = (path.to_path_buf(), setup.clone(), shared.clone());
        let thread = std::thread::Builder::new().name("engine".into()).spawn(move || {
            let tell = told.clone();
            let loaded = load(&path, &setup, Some(service), &mut |done, of| {
                let _ = tell.send(Loading::Progress(done, of));
            });
            match loaded.map(|loaded| start(loaded, service, queue, seen)) {
                Ok((ready, worker)) => {
                    let _ = told.send(Loading::Done(Ok(Box::new(ready))));
                    drop((told, tell));
                    worker.run();
                }
                Err(error) => drop(told.send(Loading::Done(Err(error)))),
            }
        });
        let thread = thread
            .map_err(|error| NativeError::Engine(pacemark_engine::EngineError::Threads(error)))?;
        let ready = loop {
            match loading.recv() {
                Ok(Loading::Progress(done, of)) => progress(done, of),
                Ok(Loading::Done(ready)) => break ready?,
                Err(_) => return Err(NativeError::Died),
            }
        };
        let Ready { terms, file, info, memory, n_blocks } = *ready;
        // Not by the engine's thread: templates have threads of their own, which run where the one
        // runs that starts them.
        let text =
            terms.tokenizer.clone().map(|tokenizer| ModelText::new(file.metadata(), tokenizer));
        let pooling = pooling::of_model(file.metadata()).map_err(|error| error.to_string());
        let (thread, next_id) = (Some(thread), AtomicU64::new(0));
        Ok(NativeService {
            commands,
            thread,
            shared,
            terms,
            text,
            pooling,
            info,
            memory,
            n_blocks,
            next_id,
        })
    }

    /// The model's chat templates, or why they cannot be used; `None` without a tokenizer.
    pub fn chat_templates(&self) -> Option<Result<&ChatTemplates, &str>> {
        self.text.as_ref().map(ModelText::chat_templates)
    }

    /// Puts chats in other templates from now on.
    pub fn set_chat_templates(&mut self, templates: ChatTemplates) {
        if let Some(text) = &mut self.text {
            text.set_chat_templates(templates);
        }
    }

    /// Runs `work` on the engine's thread once no request is under way. What the prefix cache knew
    /// is forgotten. For measuring what lies below the queue.
    pub(in crate::native) fn lend<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<T, BackendError> {
        let (done, result) = channel();
        self.send(Command::Lend(Box::new(move |worker| drop(done.send(work(worker))))))?;
        result.recv().map_err(|_| gone())
    }

    /// What begins a request.
    pub(in crate::native) fn terms(&self) -> &Terms {
        &self.terms
    }

    fn send(&self, command: Command) -> Result<(), BackendError> {
        self.shared.n_commands.fetch_add(1, Ordering::Relaxed);
        self.commands.send(command).map_err(|_| gone())
    }

    /// Hands a request to the thread, or tells its sink that there is none any more.
    fn hand_over(&self, id: u64, command: Command) -> Ticket {
        self.shared.n_commands.fetch_add(1, Ordering::Relaxed);
        match self.commands.send(command) {
            Ok(()) => return self.ticket(id),
            Err(SendError(Command::Generate(generation))) => generation.fail(gone()),
            Err(SendError(Command::Embed(embedding))) => embedding.fail(gone()),
            Err(_) => {}
        }
        Ticket::default()
    }

    fn ticket(&self, id: u64) -> Ticket {
        let (commands, shared) = (self.commands.clone(), self.shared.clone());
        Ticket::new(move || {
            shared.n_commands.fetch_add(1, Ordering::Relaxed);
            let _ = commands.send(Command::Abort(id));
        })
    }
}

/// Cuts what was loaded into what the caller sees and what its thread runs.
fn start(
    loaded: Loaded,
    options: ServiceOptions,
    queue: Receiver<Command>,
    shared: Arc<Shared>,
) -> (Ready, Worker) {
    let Loaded { decoder, tokenizer, limits, info } = loaded;
    let tokenizer = tokenizer.map(Arc::new);
    let file = decoder.model().file().clone();
    let memory = MemoryUsage {
        model_bytes: decoder.model().packed_bytes(),
        kv_allocated_bytes: decoder.kv().allocated_bytes(),
        kv_used_bytes: 0,
    };
    let terms = Terms { tokenizer, grammars: Arc::default(), limits };
    let n_blocks = decoder.kv().n_free_blocks();
    let worker = Worker::new(decoder, options, queue, shared);
    (Ready { terms, file, info, memory, n_blocks }, worker)
}

fn gone() -> BackendError {
    BackendError::Engine("the engine's thread has ended".into())
}

impl Drop for NativeService {
    fn drop(&mut self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
        let _ = self.send(Command::Stop);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Service for NativeService {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    fn capabilities(&self) -> Capabilities {
        let constraints = self.terms.tokenizer.is_some();
        Capabilities {
            score: false,
            logits: false,
            logprobs: true,
            prefix_reuse: true,
            batch: true,
            constraints,
            embeddings: true,
            kv_policies: true,
        }
    }

    fn text(&self) -> Option<&dyn Text> {
        self.text.as_ref().map(|text| text as &dyn Text)
    }

    fn add_bell(&self, bell: Weak<Bell>) {
        self.shared.bells.add(bell);
    }

    fn submit(&self, request: GenerateRequest, mut sink: Sink) -> Ticket {
        let at = Instant::now();
        let machine = match self.terms.begin(request) {
            Ok(machine) => machine,
            Err(error) => {
                sink(Event::Failed(error));
                return Ticket::default();
            }
        };
        sink(Event::Queued { at });
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let generation = Generation::new(id, machine, sink);
        self.hand_over(id, Command::Generate(Box::new(generation)))
    }

    fn embed(&self, prompt: Vec<TokenId>, pooling: Option<Pooling>, sink: EmbeddingSink) -> Ticket {
        let request = GenerateRequest { prompt, ..GenerateRequest::default() };
        let own = || self.pooling.clone().map_err(BackendError::InvalidRequest);
        let pooling =
            self.terms.limits.check(&request, None).and_then(|()| pooling.map_or_else(own, Ok));
        let pooling = match pooling {
            Ok(pooling) => pooling,
            Err(error) => {
                sink(Err(error));
                return Ticket::default();
            }
        };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.hand_over(id, Command::Embed(Embedding::new(id, request.prompt, pooling, sink)))
    }

    fn room(&self, kv: Option<&str>, n_prompt: usize) -> Result<usize, BackendError> {
        let limits = &self.terms.limits;
        limits.room(limits.policy(kv)?.as_ref(), n_prompt)
    }

    fn status(&self) -> ServiceStatus {
        let status = *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner);
        let queued = self.shared.n_commands.load(Ordering::Relaxed) as usize;
        ServiceStatus { waiting: status.waiting + queued, kv_blocks: self.n_blocks, ..status }
    }

    fn memory(&self) -> Option<MemoryUsage> {
        let used = self.status().kv_blocks_used as u64;
        let block = self.memory.kv_allocated_bytes.checked_div(self.n_blocks as u64).unwrap_or(0);
        Some(MemoryUsage { kv_used_bytes: block * used, ..self.memory })
    }
}
