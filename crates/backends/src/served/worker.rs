//! The thread that computes: batch after batch, and what becomes of a backend that fails.

use super::desk::Desk;
use super::{Command, Shared, words};
use pacemark_backend::{Backend, BackendInfo, BatchStream, Capabilities};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// A backend and those who want something of it.
pub(super) struct Worker {
    backend: Box<dyn Backend>,
    desk: Desk,
    /// Whether it computes several requests together.
    batches: bool,
    /// Requests of a batch at most.
    width: usize,
}

/// Requests that a backend computes together.
pub(super) fn width(info: &BackendInfo, capabilities: Capabilities) -> usize {
    if capabilities.batch { info.n_seqs.max(1) } else { 1 }
}

impl Worker {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        queue: Receiver<Command>,
        shared: Arc<Shared>,
    ) -> Worker {
        let capabilities = backend.capabilities();
        let width = width(&backend.info(), capabilities);
        let mut desk = Desk::new(queue, shared);
        desk.handed(backend.memory());
        desk.inspect(&*backend);
        Worker { backend, desk, batches: capabilities.batch, width }
    }

    /// Serves until the service is dropped.
    pub(super) fn run(self) {
        let Worker { backend, mut desk, batches, width } = self;
        let serve = || {
            while desk.wait(width).is_continue() {
                if batch(&*backend, &mut desk, batches, width).is_break() {
                    break;
                }
            }
        };
        // What was under way is in `desk`, and is told of it; nothing else is used again: the panic
        // may have left the backend in pieces.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(serve)) {
            let why = format!("the backend panicked: {}; it serves no more", words(&*panic));
            desk.refuse(&why);
        }
        drop(desk);
        let _ = catch_unwind(AssertUnwindSafe(|| drop(backend)));
    }
}

/// Computes those whose turn it is, until all have ended or nobody listens any more.
fn batch(backend: &dyn Backend, desk: &mut Desk, batches: bool, width: usize) -> ControlFlow<()> {
    let mut requests = desk.begin(width);
    let mut events: BatchStream<'_> = if batches {
        backend.generate_batch(requests)
    } else {
        let Some(request) = requests.pop() else { return ControlFlow::Continue(()) };
        Box::new(backend.generate(request).map(|event| (0, event)))
    };
    loop {
        if events.size_hint().0 == 0 {
            // The next event has to be computed.
            desk.handed(backend.memory());
            desk.listen()?;
            if !desk.is_awaited() {
                break;
            }
        }
        match events.next() {
            Some((index, event)) => desk.hand(index, event),
            None => break,
        }
    }
    // Frees what it held, before anybody may look.
    drop(events);
    desk.inspect(backend);
    desk.fail_running("the backend ended its events before the request had ended");
    desk.handed(backend.memory());
    ControlFlow::Continue(())
}
