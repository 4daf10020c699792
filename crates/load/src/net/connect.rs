//! Connections to the server, and those that wait for their next request.

use super::stamped::Stamped;
use super::{Connections, Timeouts};
use crate::Target;
use crate::clock::now_ns;
use hyper::client::conn::http1::{self, SendRequest};
use pacemark_record::{Failure, FailureKind};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;

/// Servers close connections that idle for longer, most after five seconds; a request that crosses with that is lost.
const IDLE_NS: u64 = 3_000_000_000;

/// A connection that is not ready within this is not worth waiting for.
const SOON: Duration = Duration::from_millis(20);

/// A connection without a request on it.
pub(crate) struct Connection {
    pub(super) sender: SendRequest<String>,
    /// When the bytes of its last read arrived.
    pub(super) last_ns: Arc<AtomicU64>,
    idle_since_ns: u64,
}

/// Opens connections to one server.
pub(crate) struct Connector {
    addresses: Vec<SocketAddr>,
    kernel_stamps: bool,
    pub(super) timeouts: Timeouts,
}

impl Connector {
    /// Looks the name up, once.
    pub(crate) async fn new(target: &Target, timeouts: Timeouts, kernel_stamps: bool) -> io::Result<Connector> {
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await?;
        Ok(Connector { addresses: found.collect(), kernel_stamps, timeouts })
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let failure = |kind, message: String| Failure { kind, message };
        let limit = self.timeouts.connect;
        let stream = match tokio::time::timeout(limit, TcpStream::connect(self.addresses.as_slice())).await {
            Err(_) => return Err(failure(FailureKind::ConnectTimeout, format!("no connection within {limit:?}"))),
            Ok(Err(error)) => {
                let kind = match error.kind() {
                    io::ErrorKind::ConnectionRefused => FailureKind::Refused,
                    _ => FailureKind::Unreachable,
                };
                return Err(failure(kind, error.to_string()));
            }
            Ok(Ok(stream)) => stream,
        };
        // Each request is one small write: nothing to wait for. A socket that refuses this is only slower.
        let _ = stream.set_nodelay(true);
        let (stream, last_ns) = Stamped::new(stream, self.kernel_stamps);
        let (sender, connection) =
            http1::handshake(stream).await.map_err(|error| failure(FailureKind::Reset, error.to_string()))?;
        // It ends with its sender and the answer that is read; its error reaches whoever waits for an answer.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Connection { sender, last_ns, idle_since_ns: 0 })
    }
}

/// Connections that wait.
pub(crate) struct Pool {
    connections: Connections,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(crate) fn new(connections: Connections) -> Pool {
        Pool { connections, idle: Mutex::new(Vec::new()) }
    }

    /// The one that was used last and is still good.
    pub(super) async fn take(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.lock().unwrap_or_else(|e| e.into_inner()).pop()?;
            let fresh = now_ns().saturating_sub(connection.idle_since_ns) < IDLE_NS;
            // One that was given back this moment may need a turn of the runtime.
            if fresh && matches!(tokio::time::timeout(SOON, connection.sender.ready()).await, Ok(Ok(()))) {
                return Some(connection);
            }
        }
    }

    /// Keeps one for the next request.
    pub(super) fn give(&self, connection: Connection) {
        if self.connections == Connections::Reuse {
            let connection = Connection { idle_since_ns: now_ns(), ..connection };
            self.idle.lock().unwrap_or_else(|e| e.into_inner()).push(connection);
        }
    }
}
