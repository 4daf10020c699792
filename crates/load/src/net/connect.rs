//! Connections to the server, and those that wait for their next request.

use super::stamped::{Stamped, Watched};
use super::tls::Secure;
use super::{Connections, Timeouts, Trust, TrustError};
use crate::Target;
use crate::clock::now_ns;
use hyper::client::conn::http1::{self, SendRequest};
use pacemark_files::excerpt;
use pacemark_record::{Failure, FailureKind};
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::TcpStream;

/// Servers close connections that idle for longer, most after five seconds; a request that crosses
/// with that is lost.
const IDLE_NS: u64 = 3_000_000_000;

/// A connection that is not ready within this is not worth waiting for.
const SOON: Duration = Duration::from_millis(20);

/// A connection without a request on it.
pub(crate) struct Connection {
    pub(super) sender: SendRequest<String>,
    /// What comes over it.
    pub(super) watched: Watched,
    idle_since_ns: u64,
}

/// Why no connection can be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The server's name is not known.
    #[error("cannot look up {}: {error}", excerpt(host))]
    Lookup {
        /// The name.
        host: String,
        /// Why.
        error: io::Error,
    },
    /// Nobody to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Opens connections to one server.
pub(crate) struct Connector {
    addresses: Vec<SocketAddr>,
    /// Of `https`.
    secure: Option<Secure>,
    kernel_stamps: bool,
    pub(super) timeouts: Timeouts,
}

impl Connector {
    /// Looks the name up, once, and who is trusted.
    pub(crate) async fn new(
        target: &Target,
        trust: &Trust,
        timeouts: Timeouts,
        kernel_stamps: bool,
    ) -> Result<Connector, ConnectorError> {
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let addresses = found
            .map_err(|error| ConnectorError::Lookup { host: target.host.clone(), error })?
            .collect();
        let secure = target.tls.then(|| Secure::new(target.name(), trust)).transpose()?;
        Ok(Connector { addresses, secure, kernel_stamps, timeouts })
    }

    /// Nothing is encrypted.
    pub(super) fn is_plain(&self) -> bool {
        self.secure.is_none()
    }

    /// A new connection, over which TLS stands if the server is to be spoken to by it.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let limit = self.timeouts.connect;
        tokio::time::timeout(limit, self.open()).await.unwrap_or_else(|_| {
            Err(Failure {
                kind: FailureKind::ConnectTimeout,
                message: format!("no connection within {limit:?}"),
            })
        })
    }

    async fn open(&self) -> Result<Connection, Failure> {
        let stream = TcpStream::connect(self.addresses.as_slice()).await.map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::ConnectionRefused => FailureKind::Refused,
                _ => FailureKind::Unreachable,
            };
            Failure { kind, message: error.to_string() }
        })?;
        // Each request is one small write: nothing to wait for. A socket that refuses this is only
        // slower.
        let _ = stream.set_nodelay(true);
        let (stream, watched) = Stamped::new(stream, self.kernel_stamps, self.secure.is_some());
        let Some(secure) = &self.secure else { return speak(stream, watched).await };
        let encrypted = secure.shake_hands(stream, watched.clone()).await;
        speak(encrypted.map_err(|message| Failure { kind: FailureKind::Tls, message })?, watched)
            .await
    }
}

/// HTTP over a stream.
async fn speak<S>(stream: S, watched: Watched) -> Result<Connection, Failure>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let made = http1::handshake(stream).await;
    let (sender, connection) =
        made.map_err(|error| Failure { kind: FailureKind::Reset, message: error.to_string() })?;
    // It ends with its sender and the answer that is read; its error reaches whoever waits for an
    // answer.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Connection { sender, watched, idle_since_ns: 0 })
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

    /// The one that was used last and is still good. A server that closes what is idle may have
    /// done so this moment: the socket is asked, since whoever reads it has not had a turn to find
    /// out.
    pub(super) async fn take(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.lock().unwrap_or_else(|e| e.into_inner()).pop()?;
            let fresh = now_ns().saturating_sub(connection.idle_since_ns) < IDLE_NS;
            // One that was given back this moment may need a turn of the runtime.
            let ready = fresh
                && matches!(
                    tokio::time::timeout(SOON, connection.sender.ready()).await,
                    Ok(Ok(()))
                );
            if ready && connection.watched.is_idle() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Answers one request and gives its connection back.
    fn answer_one(listener: &TcpListener) -> std::net::TcpStream {
        let mut stream = listener.accept().unwrap().0;
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        stream
    }

    #[test]
    fn a_connection_that_has_just_been_closed_is_not_given_out() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        for (closes, speaks) in [(false, false), (true, false), (false, true)] {
            let found = runtime.block_on(async {
                let connector = Connector::new(&target, &Trust::System, Timeouts::default(), true)
                    .await
                    .unwrap();
                let pool = Pool::new(Connections::Reuse);
                let mut connection = connector.connect().await.unwrap();
                let server = listener.try_clone().unwrap();
                let server = std::thread::spawn(move || answer_one(&server));
                let request = Request::get("/").body(String::new()).unwrap();
                assert!(
                    connection.sender.send_request(request).await.unwrap().status().is_success()
                );
                connection.sender.ready().await.unwrap();
                pool.give(connection);
                // From here on nobody reads the connection before it is asked for.
                let mut server = server.join().unwrap();
                if speaks {
                    server.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").unwrap();
                }
                let _open = (!closes).then_some(server);
                pool.take().await.is_some()
            });
            assert_eq!(found, !closes && !speaks, "closes: {closes}, speaks: {speaks}");
        }
    }
}
