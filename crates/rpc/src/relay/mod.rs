//! Stands between llama.cpp's client and the workers, in this process: a port of this machine for
//! each worker, to which llama.cpp connects in the worker's place. So it is known what went over
//! the wire and whose turn it was, and a worker that is lost has a name before llama.cpp, which
//! ends the process, hears of it.

mod control;
mod worker;

use crate::away::Away;
use crate::bridge::locked;
use crate::{Endpoint, RpcError, Usage, WorkerUsage, socket};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::time::{Duration, Instant};
use worker::Worker;

/// A worker that is lost. Reads as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which.
    pub endpoint: Endpoint,
    /// What it did, as the predicate of a sentence: "closed the connection while …".
    pub why: String,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} is lost: it {}", self.endpoint, self.why)
    }
}

/// What is told of a loss.
pub type OnLost = Box<dyn Fn(&Lost) + Send + Sync>;

/// How workers are watched.
pub struct RelayOptions {
    /// Longest wait for a connection to a worker.
    pub connect_timeout: Duration,
    /// Longest wait for a gate to say that it is one. A server of llama.cpp's own says nothing.
    pub gate_timeout: Duration,
    /// How often a gate is asked whether it lives, and the kernel asks the other machine.
    pub heartbeat_every: Duration,
    /// A worker without a sign of life for so long is lost. Without a gate the kernel watches, which
    /// counts in seconds, knows the machine but not the worker's process, and is patient (a quarter
    /// of an hour) where the machine goes while bytes are on their way to it.
    pub dead_after: Duration,
    /// A worker that has not answered llama.cpp's HELLO for so long is lost to us: it serves
    /// another caller.
    pub hello_timeout: Duration,
    /// Called once, when the first worker is lost, from a thread of the relays. llama.cpp hears of
    /// the loss, and ends the process, when this has returned.
    pub on_lost: Option<OnLost>,
}

impl Default for RelayOptions {
    fn default() -> RelayOptions {
        RelayOptions {
            connect_timeout: Duration::from_secs(5),
            gate_timeout: Duration::from_secs(2),
            heartbeat_every: Duration::from_secs(2),
            dead_after: Duration::from_secs(10),
            hello_timeout: Duration::from_secs(10),
            on_lost: None,
        }
    }
}

impl fmt::Debug for RelayOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayOptions")
            .field("connect_timeout", &self.connect_timeout)
            .field("gate_timeout", &self.gate_timeout)
            .field("heartbeat_every", &self.heartbeat_every)
            .field("dead_after", &self.dead_after)
            .field("hello_timeout", &self.hello_timeout)
            .finish_non_exhaustive()
    }
}

/// What all workers' threads share.
struct Shared {
    options: RelayOptions,
    away: Arc<Away>,
    stopping: AtomicBool,
    /// Watchers sleep on it, so that they end at once.
    stop: (Mutex<()>, Condvar),
    lost: Mutex<Option<Lost>>,
    told: Once,
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Keeps the first loss and tells of it; returns when it has been told, whoever told it.
    fn lose(&self, endpoint: &Endpoint, why: String) {
        if self.is_stopping() {
            return;
        }
        let first = locked(&self.lost)
            .get_or_insert_with(|| Lost { endpoint: endpoint.clone(), why })
            .clone();
        self.told.call_once(|| {
            if let Some(tell) = &self.options.on_lost {
                tell(&first);
            }
        });
    }

    /// Waits, unless the relays are stopped.
    fn wait(&self, time: Duration) {
        let guard = locked(&self.stop.0);
        if !self.is_stopping() {
            drop(self.stop.1.wait_timeout(guard, time));
        }
    }
}

/// Relays to some workers; they end when this is dropped, and llama.cpp's connections with them.
pub struct Relays {
    shared: Arc<Shared>,
    workers: Vec<Arc<Worker>>,
    addresses: Vec<SocketAddr>,
}

impl fmt::Debug for Relays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relays").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Relays {
    /// Opens a port of this machine for each worker and asks each whether a gate stands before it.
    ///
    /// # Errors
    /// Where a worker cannot be reached at all, or this machine gives no port.
    pub fn start(endpoints: &[Endpoint], options: RelayOptions) -> Result<Relays, RpcError> {
        let shared = Arc::new(Shared {
            options,
            away: Arc::new(Away::default()),
            stopping: AtomicBool::new(false),
            stop: (Mutex::new(()), Condvar::new()),
            lost: Mutex::new(None),
            told: Once::new(),
        });
        // Whatever goes wrong below, what was started ends with this.
        let mut relays = Relays { shared, workers: Vec::new(), addresses: Vec::new() };
        for endpoint in endpoints {
            let failed = |source| RpcError::Listen { endpoint: endpoint.clone(), source };
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let worker = Arc::new(Worker::reach(endpoint, &relays.shared)?);
            worker.start(listener);
            relays.addresses.push(address);
            relays.workers.push(worker);
        }
        Ok(relays)
    }

    /// Where llama.cpp is to connect, in the workers' order.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What the workers were used for until now. It asks the gates, which takes a round trip to
    /// each. A turn in which a worker owes nothing ends with it, where its last byte was sent: what
    /// the caller does between two usages is its own.
    pub fn usage(&self) -> Usage {
        let workers = self.workers.iter().map(|worker| {
            // Counted first: what the gate has measured by then is no less.
            let counts = worker.counts();
            WorkerUsage {
                endpoint: worker.endpoint.clone(),
                sent_bytes: counts.sent_bytes,
                received_bytes: counts.received_bytes,
                commands: counts.commands,
                round_trips: counts.round_trips,
                graphs: counts.graphs,
                turn_ns: counts.turn_ns,
                computing_ns: worker.computing_ns(),
            }
        });
        let workers = workers.collect();
        Usage { workers, away_ns: self.shared.away.total_ns(Instant::now()) }
    }

    /// The worker that was lost first, if one was.
    pub fn lost(&self) -> Option<Lost> {
        locked(&self.shared.lost).clone()
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        drop(locked(&self.shared.stop.0));
        self.shared.stop.1.notify_all();
        for (worker, address) in self.workers.iter().zip(&self.addresses) {
            worker.end_all();
            socket::wake(*address);
        }
    }
}
