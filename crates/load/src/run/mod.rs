//! A load, from its first request to its last answer.
//!
//! Three threads: one makes prompts ahead, one sends and receives (this one, a single-threaded runtime), one reads answers that
//! have ended. The caller watches and may stop it; then what was measured is given back.

mod closed;
mod collect;
mod open;
mod session;

use crate::body::{BodyMaker, Endpoint};
use crate::clock::{now_ns, process_cpu_ns};
use crate::net::{Connections, Connector, Pool, Timeouts};
use crate::prompt::{Encoder, Session, Source};
use crate::{LimitError, Target, allow_open_files};
use collect::{Collector, Results};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use pacemark_record::{Client, Request, stats};
use serde_json::{Map, Value};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// Sessions that are made ahead.
const AHEAD: usize = 1024;

/// How often the caller is told, and its wish to stop looked at.
const TICK: Duration = Duration::from_millis(100);

/// How often the runtime's lag is measured.
const LAG_EVERY: Duration = Duration::from_millis(20);

/// Where and how requests are sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server.
    pub target: Target,
    /// Its endpoint.
    pub endpoint: Endpoint,
    /// What requests call the model.
    pub model: String,
    /// Answers come as streams.
    pub stream: bool,
    /// Whether connections are used again.
    pub connections: Connections,
    /// How long is waited.
    pub timeouts: Timeouts,
    /// Sent as a bearer token.
    pub api_key: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Fields added to every body; null leaves one of ours out.
    pub extra_body: Map<String, Value>,
    /// Longest answer in bytes.
    pub max_answer_bytes: usize,
    /// Let the kernel stamp what arrives, where it does.
    pub kernel_stamps: bool,
}

impl Settings {
    /// For a server, with everything else as usual.
    pub fn new(target: Target, endpoint: Endpoint, model: String) -> Settings {
        Settings {
            target,
            endpoint,
            model,
            stream: true,
            connections: Connections::Reuse,
            timeouts: Timeouts::default(),
            api_key: None,
            headers: Vec::new(),
            extra_body: Map::new(),
            max_answer_bytes: 16 << 20,
            kernel_stamps: true,
        }
    }

    /// The headers of every request.
    pub(crate) fn header_map(&self) -> Result<HeaderMap, LoadError> {
        let mut map = HeaderMap::new();
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| LoadError::Header(text.to_owned()));
        map.insert(HOST, value(&self.target.authority())?);
        if let Some(key) = &self.api_key {
            let mut bearer =
                HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| LoadError::Header("the API key".into()))?;
            bearer.set_sensitive(true);
            map.insert(AUTHORIZATION, bearer);
        }
        for (name, text) in &self.headers {
            let name: HeaderName = name.parse().map_err(|_| LoadError::Header(name.clone()))?;
            map.insert(name, value(text)?);
        }
        Ok(map)
    }
}

/// When requests are sent.
pub enum Shape {
    /// So many streams, each sending its next request when the one before is answered.
    Closed {
        /// Streams.
        concurrency: usize,
    },
    /// At given times, answered or not.
    Open {
        /// Nanoseconds from the beginning, ascending.
        arrivals: Box<dyn Iterator<Item = u64> + Send>,
        /// Sessions in flight at once; more wait, and are told of.
        max_in_flight: usize,
    },
}

/// What ends a load, besides the caller: whichever comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Requests in all.
    pub requests: Option<u64>,
    /// No request begins later than this.
    pub duration: Option<Duration>,
}

/// A load as it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Live {
    /// Since it began.
    pub elapsed: Duration,
    /// Sent and not answered.
    pub in_flight: u64,
    /// Answered in full.
    pub done: u64,
    /// Failed.
    pub failed: u64,
    /// Pieces of answers that came, a token each at best.
    pub frames: u64,
    /// Median time to first token of the latest answers.
    pub ttft_p50_ms: Option<f64>,
}

/// Told how a load goes.
pub trait Watch {
    /// About ten times a second.
    fn tick(&mut self, live: &Live) {
        let _ = live;
    }
}

