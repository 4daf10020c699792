//! A service made of any backend: its own thread loads the backend, owns it, and computes what is
//! asked of it, as batches.
//!
//! The batches are static. Those that wait when the thread is free make one, as many as the backend
//! holds sequences; whoever comes while it is computed waits until all of it has ended. The trait
//! allows no more: a batch can neither be joined nor left, only dropped as a whole. So a request that
//! is aborted is silent at once, but is computed until the others of its batch have ended or are
//! aborted too. What a [`Backend`] has no word for (embeddings, how much room a policy leaves) is
//! refused.

mod desk;
mod line;
mod worker;

use crate::LoadError;
use desk::Request;
use pacemark_backend::{
    Backend, BackendError, BackendInfo, Bell, Bells, Capabilities, Elsewhere, Event,
    GenerateRequest, MemoryUsage, Service, ServiceStatus, Sink, Text, Ticket, Watch,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Instant;
use worker::Worker;

/// What the backend's thread is told.
enum Command {
    Submit(Box<Request>),
    /// Forget a request, wherever it is.
    Abort(u64),
    /// Drop everything and end.
    Stop,
}

/// What is known of the backend's thread from outside.
#[derive(Default)]
struct Shared {
    bells: Bells,
    seen: Mutex<Seen>,
    /// Requests handed over and not taken yet.
    n_submitted: AtomicUsize,
    /// Workers on other machines, after the last batch.
    elsewhere: Mutex<Option<Elsewhere>>,
    /// What ended the backend's thread.
    broken: Mutex<Option<String>>,
}

/// What the thread told last.
#[derive(Clone, Copy, Default)]
struct Seen {
    status: ServiceStatus,
    memory: Option<MemoryUsage>,
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn seen(&self) -> Seen {
        *locked(&self.seen)
    }
}

/// A backend that serves. Dropping it ends its thread, after the step that is under way; requests
/// under way get no further events.
///
/// ```
/// use pacemark_backend::{Event, GenerateRequest, MockBackend, Service};
/// use pacemark_backends::served::ServedBackend;
/// use std::sync::mpsc::channel;
///
/// let mock = || Ok(Box::new(MockBackend::new(Default::default(), Default::default())) as Box<_>);
/// let service = ServedBackend::start(mock, None).expect("a thread");
/// let (told, events) = channel();
/// let request = GenerateRequest { prompt: vec![1, 2], max_tokens: 3, ..GenerateRequest::default() };
/// let _ticket = service.submit(request, Box::new(move |event| drop(told.send(event))));
/// assert!(matches!(events.iter().last(), Some(Event::Finished { .. })));
/// ```
pub struct ServedBackend {
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    text: Option<Box<dyn Text>>,
    info: BackendInfo,
    watch: Option<Watch>,
    capabilities: Capabilities,
    next_id: AtomicU64,
}

impl ServedBackend {
    /// Serves what `make` gives. It is called on the thread that will compute, since a backend need
    /// not be one that can go from one thread to another. `text` is that of the same model.
    pub fn start(
        make: impl FnOnce() -> Result<Box<dyn Backend>, LoadError> + Send + 'static,
        text: Option<Box<dyn Text>>,
    ) -> Result<ServedBackend, LoadError> {
        let (commands, queue) = channel();
        let (told, loading) = channel();
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("engine".into()).spawn(move || {
            let made = catch_unwind(AssertUnwindSafe(make));
            let made = made.unwrap_or_else(|panic| {
                Err(format!("the backend panicked while it loaded: {}", words(&*panic)).into())
            });
            match made {
                Ok(backend) => {
                    let about = (backend.info(), backend.capabilities(), backend.watch());
                    let worker = Worker::new(backend, queue, of_thread);
                    let _ = told.send(Ok(about));
                    drop(told);
                    worker.run();
                }
                Err(error) => drop(told.send(Err(error))),
            }
        })?;
        let ended = || "the backend's thread ended while it loaded";
        let (mut info, of_backend, watch) = loading.recv().map_err(|_| ended())??;
        info.n_seqs = worker::width(&info, of_backend);
        Ok(ServedBackend {
            commands,
            thread: Some(thread),
            shared,
            text,
            info,
            watch,
            // What the seam of serving has no word for is left out.
            capabilities: Capabilities {
                score: false,
                logits: false,
                embeddings: false,
                kv_policies: false,
                ..of_backend
            },
            next_id: AtomicU64::new(0),
        })
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words")
}

impl Drop for ServedBackend {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
        // A sink may be what drops the last handle, on the thread itself.
        let thread = self.thread.take();
        let elsewhere = thread.filter(|thread| thread.thread().id() != std::thread::current().id());
        let _ = elsewhere.map(JoinHandle::join);
    }
}

impl Service for ServedBackend {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn text(&self) -> Option<&dyn Text> {
        self.text.as_deref()
    }

    fn add_bell(&self, bell: Weak<Bell>) {
        self.shared.bells.add(bell);
    }

    /// [`Event::Queued`] is stamped here, but comes when the backend has looked at the request: when
    /// its batch begins.
    fn submit(&self, request: GenerateRequest, mut sink: Sink) -> Ticket {
        let at = Instant::now();
        if request.has_policy() {
            let (backend, ability) = ("this backend", "let go of keys and values");
            sink(Event::Failed(BackendError::Unsupported { backend, ability: ability.into() }));
            return Ticket::default();
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.shared.n_submitted.fetch_add(1, Ordering::Relaxed);
        let request = Box::new(Request { id, at, request, sink });
        if let Err(SendError(refused)) = self.commands.send(Command::Submit(request)) {
            self.shared.n_submitted.fetch_sub(1, Ordering::Relaxed);
            if let Command::Submit(mut request) = refused {
                let gone = "the backend's thread has ended".into();
                (request.sink)(Event::Failed(BackendError::Engine(gone)));
            }
            return Ticket::default();
        }
        let commands = self.commands.clone();
        Ticket::new(move || drop(commands.send(Command::Abort(id))))
    }

    /// Steps are groups of events that came together: a forward pass each, where the backend
    /// computes as it is asked for events.
    fn status(&self) -> ServiceStatus {
        let status = self.shared.seen().status;
        let submitted = self.shared.n_submitted.load(Ordering::Relaxed);
        ServiceStatus { waiting: status.waiting + submitted, ..status }
    }

    fn memory(&self) -> Option<MemoryUsage> {
        self.shared.seen().memory
    }

    fn elsewhere(&self) -> Option<Elsewhere> {
        locked(&self.shared.elsewhere).clone()
    }

    fn broken(&self) -> Option<String> {
        let ended = locked(&self.shared.broken).clone();
        ended.or_else(|| self.watch.as_ref().and_then(|watch| watch()))
    }
}
