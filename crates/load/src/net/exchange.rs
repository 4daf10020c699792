//! One request and the raw bytes of its answer, each with its stamp. Nothing is parsed here but
//! HTTP.

use super::connect::{Connection, Connector, Pool};
use crate::clock::now_ns;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use pacemark_record::{Failure, FailureKind};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// After `[DONE]` the end of the body is waited for this long, so that the connection can be used
/// again.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// When what of a request happened, as far as only its sending knows.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// See [`Exchange::resent_ns`].
    pub resent_ns: Option<u64>,
    /// See [`Exchange::connected_ns`].
    pub connected_ns: Option<u64>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// When it was sent.
    pub sent_ns: u64,
    /// When it was sent once more, on a new connection, after the one it was written to had closed
    /// without a byte.
    pub resent_ns: Option<u64>,
    /// When its connection stood, where it opened one.
    pub connected_ns: Option<u64>,
    /// When the head of the answer came.
    pub head_ns: Option<u64>,
    /// When it ended.
    pub end_ns: u64,
    /// The answer, or why there is none.
    pub answer: Result<Received, Failure>,
}

/// An answer whose head came.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub status: StatusCode,
    /// It is an event stream: it says so, or begins as one.
    pub is_stream: bool,
    pub bytes: Vec<u8>,
    /// Where each frame ends in `bytes`, and when it arrived.
    pub frames: Vec<(usize, u64)>,
    pub end: End,
}

/// How a body ended.
#[derive(Debug, Default)]
pub(crate) enum End {
    /// In order.
    #[default]
    Complete,
    /// `[DONE]` came, the end of the body did not.
    Done,
    /// The connection broke.
    Broken(String),
    /// Nothing came for too long.
    Stalled,
    /// The whole took too long.
    TotalTimeout,
    /// It is longer than allowed.
    TooLarge,
}

impl Received {
    fn push(&mut self, data: &[u8], stamp_ns: u64) {
        self.bytes.extend_from_slice(data);
        match self.frames.last_mut() {
            // Of the same packets: one frame.
            Some((end, at)) if *at == stamp_ns => *end = self.bytes.len(),
            _ => self.frames.push((self.bytes.len(), stamp_ns)),
        }
    }

    /// It begins as an event does, and no JSON.
    fn begins_like_events(&self) -> bool {
        let begin = self
            .bytes
            .strip_prefix("\u{feff}".as_bytes())
            .unwrap_or(&self.bytes)
            .trim_ascii_start();
        [&b"data:"[..], b"event:", b"id:", b"retry:", b":"]
            .iter()
            .any(|field| begin.starts_with(field))
    }

    /// The last line says `data: [DONE]`.
    fn is_done(&self) -> bool {
        ends_with_done(&self.bytes)
    }
}

/// The last line says `data: [DONE]`.
pub(super) fn ends_with_done(bytes: &[u8]) -> bool {
    let line = bytes.trim_ascii_end();
    line.strip_suffix(b"[DONE]").is_some_and(|before| before.trim_ascii_end().ends_with(b"data:"))
}

/// What is sent.
pub(crate) struct Outgoing<'a> {
    pub path: &'a str,
    pub headers: &'a HeaderMap,
    /// Empty: a GET.
    pub body: String,
    pub max_bytes: usize,
    /// Counts pieces of answers as they come.
    pub frames: &'a AtomicU64,
}

/// Sends and receives. Ends, whatever the server does.
pub(crate) async fn exchange(
    connector: &Connector,
    pool: &Pool,
    outgoing: Outgoing<'_>,
) -> Exchange {
    let deadline = Instant::now() + connector.timeouts.total;
    let mut found = Exchange {
        sent_ns: now_ns(),
        resent_ns: None,
        connected_ns: None,
        head_ns: None,
        end_ns: 0,
        answer: Ok(Received::default()),
    };
    let mut sent = Sent::default();
    let headed =
        tokio::time::timeout_at(deadline, head(connector, pool, &outgoing, &mut sent)).await;
    (found.resent_ns, found.connected_ns) = (sent.resent_ns, sent.connected_ns);
    found.answer = match headed {
        Err(_) => {
            let message = format!("no answer within {:?}", connector.timeouts.total);
            Err(Failure { kind: FailureKind::TotalTimeout, message })
        }
        Ok(Err(failure)) => Err(failure),
        Ok(Ok((connection, response))) => {
            found.head_ns = Some(connection.watched.last_ns());
            Ok(body(connector, pool, connection, response, deadline, &outgoing).await)
        }
    };
    // The end is when its last bytes came, or when it was given up.
    found.end_ns = match &found.answer {
        Ok(Received { end: End::Complete | End::Done, frames, .. }) if !frames.is_empty() => {
            frames.last().map_or(0, |(_, at)| *at)
        }
        _ => now_ns(),
    };
    found
}