impl Watch for () {}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Requests in the order in which they ended.
    pub requests: Vec<Request>,
    /// Requests in flight when the caller stopped it.
    pub cut_requests: u64,
    /// What the client did.
    pub client: Client,
    /// For each request, the times at which the server says that it sent its chunks, on the clock of all stamps; empty where
    /// it does not say.
    pub emitted_ns: Vec<Vec<u64>>,
    /// The beginning, on the clock of all stamps.
    pub origin_ns: u64,
    /// The source had no more prompts.
    pub exhausted: bool,
}

/// A load that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The server's name is not known.
    #[error("cannot look up {host}: {error}")]
    Lookup {
        /// The name.
        host: String,
        /// Why.
        error: std::io::Error,
    },
    /// No runtime or thread.
    #[error("cannot start the client: {0}")]
    Start(#[from] std::io::Error),
    /// Too many streams.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A header that cannot be sent.
    #[error("header {0}: not a name or value that HTTP allows")]
    Header(String),
}

/// What the parts of a running load share.
pub(crate) struct Shared {
    pub connector: Connector,
    pub pool: Pool,
    pub path: String,
    pub headers: HeaderMap,
    pub maker: BodyMaker,
    pub max_answer_bytes: usize,
    pub origin_ns: u64,
    pub bounds: Bounds,
    /// Requests that were begun.
    pub issued: AtomicU64,
    pub in_flight: AtomicU64,
    pub frames: AtomicU64,
    pub exhausted: AtomicBool,
    pub sessions: tokio::sync::Mutex<mpsc::Receiver<Session>>,
    pub collector: Collector,
}

impl Shared {
    /// The next session, if there is one and time for it.
    pub async fn next_session(&self) -> Option<Session> {
        if self.bounds.requests.is_some_and(|most| self.issued.load(Relaxed) >= most) || self.is_over() {
            return None;
        }
        let session = self.sessions.lock().await.recv().await;
        self.exhausted.fetch_or(session.is_none(), Relaxed);
        session
    }

    /// Takes one of the requests that may still be begun.
    pub fn may_begin(&self) -> bool {
        let most = self.bounds.requests.unwrap_or(u64::MAX);
        !self.is_over() && self.issued.fetch_update(Relaxed, Relaxed, |n| (n < most).then_some(n + 1)).is_ok()
    }

    fn is_over(&self) -> bool {
        let duration = self.bounds.duration.map_or(u64::MAX, |d| d.as_nanos() as u64);
        now_ns() - self.origin_ns >= duration
    }
}

/// Runs a load until its bounds, the end of its prompts, or `stop`. The encoder counts answers; one in this process only.
pub fn run(
    settings: &Settings,
    shape: Shape,
    bounds: Bounds,
    source: &mut dyn Source,
    encoder: Option<Arc<dyn Encoder>>,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> Result<Measured, LoadError> {
    let streams = match &shape {
        Shape::Closed { concurrency } => *concurrency,
        Shape::Open { max_in_flight, .. } => *max_in_flight,
    };
    allow_open_files(streams as u64)?;
    let headers = settings.header_map()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let connector = Connector::new(&settings.target, settings.timeouts, settings.kernel_stamps);
    let connector =
        runtime.block_on(connector).map_err(|error| LoadError::Lookup { host: settings.target.host.clone(), error })?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let (results, collector, reader) = collect::start(encoder.filter(|encoder| !encoder.is_remote()))?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ahead = sender.downgrade();
        let over = &over;
        scope.spawn(move || {
            while !over.load(Relaxed)
                && let Some(session) = source.next()
                && sender.blocking_send(session).is_ok()
            {}
        });
        // Nothing waits for prompts that could be made before.
        while ahead.upgrade().is_some_and(|sender| sender.capacity() > 0)
            && !enough(&ahead, bounds)
            && !stop.load(Relaxed)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        let shared = Arc::new(Shared {
            connector,
            pool: Pool::new(settings.connections),
            path: format!("{}{}", settings.target.prefix, settings.endpoint.path()),
            headers,
            maker: BodyMaker {
                endpoint: settings.endpoint,
                model: settings.model.clone(),
                stream: settings.stream,
                extra: settings.extra_body.clone(),
            },
            max_answer_bytes: settings.max_answer_bytes,
            origin_ns: now_ns(),
            bounds,
            issued: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            exhausted: AtomicBool::new(false),
            sessions: tokio::sync::Mutex::new(receiver),
            collector,
        });
        let cpu_before = process_cpu_ns();
        let (lag_ns, cut_requests) = runtime.block_on(drive(&shared, shape, &results, watch, stop));
        let origin_ns = shared.origin_ns;
        let client = Client {
            cpu_ns: process_cpu_ns() - cpu_before,
            wall_ns: now_ns() - origin_ns,
            threads: 1,
            lag_ns,
            stamps: if settings.kernel_stamps { "kernel" } else { "process" }.to_owned(),
        };
        let exhausted = shared.exhausted.load(Relaxed);
        over.store(true, Relaxed);
        // Tasks that were dropped hold the rest; with them the reader and the maker end.
        drop(runtime);
        drop(shared);
        let _ = reader.join();
        let Results { requests, emitted_ns, .. } =
            std::mem::take(&mut *results.lock().unwrap_or_else(|e| e.into_inner()));
        Ok(Measured { requests, cut_requests, client, emitted_ns, origin_ns, exhausted })
    })
}

