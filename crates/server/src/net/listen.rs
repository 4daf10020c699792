//! The loop that accepts connections, and the task of each.

use super::io::Connection;
use crate::app::App;
use crate::log;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::sys::resource::{Resource, getrlimit};
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Headers of a request at most, and bytes of them and of a connection's buffers.
const MAX_HEADERS: usize = 64;
const MAX_BUFFER: usize = 64 << 10;
/// What a connection gets for which there is no room.
const NO_ROOM: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\nretry-after: 1\r\ncontent-type: application/json\r\n\
    content-length: 123\r\n\r\n\
    {\"error\":{\"message\":\"too many connections; try again\",\"type\":\"rate_limit_error\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}";
/// Pause after an error of the system's, such as no file descriptors left, and how long nothing
/// more is said of it.
const PAUSE: Duration = Duration::from_millis(50);
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(10);

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Serves.
    Serving,
    /// Completes what is under way, accepts nothing.
    Draining,
    /// Lets go of everything.
    Ended,
    /// Nobody holds the server any more, or wants to know how it ends.
    Dropped,
}

/// What is said of connections that cannot be accepted: not a line for each.
#[derive(Default)]
struct Complaint {
    last: Option<Instant>,
}

impl Complaint {
    fn about(&mut self, error: &std::io::Error, n_open: usize) {
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN_COMPLAINTS) {
            return;
        }
        self.last = Some(Instant::now());
        let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((limit, _)) => format!("; this process may have {limit} files open (ulimit -n)"),
            Err(_) => String::new(),
        };
        log::line(format_args!(
            "error: cannot accept a connection: {error}; {n_open} are open{limit}"
        ));
    }
}

/// Serves `router` on `listener` until told to drain; returns when all connections have ended or
/// been let go, and says whether none had to be.
pub(super) async fn listen(
    app: Arc<App>,
    router: Router,
    listener: TcpListener,
    stage: watch::Sender<Stage>,
) -> bool {
    let max = app.options.max_connections.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let room = Arc::new(Semaphore::new(max));
    let mut told = stage.subscribe();
    let router = router.layer(axum::middleware::from_fn(super::http::strict));
    let mut complaint = Complaint::default();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = told.wait_for(|stage| *stage > Stage::Serving) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => match room.clone().try_acquire_owned() {
                Ok(place) => drop(tokio::spawn(connection(
                    app.clone(),
                    router.clone(),
                    stream,
                    stage.subscribe(),
                    place,
                ))),
                Err(_) => drop(stream.try_write(NO_ROOM)),
            },
            // These concern one connection that is gone already.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                complaint.about(&error, max - room.available_permits());
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    app.drain();
    let mut works = app.works.subscribe();
    let all_closed = async {
        let _ = room.acquire_many(max as u32).await;
        let _ = works.wait_for(|n| *n == 0).await;
    };
    let ended = told.wait_for(|stage| *stage >= Stage::Ended);
    tokio::select! {
        biased;
        _ = all_closed => {}
        _ = ended => {}
        () = tokio::time::sleep(app.options.drain_timeout) => {}
    }
    // Those that have been let go already, and those that are about to be.
    let open = max - room.available_permits();
    // A benchmark holds all places, and answers nobody.
    let answers = if app.held().is_some() { 0 } else { app.admission.taken() };
    let works = *app.works.borrow();
    let connections = open + app.cut.load(Relaxed);
    if connections + works > 0 && *stage.borrow() < Stage::Dropped {
        let jobs = if works > 0 { ", and a benchmark" } else { "" };
        log::line(format_args!(
            "error: ended with {answers} answers and {connections} connections{jobs} under way"
        ));
    }
    stage.send_replace(Stage::Ended);
    connections + works == 0 && !app.works_cut.load(Relaxed)
}

async fn connection(
    app: Arc<App>,
    router: Router,
    stream: TcpStream,
    mut told: watch::Receiver<Stage>,
    _place: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true); // it is a matter of speed only
    let io = TokioIo::new(Connection::new(stream, app.options.write_timeout));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.options.header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(io, TowerToHyperService::new(router));
    let mut serving = pin!(serving);
    // Errors of a connection are its peer's, and nobody is left to tell.
    tokio::select! {
        biased;
        _ = serving.as_mut() => return,
        _ = told.wait_for(|stage| *stage > Stage::Serving) => {}
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        biased;
        _ = serving.as_mut() => {}
        _ = told.wait_for(|stage| *stage >= Stage::Ended) => drop(app.cut.fetch_add(1, Relaxed)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_answer_without_room_is_as_long_as_it_says() {
        let text = std::str::from_utf8(super::NO_ROOM).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
        serde_json::from_str::<pacemark_openai_api::ErrorResponse>(body).unwrap();
    }
}
