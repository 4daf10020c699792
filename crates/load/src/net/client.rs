//! Requests one by one, for who is no load: each answer comes piece by piece to a function, on the
//! client's own thread, and a request whose handle is dropped is aborted with its connection. What
//! an answer says is left to the caller.

use super::connect::{Connection, Connector, Pool};
use super::exchange::{GRACE, Outgoing, ends_with_done, head, with_causes};
use crate::clock::now_ns;
use crate::run::{LoadError, Settings};
use hyper::Response;
use hyper::body::{Body, Incoming};
use hyper::header::HeaderMap;
use pacemark_record::{Failure, FailureKind};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// A piece of an answer; [`Piece::End`] is the last.
#[derive(Debug)]
pub enum Piece {
    /// The head of the answer.
    Head {
        /// When the request was sent, on the clock of all stamps.
        sent_ns: u64,
        /// Its status.
        status: u16,
        /// Its headers, names in lower case; values that are no text are left out.
        headers: Vec<(String, String)>,
    },
    /// Bytes of its body.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// When they arrived, on the clock of all stamps.
        at_ns: u64,
    },
    /// The answer is whole, or why there is no more of it.
    End(Result<(), Failure>),
}

/// A client of one server.
pub struct Client {
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    pool: Pool,
    headers: HeaderMap,
    max_bytes: usize,
}

/// A request under way; dropping it aborts it.
pub struct Sending(JoinHandle<()>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer that came whole.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// Its status.
    pub status: u16,
    /// Its headers, as [`Piece::Head`] has them.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub bytes: Vec<u8>,
}

impl Client {
    /// For the server of `settings`; looks its name up, and reads who is trusted.
    pub fn new(settings: &Settings) -> Result<Client, LoadError> {
        let headers = settings.header_map()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("http")
            .enable_io()
            .enable_time()
            .build()
            .map_err(LoadError::Start)?;
        let connector = runtime.block_on(settings.connector(settings.kernel_stamps))?;
        let pool = Pool::new(settings.connections);
        let max_bytes = settings.max_answer_bytes;
        let shared = Arc::new(Shared { connector, pool, headers, max_bytes });
        Ok(Client { runtime: Some(runtime), shared })
    }

    /// Sends a GET, or a POST of a body that is not empty, and hands the answer over as it comes.
    pub fn send(
        &self,
        path: String,
        body: String,
        on_piece: impl FnMut(Piece) + Send + 'static,
    ) -> Sending {
        let shared = self.shared.clone();
        let task = async move { shared.exchange(&path, body, on_piece).await };
        // There until the client is dropped.
        let runtime = self.runtime.as_ref().expect("a client that is used has its thread");
        Sending(runtime.spawn(task))
    }

    /// The same, waited for as a whole.
    pub fn ask(&self, path: &str, body: String) -> Result<Whole, Failure> {
        let (sender, pieces) = std::sync::mpsc::channel();
        let _sending = self.send(path.to_owned(), body, move |piece| {
            let _ = sender.send(piece);
        });
        let mut whole = Whole::default();
        for piece in pieces {
            match piece {
                Piece::Head { status, headers, .. } => {
                    (whole.status, whole.headers) = (status, headers)
                }
                Piece::Bytes { bytes, .. } => whole.bytes.extend(bytes),
                Piece::End(end) => return end.map(|()| whole),
            }
        }
        Err(Failure { kind: FailureKind::Client, message: "the client's thread ended".into() })
    }
}

impl Drop for Client {
    /// Waits for nobody: requests that are under way are aborted.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    async fn exchange(&self, path: &str, body: String, mut on_piece: impl FnMut(Piece)) {
        let deadline = Instant::now() + self.connector.timeouts.total;
        let frames = AtomicU64::new(0);
        let outgoing = Outgoing {
            path,
            headers: &self.headers,
            body,
            max_bytes: self.max_bytes,
            frames: &frames,
        };
        let (sent_ns, mut stamps) = (now_ns(), Default::default());
        let headed =
            timeout_at(deadline, head(&self.connector, &self.pool, &outgoing, &mut stamps)).await;
        let (connection, response) = match headed {
            Ok(Ok(found)) => found,
            Ok(Err(failure)) => return on_piece(Piece::End(Err(failure))),
            Err(_) => return on_piece(Piece::End(Err(self.too_long()))),
        };
        let text = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        on_piece(Piece::Head {
            sent_ns,
            status: response.status().as_u16(),
            headers: response.headers().iter().filter_map(text).collect(),
        });
        let end = self.body(connection, response, deadline, &mut on_piece).await;
        on_piece(Piece::End(end));
    }

    async fn body(
        &self,
        connection: Connection,
        response: Response<Incoming>,
        deadline: Instant,
        on_piece: &mut impl FnMut(Piece),
    ) -> Result<(), Failure> {
        let mut incoming = response.into_body();
        let stall = self.connector.timeouts.stall;
        let (mut n_bytes, mut tail, mut done) = (0, Vec::new(), false);
        loop {
            let limit = if done { GRACE } else { stall };
            let next = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx));
            let Ok(next) = timeout(limit.min(deadline - Instant::now()), next).await else {
                return match () {
                    // Some never end what they have said is done.
                    () if done => Ok(()),
                    () if Instant::now() >= deadline => Err(self.too_long()),
                    () => Err(Failure {
                        kind: FailureKind::Stalled,
                        message: format!("nothing came for {limit:?}"),
                    }),
                };
            };
            let data = match next {
                None => {
                    self.pool.give(connection);
                    return Ok(());
                }
                Some(Err(error)) => {
                    return Err(Failure { kind: FailureKind::Cut, message: with_causes(&error) });
                }
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            n_bytes += data.len();
            if n_bytes > self.max_bytes {
                let message = format!("the answer is longer than {} bytes", self.max_bytes);
                return Err(Failure { kind: FailureKind::TooLarge, message });
            }
            // The last line is short, and may come in two pieces.
            tail.extend_from_slice(&data[data.len().saturating_sub(32)..]);
            tail.drain(..tail.len().saturating_sub(32));
            done = ends_with_done(&tail);
            on_piece(Piece::Bytes { bytes: data.to_vec(), at_ns: connection.watched.last_ns() });
        }
    }

    fn too_long(&self) -> Failure {
        let message = format!("no whole answer within {:?}", self.connector.timeouts.total);
        Failure { kind: FailureKind::TotalTimeout, message }
    }
}
