//! What goes wrong with a worker, always with its name.

use crate::Endpoint;
use crate::protocol::{Command, Version};
use std::time::Duration;

/// Why a worker cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The name has no address.
    #[error("worker {endpoint}: the host cannot be resolved: {why}")]
    Unresolved {
        /// The worker.
        endpoint: Endpoint,
        /// In the resolver's words.
        why: String,
    },
    /// Nobody listens there.
    #[error("worker {endpoint} refused the connection: nothing listens on that port")]
    Refused {
        /// The worker.
        endpoint: Endpoint,
    },
    /// Silence.
    #[error(
        "worker {endpoint} did not answer within {} s ({during}); it may be serving another \
         caller, for a worker serves one at a time, or be no worker",
        within.as_secs_f64()
    )]
    NoAnswer {
        /// The worker.
        endpoint: Endpoint,
        /// How long it was waited for.
        within: Duration,
        /// "connecting", or the command.
        during: &'static str,
    },
    /// It hung up.
    #[error("worker {endpoint} closed the connection ({during})")]
    Closed {
        /// The worker.
        endpoint: Endpoint,
        /// "connecting", or the command.
        during: &'static str,
    },
    /// A worker, but of another llama.cpp.
    #[error("worker {endpoint} speaks version {found} of the protocol; expected {expected}")]
    Version {
        /// The worker.
        endpoint: Endpoint,
        /// What it says.
        found: Version,
        /// What llama.cpp's client here speaks.
        expected: Version,
    },
    /// Something else listens there.
    #[error(
        "{endpoint} is no RPC worker: {}",
        not_a_worker(*command, *expected, *found)
    )]
    NotAWorker {
        /// The worker.
        endpoint: Endpoint,
        /// What was asked.
        command: Command,
        /// Bytes of a worker's answer.
        expected: u64,
        /// Bytes that this answer claims to have.
        found: u64,
    },
    /// A worker's answer that cannot be.
    #[error("worker {endpoint}: {field} is {found}; expected {expected}")]
    Field {
        /// The worker.
        endpoint: Endpoint,
        /// What of the answer.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// Anything else of the network.
    #[error("worker {endpoint} ({during}): {source}")]
    Io {
        /// The worker.
        endpoint: Endpoint,
        /// "connecting", or the command.
        during: &'static str,
        /// In the system's words.
        source: std::io::Error,
    },
    /// No port of this machine's own could be had for a relay.
    #[error("worker {endpoint}: no port of this machine for its relay: {source}")]
    Listen {
        /// The worker.
        endpoint: Endpoint,
        /// In the system's words.
        source: std::io::Error,
    },
}

/// An answer's first eight bytes are its length; those of other protocols are letters.
fn not_a_worker(command: Command, expected: u64, found: u64) -> String {
    if found.to_le_bytes().starts_with(b"HTTP") {
        return "an HTTP server answers there".to_owned();
    }
    format!("its answer to {command} claims {found} bytes; expected {expected}")
}

impl RpcError {
    /// The error of the system while talking to `endpoint`, told apart.
    pub(crate) fn of(
        endpoint: &Endpoint,
        during: &'static str,
        within: Duration,
        source: std::io::Error,
    ) -> RpcError {
        use std::io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut,
            UnexpectedEof, WouldBlock,
        };
        let endpoint = endpoint.clone();
        match source.kind() {
            ConnectionRefused => RpcError::Refused { endpoint },
            TimedOut | WouldBlock => RpcError::NoAnswer { endpoint, within, during },
            UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => {
                RpcError::Closed { endpoint, during }
            }
            _ => RpcError::Io { endpoint, during, source },
        }
    }
}
