//! Moves bytes between a caller and a worker, both ways at once, as they come: never a message is
//! waited for. What goes by is told to a [`Conversation`] before it is handed on, so that nothing
//! is answered before it is known to be asked.

use crate::conversation::Conversation;
use crate::protocol::Fault;
use crate::socket;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that are read at a time, at most.
const BUFFER_BYTES: usize = 256 << 10;

/// Why a connection ended: what happened first.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The caller closed it, or is gone.
    CallerLeft,
    /// The worker closed it.
    WorkerClosed,
    /// The connection to the worker failed.
    WorkerFailed(io::Error),
    /// The caller sent what the protocol does not have.
    CallerFault(Fault),
    /// The worker sent what the protocol does not have.
    WorkerFault(Fault),
}

impl Ending {
    /// What the worker did, where it was its doing, at the `phase` of the conversation.
    pub(crate) fn of_the_worker(&self, phase: &str, dead: Duration) -> Option<String> {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut};
        match self {
            Ending::CallerLeft => None,
            Ending::WorkerClosed => Some(format!("closed the connection {phase}")),
            Ending::WorkerFailed(error) => Some(match error.kind() {
                ConnectionReset | ConnectionAborted | BrokenPipe => {
                    format!("reset the connection {phase}")
                }
                TimedOut => format!("gave no sign of life for {} s {phase}", dead.as_secs_f64()),
                _ => format!("could not be talked to {phase}: {error}"),
            }),
            Ending::CallerFault(fault) => Some(format!("was sent what it cannot read: {fault}")),
            Ending::WorkerFault(fault) => Some(format!("sent what cannot be read: {fault}")),
        }
    }
}

/// A lock that outlives a thread's panic: what is counted stays worth telling.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forwards until one side ends, tells `ended` why (once, with both sides still open), then ends
/// both. Returns when nothing moves any more.
pub(crate) fn bridge(
    caller: &TcpStream,
    worker: &TcpStream,
    conversation: &Mutex<Conversation>,
    ended: impl Fn(Ending) + Sync,
) {
    let over = AtomicBool::new(false);
    let end = |ending| {
        // The other way ends because this one did, and has nothing to add.
        if !over.swap(true, Ordering::SeqCst) {
            ended(ending);
            socket::end(caller);
            socket::end(worker);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| end(forward(caller, worker, conversation)));
        end(backward(worker, caller, conversation));
    });
}

/// Commands, until they end.
fn forward(caller: &TcpStream, worker: &TcpStream, conversation: &Mutex<Conversation>) -> Ending {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let bytes = match read(caller, &mut buffer) {
            Ok([]) | Err(_) => return Ending::CallerLeft,
            Ok(bytes) => bytes,
        };
        if let Err(fault) = locked(conversation).sent(bytes, Instant::now()) {
            return Ending::CallerFault(fault);
        }
        if let Err(error) = (&mut &*worker).write_all(bytes) {
            return Ending::WorkerFailed(error);
        }
        locked(conversation).sent_on(Instant::now());
    }
}

/// Answers, until they end.
fn backward(worker: &TcpStream, caller: &TcpStream, conversation: &Mutex<Conversation>) -> Ending {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let bytes = match read(worker, &mut buffer) {
            Ok([]) => return Ending::WorkerClosed,
            Err(error) => return Ending::WorkerFailed(error),
            Ok(bytes) => bytes,
        };
        if let Err(fault) = locked(conversation).received(bytes, Instant::now()) {
            return Ending::WorkerFault(fault);
        }
        if (&mut &*caller).write_all(bytes).is_err() {
            return Ending::CallerLeft;
        }
    }
}

fn read<'b>(mut from: &TcpStream, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    loop {
        match from.read(buffer) {
            Ok(n) => return Ok(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
