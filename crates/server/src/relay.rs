//! From the service's thread to the streams: events of all of them are collected, and the runtime
//! is woken once for all that the service hands over at once.

use pacemark_backend::{Bell, Event, Service};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

/// Where the events of one stream go, each with the number of its answer.
pub(crate) type ToStream = UnboundedSender<(u32, Event)>;

/// Events on their way to the streams of a server.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    /// What the service holds weakly.
    _bell: Arc<Bell>,
}

#[derive(Default)]
struct Shared {
    ready: Mutex<Vec<(ToStream, u32, Event)>>,
    wake: Notify,
}

impl Shared {
    fn ring(&self) {
        if !self.ready.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            self.wake.notify_one();
        }
    }
}

impl Relay {
    /// A relay for streams of `service`.
    pub(crate) fn new(service: &dyn Service) -> Relay {
        let shared = Arc::new(Shared::default());
        let of_bell = shared.clone();
        let bell: Arc<Bell> = Arc::new(move || of_bell.ring());
        service.add_bell(Arc::downgrade(&bell));
        Relay { shared, _bell: bell }
    }

    /// Hands events on, on the runtime, for as long as it runs.
    pub(crate) fn run(&self, runtime: &Handle) {
        let shared = self.shared.clone();
        runtime.spawn(async move {
            loop {
                shared.wake.notified().await;
                let ready = std::mem::take(
                    &mut *shared.ready.lock().unwrap_or_else(PoisonError::into_inner),
                );
                for (stream, answer, event) in ready {
                    let _ = stream.send((answer, event)); // nobody listens any more: its ticket is about to be dropped
                }
            }
        });
    }

    /// Collects an event, on the service's thread; the bell will hand it on.
    pub(crate) fn collect(&self, stream: &ToStream, answer: u32, event: Event) {
        self.shared.ready.lock().unwrap_or_else(PoisonError::into_inner).push((
            stream.clone(),
            answer,
            event,
        ));
    }

    /// For events that were collected on another thread, when a request was submitted.
    pub(crate) fn ring(&self) {
        self.shared.ring();
    }
}
