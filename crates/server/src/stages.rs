//! The upper half of the ladder of `pacemark stages`: the same requests from their JSON down,
//! through one layer more each time, up to a stream over a socket. Each stage is the server's own
//! code, entered at a higher door.

use crate::app::App;
use crate::prepare::{self, Job};
use crate::{Local, Options, Running, start};
use pacemark_backend::{BackendError, Event, Service};
use pacemark_openai_api::sse::{SseDecoder, SseLimits};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// The requests of a run: bodies of one route.
#[derive(Clone, Debug)]
pub struct Requests {
    /// `/v1/chat/completions` or `/v1/completions`.
    pub path: String,
    /// JSON, an answer each.
    pub bodies: Vec<String>,
    /// How many at a time.
    pub concurrency: usize,
    /// Tokens that each answer must have.
    pub n_gen_tokens: usize,
}

/// Runs `requests` through the layers up to `stage` (6 to 8); the time from the first request to
/// the last answer.
pub fn run_stage(
    service: Arc<dyn Service>,
    stage: usize,
    requests: &Requests,
) -> Result<Duration, BackendError> {
    match stage {
        6 => prepared(service, requests),
        7 => handled(service, requests),
        _ => {
            let server = serve(service).map_err(engine_error)?;
            let time = request_all(server.address(), requests, false).map_err(engine_error)?;
            Ok(time)
        }
    }
}

/// A server for a ladder, on a free port of the loopback interface.
pub fn serve(service: Arc<dyn Service>) -> io::Result<Running> {
    start(service, options(), TcpListener::bind(("127.0.0.1", 0))?, None)
}

fn options() -> Options {
    Options { quiet: true, ..Options::default() }
}

fn engine_error(error: io::Error) -> BackendError {
    BackendError::Engine(error.to_string())
}

/// Calls `answer(body)` for each of the bodies, `concurrency` at a time; the time of all.
fn each(
    requests: &Requests,
    answer: impl Fn(&str) -> io::Result<()> + Sync,
) -> io::Result<Duration> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let client = || {
            while let Some(body) = requests.bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                answer(body)?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..requests.concurrency).map(|_| scope.spawn(client)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("panicked")))
        })
    })?;
    Ok(started.elapsed())
}

/// Stage 6: the body is parsed, checked, rendered and tokenized; then the service's queue.
fn prepared(service: Arc<dyn Service>, requests: &Requests) -> Result<Duration, BackendError> {
    let app = App::new(service, options());
    let is_chat = requests.path.contains("chat");
    let answer = |body: &str| {
        let prepare = if is_chat { prepare::chat } else { prepare::completion };
        let job: Job = prepare(&app.context(), body.as_bytes())
            .map_err(|error| io::Error::other(error.message))?;
        for request in job.requests {
            let (ended, result) = mpsc::channel();
            let mut n_tokens = 0;
            let sink = move |event| match event {
                Event::Token { .. } => n_tokens += 1,
                Event::Finished { .. } => drop(ended.send(Ok(n_tokens))),
                Event::Failed(error) => drop(ended.send(Err(error))),
                _ => {}
            };
            let _ticket = app.service.submit(request, Box::new(sink));
            let n_tokens = result.recv().map_err(io::Error::other)?.map_err(io::Error::other)?;
            check_count(requests, n_tokens)?;
        }
        Ok(())
    };
    each(requests, answer).map_err(engine_error)
}

/// Stage 7: the routes, called without a socket.
fn handled(service: Arc<dyn Service>, requests: &Requests) -> Result<Duration, BackendError> {
    let local = Local::new(service, options()).map_err(engine_error)?;
    let answer = |body: &str| {
        let (status, answer) = local.post(&requests.path, body.to_string())?;
        check_answer(requests, status.as_u16(), &answer)
    };
    each(requests, answer).map_err(engine_error)
}

