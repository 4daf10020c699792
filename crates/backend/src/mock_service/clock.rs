//! The mock's thread: a heap of deadlines, and the streams that they belong to.

use super::stream::Stream;
use crate::{Bells, ServiceStatus, Ticket};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// What the thread is told.
enum Command {
    Submit { id: u64, at: Instant, stream: Box<Stream> },
    Abort(u64),
    Stop,
}

/// Handle of the thread.
pub(super) struct Clock {
    commands: Sender<Command>,
    next_id: AtomicU64,
    pub counters: Arc<Counters>,
    pub bells: Arc<Bells>,
}

/// What the thread tells of itself.
#[derive(Default)]
pub(super) struct Counters {
    running: AtomicUsize,
    waiting: AtomicUsize,
    prompt_tokens: AtomicU64,
    generated_tokens: AtomicU64,
    steps: AtomicU64,
}

impl Counters {
    /// As a service tells them.
    pub(super) fn read(&self) -> ServiceStatus {
        ServiceStatus {
            running: self.running.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            prompt_tokens: self.prompt_tokens.load(Relaxed),
            generated_tokens: self.generated_tokens.load(Relaxed),
            steps: self.steps.load(Relaxed),
            ..ServiceStatus::default()
        }
    }
}

impl Clock {
    /// Starts the thread; at most `max_running` streams run at once, 0 for no bound.
    pub(super) fn start(max_running: usize) -> std::io::Result<Clock> {
        let (commands, received) = channel();
        let counters = Arc::new(Counters::default());
        let max_running = if max_running == 0 { usize::MAX } else { max_running };
        let bells = Arc::new(Bells::default());
        let state = State {
            max_running,
            counters: counters.clone(),
            bells: bells.clone(),
            ..State::default()
        };
        std::thread::Builder::new().name("mock".into()).spawn(move || state.run(&received))?;
        Ok(Clock { commands, next_id: AtomicU64::new(0), counters, bells })
    }

    /// Hands over a stream.
    pub(super) fn submit(&self, stream: Stream) -> Ticket {
        let id = self.next_id.fetch_add(1, Relaxed);
        let commands = self.commands.clone();
        let _ = commands.send(Command::Submit { id, at: Instant::now(), stream: Box::new(stream) });
        Ticket::new(move || drop(commands.send(Command::Abort(id))))
    }
}

impl Drop for Clock {
    /// Not joined: a sink may be what drops the last handle, on the thread itself.
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
    }
}

/// What the thread works on.
#[derive(Default)]
struct State {
    max_running: usize,
    counters: Arc<Counters>,
    bells: Arc<Bells>,
    /// Deadline and stream; those of aborted streams are passed over.
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    running: HashMap<u64, Box<Stream>>,
    waiting: VecDeque<(u64, Box<Stream>)>,
}

impl State {
    fn run(mut self, commands: &Receiver<Command>) {
        loop {
            while let Ok(command) = commands.try_recv() {
                if self.obey(command).is_break() {
                    return;
                }
            }
            let now = Instant::now();
            // Commands are looked at again after at most this many events, however late the clock
            // is.
            for _ in 0..1024 {
                match self.due.peek() {
                    Some(Reverse((at, _))) if *at <= now => self.step(),
                    _ => break,
                }
            }
            self.bells.ring();
            let wait = self.due.peek().map_or(Duration::MAX, |Reverse((at, _))| {
                at.saturating_duration_since(Instant::now())
            });
            let received = match wait {
                Duration::ZERO => continue,
                Duration::MAX => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                wait => commands.recv_timeout(wait),
            };
            match received {
                Ok(command) => {
                    if self.obey(command).is_break() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn obey(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Stop => return ControlFlow::Break(()),
            Command::Submit { id, at, mut stream } => {
                stream.queue(at);
                if self.running.len() < self.max_running {
                    self.start(id, at, stream);
                } else {
                    self.waiting.push_back((id, stream));
                }
            }
            Command::Abort(id) => {
                if self.running.remove(&id).is_some() {
                    self.next_turn(Instant::now());
                } else {
                    self.waiting.retain(|(waiting, _)| *waiting != id);
                }
            }
        }
        self.tell();
        ControlFlow::Continue(())
    }

    fn start(&mut self, id: u64, at: Instant, mut stream: Box<Stream>) {
        self.due.push(Reverse((stream.start(at), id)));
        self.counters.prompt_tokens.fetch_add(stream.prompt_tokens() as u64, Relaxed);
        self.running.insert(id, stream);
    }

    /// The turn of the next that waits, if there is room.
    fn next_turn(&mut self, at: Instant) {
        if self.running.len() < self.max_running
            && let Some((id, stream)) = self.waiting.pop_front()
        {
            self.start(id, at, stream);
        }
    }

    /// Does what is due first.
    fn step(&mut self) {
        let Some(Reverse((at, id))) = self.due.pop() else { return };
        let Some(stream) = self.running.get_mut(&id) else { return };
        self.counters.steps.fetch_add(1, Relaxed);
        let before = stream.n_tokens();
        let next = stream.step(at);
        self.counters.generated_tokens.fetch_add((stream.n_tokens() - before) as u64, Relaxed);
        match next {
            Some(next) => self.due.push(Reverse((next, id))),
            None => {
                self.running.remove(&id);
                self.next_turn(at);
                self.tell();
            }
        }
    }

    fn tell(&self) {
        self.counters.running.store(self.running.len(), Relaxed);
        self.counters.waiting.store(self.waiting.len(), Relaxed);
    }
}