/// Sends on a waiting connection or a new one, and waits for the head.
///
/// A server may close a waiting connection while a request is on its way to it. Where not one byte
/// came back, the request is sent once more, on a new connection: to generate a text changes
/// nothing at the server, which is what RFC 9112, section 9.3.1, asks of a request that a client
/// repeats on its own. What that took is part of the request's time.
pub(super) async fn head(
    connector: &Connector,
    pool: &Pool,
    outgoing: &Outgoing<'_>,
    found: &mut Sent,
) -> Result<(Connection, Response<Incoming>), Failure> {
    let limit = connector.timeouts.first_byte;
    let mut waiting = pool.take().await;
    loop {
        let waited = waiting.is_some();
        let mut connection = match waiting.take() {
            Some(connection) => connection,
            None => {
                let connection = connector.connect().await?;
                found.connected_ns = Some(now_ns());
                connection
            }
        };
        let before = connection.watched.bytes();
        let request = request(outgoing)?;
        let mut error =
            match tokio::time::timeout(limit, connection.sender.try_send_request(request)).await {
                Err(_) => {
                    let message = format!("no answer within {limit:?}");
                    return Err(Failure { kind: FailureKind::FirstByteTimeout, message });
                }
                Ok(Ok(response)) => return Ok((connection, response)),
                Ok(Err(error)) => error,
            };
        let unwritten = error.take_message().is_some();
        if !waited || connection.watched.bytes() != before {
            let error = error.into_error();
            let kind = if error.is_parse() { FailureKind::Garbage } else { FailureKind::Reset };
            if connector.is_plain() && connection.watched.spoke_tls() {
                let message = "the server speaks TLS on this port: is it https://?".to_owned();
                return Err(Failure { kind: FailureKind::Tls, message });
            }
            return Err(Failure { kind, message: with_causes(&error) });
        }
        // One that was never written is not sent again: it is sent.
        if !unwritten {
            found.resent_ns = Some(now_ns());
        }
    }
}

fn request(outgoing: &Outgoing<'_>) -> Result<Request<String>, Failure> {
    let method = if outgoing.body.is_empty() { Method::GET } else { Method::POST };
    let made = Request::builder().method(method).uri(outgoing.path).body(outgoing.body.clone());
    let mut request =
        made.map_err(|error| Failure { kind: FailureKind::Client, message: error.to_string() })?;
    request.headers_mut().clone_from(outgoing.headers);
    if !outgoing.body.is_empty() {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(request)
}

async fn body(
    connector: &Connector,
    pool: &Pool,
    connection: Connection,
    response: Response<Incoming>,
    deadline: Instant,
    outgoing: &Outgoing<'_>,
) -> Received {
    let content_type =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_stream = content_type.to_ascii_lowercase().starts_with("text/event-stream");
    let mut received = Received { status: response.status(), is_stream, ..Received::default() };
    let mut incoming = response.into_body();
    let stall = connector.timeouts.stall;
    let mut last = Instant::now();
    let mut watchdog = pin!(tokio::time::sleep_until(deadline.min(last + stall)));
    let mut done = false;
    received.end = poll_fn(|cx| {
        loop {
            match Pin::new(&mut incoming).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => return Poll::Ready(End::Complete),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(End::Broken(with_causes(&error)));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    let data: &[u8] = frame.data_ref().map_or(&[], Bytes::as_ref);
                    if data.len() > outgoing.max_bytes.saturating_sub(received.bytes.len()) {
                        return Poll::Ready(End::TooLarge);
                    }
                    received.push(data, connection.watched.last_ns());
                    // Not every server that streams says so.
                    received.is_stream |= received.begins_like_events();
                    outgoing.frames.fetch_add(1, Ordering::Relaxed);
                    last = Instant::now();
                    if received.is_stream && !done && received.is_done() {
                        done = true;
                        watchdog.as_mut().reset(last + GRACE);
                    }
                }
            }
        }
        // One timer for all limits: it is moved when it fires, not with every frame.
        while watchdog.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let silent = last + if done { GRACE } else { stall };
            if now >= silent {
                return Poll::Ready(if done { End::Done } else { End::Stalled });
            }
            if now >= deadline {
                return Poll::Ready(End::TotalTimeout);
            }
            watchdog.as_mut().reset(silent.min(deadline));
        }
        Poll::Pending
    })
    .await;
    if matches!(received.end, End::Complete) {
        pool.give(connection);
    }
    received
}

/// An error and what caused it: hyper's own words leave the cause out.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