/// Posts all bodies to a server, each client over one connection: in one piece, or `stream`ed. The
/// time from the first request to the last answer, and an error if an answer is not as long as it
/// must be. One thread waits for all connections, so that the client takes as little as it can of
/// the processors that the server computes on.
pub fn request_all(address: SocketAddr, requests: &Requests, stream: bool) -> io::Result<Duration> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let requests = Arc::new(requests.clone());
        let next = Arc::new(AtomicUsize::new(0));
        let mut sockets = Vec::new();
        for _ in 0..requests.concurrency {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            sockets.push(BufReader::with_capacity(64 << 10, socket));
        }
        let started = Instant::now();
        let mut clients = JoinSet::new();
        for socket in sockets {
            clients.spawn(client(socket, address, requests.clone(), next.clone(), stream));
        }
        while let Some(ended) = clients.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        Ok(started.elapsed())
    })
}

/// One client: posts a body when its last answer has ended.
async fn client(
    mut socket: BufReader<TcpStream>,
    address: SocketAddr,
    requests: Arc<Requests>,
    next: Arc<AtomicUsize>,
    stream: bool,
) -> io::Result<()> {
    while let Some(body) = requests.bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
        let (path, length) = (&requests.path, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        socket.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
        let (status, length) = read_head(&mut socket).await?;
        match length {
            Some(length) => {
                let mut answer = vec![0; length];
                socket.read_exact(&mut answer).await?;
                check_answer(&requests, status, &answer)?;
            }
            None if stream => read_stream(&mut socket, &requests).await?,
            None => return Err(io::Error::other("an answer without a length")),
        }
    }
    Ok(())
}

/// Status and length of an answer; no length for one in chunks.
async fn read_head(socket: &mut BufReader<TcpStream>) -> io::Result<(u16, Option<usize>)> {
    let mut line = String::new();
    let (mut status, mut length) = (None, None);
    loop {
        line.clear();
        if socket.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end().to_ascii_lowercase();
        if text.is_empty() {
            break;
        }
        match text.split_once(':') {
            None => status = text.split(' ').nth(1).and_then(|code| code.parse().ok()),
            Some(("content-length", value)) => {
                length = value.trim().parse().ok().filter(|n| *n < 64 << 20)
            }
            Some(_) => {}
        }
    }
    let status = status.ok_or_else(|| io::Error::other("an answer without a status"))?;
    Ok((status, length))
}

/// Reads a stream in chunks to its end; each event of it is decoded and counted.
async fn read_stream(socket: &mut BufReader<TcpStream>, requests: &Requests) -> io::Result<()> {
    let mut decoder = SseDecoder::new(SseLimits::default());
    let (mut n_events, mut line, mut chunk) = (0, String::new(), Vec::new());
    loop {
        line.clear();
        socket.read_line(&mut line).await?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        chunk.resize(size.min(16 << 20) + 2, 0);
        socket.read_exact(&mut chunk).await?;
        if size == 0 {
            break;
        }
        let count = |event: pacemark_openai_api::sse::SseEvent<'_>| {
            let is_token =
                |part: &[u8]| event.data.windows(part.len()).any(|window| window == part);
            n_events += usize::from(is_token(b"\"content\":") || is_token(b"\"text\":"));
        };
        decoder.push(&chunk[..size], count).map_err(io::Error::other)?;
    }
    // A chat's first event, its role, has an empty content; held back text may add one at the end.
    if n_events >= requests.n_gen_tokens { Ok(()) } else { check_count(requests, n_events) }
}

fn check_answer(requests: &Requests, status: u16, answer: &[u8]) -> io::Result<()> {
    let text = String::from_utf8_lossy(answer);
    if status != 200 {
        return Err(io::Error::other(format!("status {status}: {text}")));
    }
    let value: serde_json::Value = serde_json::from_slice(answer)?;
    check_count(requests, value["usage"]["completion_tokens"].as_u64().unwrap_or(0) as usize)
}

fn check_count(requests: &Requests, found: usize) -> io::Result<()> {
    let expected = requests.n_gen_tokens;
    if found == expected {
        return Ok(());
    }
    Err(io::Error::other(format!("expected {expected} tokens in an answer, found {found}")))
}
