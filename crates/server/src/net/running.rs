//! A server in this process: over a socket, or without one.

use super::listen::{Stage, listen};
use crate::annex::Annex;
use crate::app::App;
use crate::log;
use crate::options::Options;
use crate::routes;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, Response, StatusCode};
use nix::sys::socket::{self, Backlog};
use pacemark_backend::Service;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// Connections that may wait to be accepted; Linux takes at most `net.core.somaxconn` of them, 4096
/// by default.
const WAITING_CONNECTIONS: i32 = 4096;

/// How long the end waits for the log to be read.
const LAST_LINES: Duration = Duration::from_millis(500);

/// A server over a socket; dropping it ends it at once.
pub struct Running {
    address: SocketAddr,
    app: Arc<App>,
    stage: watch::Sender<Stage>,
    /// The loop that accepts connections; it says whether all of them ended by themselves.
    listening: JoinHandle<bool>,
    runtime: Option<Runtime>,
}

/// Serves `service` on `listener`, on threads of its own, and what `annex` has.
pub fn start(
    service: Arc<dyn Service>,
    options: Options,
    listener: TcpListener,
    annex: Option<Annex>,
) -> io::Result<Running> {
    let runtime = runtime(options.n_threads)?;
    let app = App::new(service, options);
    app.relay.run(runtime.handle());
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    lengthen_queue(&listener);
    let (stage, _) = watch::channel(Stage::Serving);
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let listening = runtime.spawn(listen(
        app.clone(),
        routes::router(app.clone(), annex),
        listener,
        stage.clone(),
    ));
    Ok(Running { address, app, stage, listening, runtime: Some(runtime) })
}

/// More connections may wait to be accepted than the standard library's 128. Where thousands come
/// at once, the system of one that finds no room tries again after a second.
fn lengthen_queue(listener: &TcpListener) {
    // It listens already: where this is refused, with the queue that it has.
    let _ = Backlog::new(WAITING_CONNECTIONS).and_then(|backlog| socket::listen(listener, backlog));
}

fn runtime(n_threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(n_threads.max(1))
        .max_blocking_threads(64)
        .thread_name("server")
        .enable_all()
        .build()
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, and completes what is under way within [`Options::drain_timeout`].
    pub fn drain(&self) {
        self.app.drain();
        self.stage.send_if_modified(|stage| {
            let serving = *stage == Stage::Serving;
            *stage = Stage::Draining.max(*stage);
            serving
        });
    }

    /// Answers under way.
    pub fn open_answers(&self) -> usize {
        self.app.admission.taken()
    }

    /// SIGTERM or SIGINT drains, and SIGHUP where `hangup` says so; a second one ends at once.
    pub fn drain_on_signals(&self, hangup: bool) -> io::Result<()> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let _inside = runtime.enter();
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hangup = if hangup { Some(signal(SignalKind::hangup())?) } else { None };
        let (app, stage) = (self.app.clone(), self.stage.clone());
        runtime.spawn(async move {
            for next in [Stage::Draining, Stage::Ended] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    Some(()) = async { hangup.as_mut()?.recv().await } => {}
                }
                app.drain();
                stage.send_modify(|stage| *stage = next.max(*stage));
            }
        });
        Ok(())
    }

    /// Waits until it has ended; whether all that was under way was completed.
    pub fn wait(mut self) -> bool {
        let complete = self.runtime.take().is_some_and(|runtime| {
            let complete = runtime.block_on(&mut self.listening).unwrap_or(false);
            runtime.shutdown_background();
            complete
        });
        log::flush(LAST_LINES);
        complete
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stage.send_replace(Stage::Dropped);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The same handler without a socket: requests are called, from any number of threads at once.
pub struct Local {
    router: Router,
    runtime: Runtime,
}

impl Local {
    /// A handler for `service` with threads of its own.
    pub fn new(service: Arc<dyn Service>, options: Options) -> io::Result<Local> {
        let runtime = runtime(options.n_threads)?;
        let app = App::new(service, options);
        app.relay.run(runtime.handle());
        let router = routes::router(app, None);
        Ok(Local { router, runtime })
    }

    /// Posts JSON to `path`, and waits for the whole answer, streams too.
    pub fn post(&self, path: &str, body: impl Into<Bytes>) -> io::Result<(StatusCode, Bytes)> {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(Body::from(body.into()))
            .map_err(io::Error::other)?;
        self.call(request)
    }

    /// Any request, waiting for the whole answer.
    pub fn call(&self, request: Request<Body>) -> io::Result<(StatusCode, Bytes)> {
        self.runtime.block_on(async {
            let response: Response<Body> = match self.router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let status = response.status();
            let body = response.into_body().collect().await.map_err(io::Error::other)?;
            Ok((status, body.to_bytes()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_crowd_is_let_in_at_once() {
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
        if most.ok().and_then(|text| text.trim().parse().ok()).is_none_or(|most: usize| most < 400)
        {
            return; // this system does not let it
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        lengthen_queue(&listener);
        // Nobody accepts them.
        let address = listener.local_addr().unwrap();
        let connected: Vec<_> = (0..400)
            .map_while(|_| TcpStream::connect_timeout(&address, Duration::from_secs(20)).ok())
            .collect();
        assert_eq!(connected.len(), 400);
    }
}
