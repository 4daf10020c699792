//! One worker: its port here, its connections, its watcher. When anything shows that it is lost,
//! the loss is told first and then every connection of it is ended.

use super::Shared;
use super::control::Control;
use crate::bridge::{Ending, bridge, locked};
use crate::conversation::{Conversation, Counts};
use crate::{Endpoint, RpcError, socket};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A worker and what was counted of it.
pub(super) struct Worker {
    pub(super) endpoint: Endpoint,
    shared: Arc<Shared>,
    /// To its gate, if it has one.
    control: Option<Mutex<Control>>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Of connections that are closed.
    closed: Counts,
    open: Vec<Arc<Connection>>,
    /// Nothing is relayed any more.
    is_lost: bool,
}

struct Connection {
    caller: TcpStream,
    worker: TcpStream,
    conversation: Mutex<Conversation>,
}

impl Worker {
    /// Asks a worker for its gate.
    pub(super) fn reach(endpoint: &Endpoint, shared: &Arc<Shared>) -> Result<Worker, RpcError> {
        let control = Control::open(endpoint, &shared.options)?;
        Ok(Worker {
            endpoint: endpoint.clone(),
            shared: Arc::clone(shared),
            control: control.map(Mutex::new),
            book: Mutex::default(),
        })
    }

    /// Starts the threads that take connections and that watch.
    pub(super) fn start(self: &Arc<Worker>, listener: TcpListener) {
        let worker = Arc::clone(self);
        std::thread::spawn(move || worker.listen(&listener));
        let worker = Arc::clone(self);
        std::thread::spawn(move || worker.watch());
    }

    fn listen(self: Arc<Worker>, listener: &TcpListener) {
        loop {
            let caller = listener.accept();
            if self.shared.is_stopping() {
                return;
            }
            match caller {
                Ok((caller, _)) => {
                    let worker = Arc::clone(&self);
                    std::thread::spawn(move || worker.serve(caller));
                }
                // Too many open files, or a caller that is gone: neither ends a relay.
                Err(_) => self.shared.wait(Duration::from_millis(50)),
            }
        }
    }

    /// One connection of llama.cpp's, from its beginning to its end.
    fn serve(&self, caller: TcpStream) {
        let connection = match self.open(caller) {
            Ok(Some(connection)) => connection,
            Ok(None) => return,
            Err((caller, why)) => {
                self.lose(why);
                drop(caller);
                return;
            }
        };
        let Connection { caller, worker, conversation } = &*connection;
        bridge(caller, worker, conversation, |ending| self.ended(&ending, conversation));
        let mut book = locked(&self.book);
        book.closed.add(locked(conversation).close(Instant::now()));
        book.open.retain(|open| !Arc::ptr_eq(open, &connection));
    }

    /// Connects to the worker for a caller. The caller comes back with what failed, to be held until
    /// that has been told; nothing comes back where the worker is lost already.
    fn open(&self, caller: TcpStream) -> Result<Option<Arc<Connection>>, (TcpStream, String)> {
        let options = &self.shared.options;
        let ready = || -> Result<TcpStream, String> {
            let worker = socket::connect(&self.endpoint, options.connect_timeout)
                .map_err(|error| format!("could not be connected to: {error}"))?;
            let set: io::Result<()> = caller.set_nodelay(true).and_then(|()| {
                socket::keep_alive(&worker, options.heartbeat_every, options.dead_after)
            });
            set.map_err(|error| format!("could not be watched: {error}"))?;
            Ok(worker)
        };
        let worker = match ready() {
            Ok(worker) => worker,
            Err(why) => return Err((caller, why)),
        };
        let conversation = Mutex::new(Conversation::new(Arc::clone(&self.shared.away)));
        let connection = Arc::new(Connection { caller, worker, conversation });
        let mut book = locked(&self.book);
        if book.is_lost || self.shared.is_stopping() {
            return Ok(None);
        }
        book.open.push(Arc::clone(&connection));
        Ok(Some(connection))
    }

    fn ended(&self, ending: &Ending, conversation: &Mutex<Conversation>) {
        let phase = locked(conversation).phase();
        if let Some(why) = ending.of_the_worker(&phase, self.shared.options.dead_after) {
            self.lose(why);
        }
    }

    /// Tells of the loss, then ends all connections.
    fn lose(&self, why: String) {
        self.shared.lose(&self.endpoint, why);
        locked(&self.book).is_lost = true;
        self.end_all();
    }

    pub(super) fn end_all(&self) {
        for connection in &locked(&self.book).open {
            socket::end(&connection.worker);
            socket::end(&connection.caller);
        }
    }

    /// Asks the gate for signs of life, and looks whether a HELLO waits too long, until the worker
    /// is lost or the relays end.
    fn watch(&self) {
        let options = &self.shared.options;
        loop {
            self.shared.wait(options.heartbeat_every);
            if self.shared.is_stopping() || locked(&self.book).is_lost {
                return;
            }
            if let Some(control) = &self.control {
                let heard = locked(control).ping();
                if let Err(error) = heard {
                    return self.lose(silence(&error, options.dead_after));
                }
            }
            let waits = |connection: &Arc<Connection>| {
                let since = locked(&connection.conversation).hello_since();
                since.is_some_and(|since| since.elapsed() >= options.hello_timeout)
            };
            if locked(&self.book).open.iter().any(waits) {
                return self.lose(format!(
                    "did not answer HELLO for {} s; it may be serving another caller",
                    options.hello_timeout.as_secs_f64()
                ));
            }
        }
    }

    /// All that was counted, after settling what the worker owes nothing for.
    pub(super) fn counts(&self) -> Counts {
        let book = locked(&self.book);
        let mut counts = book.closed;
        for connection in &book.open {
            let mut conversation = locked(&connection.conversation);
            conversation.settle();
            counts.add(conversation.counts(Instant::now()));
        }
        counts
    }

    /// What its gate has measured since the relays were started.
    pub(super) fn computing_ns(&self) -> Option<u64> {
        locked(self.control.as_ref()?).computing_ns()
    }
}

/// What a gate's not answering says of the worker.
fn silence(error: &io::Error, dead: Duration) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            format!("gave no sign of life for {} s", dead.as_secs_f64())
        }
        io::ErrorKind::InvalidData => format!("answered a heartbeat wrongly: {error}"),
        _ => "closed the connection over which it tells that it lives".to_owned(),
    }
}