/// As many sessions wait as may be begun at all.
fn enough(sessions: &mpsc::WeakSender<Session>, bounds: Bounds) -> bool {
    let waiting = sessions.upgrade().map_or(AHEAD, |sender| AHEAD - sender.capacity());
    bounds.requests.is_some_and(|most| waiting as u64 >= most)
}

/// Runs the load and tells of it. Gives the runtime's lags and how many requests were cut.
async fn drive(
    shared: &Arc<Shared>,
    shape: Shape,
    results: &Arc<Mutex<Results>>,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> (Vec<u64>, u64) {
    let lags = Arc::new(Mutex::new(Vec::new()));
    let lag = tokio::spawn(measure_lag(lags.clone()));
    let work = async {
        match shape {
            Shape::Closed { concurrency } => closed::run(shared, concurrency).await,
            Shape::Open { arrivals, max_in_flight } => open::run(shared, arrivals, max_in_flight).await,
        }
    };
    let mut cut = 0;
    {
        let mut work = pin!(work);
        while tokio::time::timeout(TICK, work.as_mut()).await.is_err() {
            let in_flight = shared.in_flight.load(Relaxed);
            watch.tick(&live(shared, results, in_flight));
            if stop.load(Relaxed) {
                cut = in_flight;
                break;
            }
        }
    } // Dropped here: what is in flight is given up.
    lag.abort();
    watch.tick(&live(shared, results, 0));
    let lags = std::mem::take(&mut *lags.lock().unwrap_or_else(|e| e.into_inner()));
    (lags, cut)
}

fn live(shared: &Shared, results: &Mutex<Results>, in_flight: u64) -> Live {
    let results = results.lock().unwrap_or_else(|e| e.into_inner());
    Live {
        elapsed: Duration::from_nanos(now_ns() - shared.origin_ns),
        in_flight,
        done: results.requests.len() as u64 - results.failed,
        failed: results.failed,
        frames: shared.frames.load(Relaxed),
        ttft_p50_ms: stats::median(&results.latest_ttft_ms()),
    }
}

/// How much later than asked for a timer fires, again and again.
async fn measure_lag(lags: Arc<Mutex<Vec<u64>>>) {
    const MOST: usize = 1 << 20;
    loop {
        let before = now_ns();
        tokio::time::sleep(LAG_EVERY).await;
        let lag = (now_ns() - before).saturating_sub(LAG_EVERY.as_nanos() as u64);
        let mut lags = lags.lock().unwrap_or_else(|e| e.into_inner());
        if lags.len() < MOST {
            lags.push(lag);
        }
    }
}
