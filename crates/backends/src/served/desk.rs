//! What lies between listeners and the backend: who waits, who is computed, and what they and the
//! service's gauges are told.

use super::line::Line;
use super::{Command, Shared, locked};
use crate::gather::Gather;
use pacemark_backend::{
    Backend, BackendError, Event, GenerateRequest, MemoryUsage, ServiceStatus, Sink,
};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

/// A request that waits.
pub(super) struct Request {
    pub id: u64,
    /// When it was submitted.
    pub at: Instant,
    pub request: GenerateRequest,
    pub sink: Sink,
}

/// A request of the batch that is computed.
struct Running {
    id: u64,
    at: Instant,
    sink: Sink,
    n_prompt: usize,
    /// Of these, tokens that were counted as computed.
    n_counted: usize,
    /// Whether its prompt is looked up.
    reuses: bool,
}

/// All requests, and who is to be told of them.
pub(super) struct Desk {
    queue: Receiver<Command>,
    shared: Arc<Shared>,
    line: Line,
    gather: Gather,
    /// Those of the batch, in its order; `None` for one that has ended or was aborted.
    running: Vec<Option<Running>>,
    status: ServiceStatus,
    /// Since the bells were rung last: whether somebody was told something, whether it tells of
    /// something computed, and how many requests ended.
    told: bool,
    computed: bool,
    n_ended: usize,
}

impl Desk {
    pub(super) fn new(queue: Receiver<Command>, shared: Arc<Shared>) -> Desk {
        Desk {
            queue,
            shared,
            line: Line::default(),
            gather: Gather::default(),
            running: Vec::new(),
            status: ServiceStatus::default(),
            told: false,
            computed: false,
            n_ended: 0,
        }
    }

    /// Waits until there is something to compute, at most `width` requests of it; a moment longer for
    /// those whose answers have just ended together.
    pub(super) fn wait(&mut self, width: usize) -> ControlFlow<()> {
        while self.line.len() == 0 {
            let Ok(command) = self.queue.recv() else { return ControlFlow::Break(()) };
            self.obey(command)?;
        }
        self.listen()?;
        while self.line.len() < width
            && let Some(patience) = self.gather.wait(0, Instant::now())
        {
            match self.queue.recv_timeout(patience) {
                Ok(command) => self.obey(command)?,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
            }
        }
        self.gather.give_up(0);
        ControlFlow::Continue(())
    }

    /// Does what was commanded so far.
    pub(super) fn listen(&mut self) -> ControlFlow<()> {
        while let Ok(command) = self.queue.try_recv() {
            self.obey(command)?;
        }
        ControlFlow::Continue(())
    }

    fn obey(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Stop => return ControlFlow::Break(()),
            Command::Submit(request) => {
                self.gather.came();
                self.line.push(*request);
                self.publish();
                // After it is counted where it is now: a gauge may show it twice, but never not at
                // all.
                self.shared.n_submitted.fetch_sub(1, Ordering::Relaxed);
            }
            Command::Abort(id) => {
                self.line.remove(id);
                for slot in &mut self.running {
                    slot.take_if(|running| running.id == id);
                }
                self.publish();
            }
        }
        ControlFlow::Continue(())
    }

    /// Makes a batch of those whose turn it is, at most `width`.
    pub(super) fn begin(&mut self, width: usize) -> Vec<GenerateRequest> {
        let mut requests = Vec::new();
        self.running.clear();
        while self.running.len() < width
            && let Some(Request { id, at, request, sink }) = self.line.pop()
        {
            let (n_prompt, reuses) = (request.prompt.len(), request.reuse_prefix);
            self.running.push(Some(Running { id, at, sink, n_prompt, n_counted: 0, reuses }));
            requests.push(request);
        }
        self.publish();
        requests
    }

    /// Whether somebody still waits for something of the batch.
    pub(super) fn is_awaited(&self) -> bool {
        self.running.iter().any(Option::is_some)
    }

    /// Hands an event of the batch's request `index` to whoever listens.
    pub(super) fn hand(&mut self, index: usize, event: Event) {
        let Some(slot) = self.running.get_mut(index) else { return };
        let Some(running) = slot else { return };
        let status = &mut self.status;
        let mut computed = |to: usize| {
            status.prompt_tokens += to.saturating_sub(running.n_counted) as u64;
            running.n_counted = running.n_counted.max(to);
            self.computed = true;
        };
        let event = match event {
            // When it came, though the backend has seen it only now; its clock may be another.
            Event::Queued { at } => Event::Queued { at: running.at.min(at) },
            Event::Prefill { computed: to, .. } => {
                computed(to);
                event
            }
            Event::Token { .. } => {
                computed(running.n_prompt);
                status.generated_tokens += 1;
                event
            }
            Event::Finished { .. } => {
                computed(running.n_prompt);
                event
            }
            Event::Started { cached_tokens, .. } => {
                if running.reuses {
                    status.prefix_queries += running.n_prompt as u64;
                    status.prefix_hits += cached_tokens as u64;
                }
                event
            }
            Event::Failed(_) => event,
        };
        self.told = true;
        if matches!(event, Event::Finished { .. } | Event::Failed(_)) {
            self.n_ended += 1;
            let ended = slot.take();
            // Whoever hears the end may look at the status next, and it should agree.
            self.publish();
            if let Some(mut running) = ended {
                (running.sink)(event);
            }
        } else {
            (running.sink)(event);
        }
    }

    /// All that came together was handed over: listeners are woken.
    pub(super) fn handed(&mut self, memory: Option<MemoryUsage>) {
        self.status.steps += u64::from(std::mem::take(&mut self.computed));
        self.publish();
        locked(&self.shared.seen).memory = memory;
        match std::mem::take(&mut self.n_ended) {
            0 => {}
            n => self.gather.ended(n, Instant::now()),
        }
        if std::mem::take(&mut self.told) {
            self.shared.bells.ring();
        }
    }

    /// Tells what workers did: nothing is under way, and a round trip may be made.
    pub(super) fn inspect(&self, backend: &dyn Backend) {
        *locked(&self.shared.elsewhere) = backend.elsewhere();
    }

    /// The batch will have no more events: whoever still waits for its end is told `why`.
    pub(super) fn fail_running(&mut self, why: &str) {
        for index in 0..self.running.len() {
            self.hand(index, Event::Failed(BackendError::Engine(why.to_owned())));
        }
    }

    /// Answers everybody with `why`, until the service is dropped.
    pub(super) fn refuse(&mut self, why: &str) {
        *locked(&self.shared.broken) = Some(why.to_owned());
        self.fail_running(why);
        loop {
            while !self.begin(usize::MAX).is_empty() {
                self.fail_running(why);
            }
            self.handed(None);
            let Ok(command) = self.queue.recv() else { return };
            if self.obey(command).is_break() {
                return;
            }
        }
    }

    fn publish(&mut self) {
        self.status.running = self.running.iter().flatten().count();
        self.status.waiting = self.line.len();
        locked(&self.shared.seen).status = self.status;
    }
}

impl Drop for Desk {
    /// Whatever was told last is heard, also when the thread has panicked.
    fn drop(&mut self) {
        self.shared.bells.ring();
    }
}
