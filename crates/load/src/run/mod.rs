//! A load, from its first request to its last answer.
//!
//! Three threads, and a fourth where somebody judges whether it has lasted long enough: one makes prompts ahead, one sends and receives (this one, a single-threaded
//! runtime), one reads answers that have ended. The caller watches and may stop it; then what was
//! measured is given back.

mod ahead;
mod aim;
mod closed;
mod collect;
mod drive;
mod enough;
mod open;
mod session;
mod settings;

pub use settings::Settings;

use crate::body::BodyMaker;
use crate::clock::{now_ns, process_cpu_ns};
use crate::net::ConnectorError;
use crate::prompt::{Encoder, Session, Source};
use crate::{LimitError, allow_open_files};
use ahead::Ahead;
use aim::Aim;
use collect::{Collector, Results};
use enough::Judge;
use pacemark_files::excerpt;
use pacemark_record::{Client, Request, Until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Requests in all; with [`Self::until`], at least.
    pub requests: Option<u64>,
    /// No request begins later than this.
    pub duration: Option<Duration>,
    /// It goes on until its steady rate is known so well.
    pub until: Option<Until>,
}

impl Bounds {
    /// Requests that may be begun.
    fn most(&self) -> u64 {
        self.requests.filter(|_| self.until.is_none()).unwrap_or(u64::MAX)
    }

    /// No request begins later than this.
    fn last_ns(&self) -> u64 {
        let until = self.until.map(|until| until.max_time);
        self.duration.or(until).map_or(u64::MAX, |time| time.as_nanos() as u64)
    }
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
    /// A load of that name begins, which ends by these bounds.
    fn begin(&mut self, name: &str, bounds: Bounds) {
        let _ = (name, bounds);
    }

    /// All is ready, and it begins when this returns: at once, or when others are ready too. Once
    /// `stop` is set nobody waits any longer.
    fn start(&mut self, stop: &AtomicBool) {
        let _ = stop;
    }

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
    /// Requests that were due and held back until the load was over: never sent.
    pub unsent_requests: u64,
    /// What the client did.
    pub client: Client,
    /// For each request, the times at which the server says that it sent its chunks, on the clock
    /// of all stamps; empty where it does not say.
    pub emitted_ns: Vec<Vec<u64>>,
    /// The beginning, on the clock of all stamps.
    pub origin_ns: u64,
    /// The source had no more prompts.
    pub exhausted: bool,
}

/// A load that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The server's name is not known, or nobody is trusted to say who it is.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// No runtime or thread.
    #[error("cannot start the client: {0}")]
    Start(#[from] std::io::Error),
    /// Too many streams.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A header that cannot be sent.
    #[error("header {}: not a name or value that HTTP allows", excerpt(.0))]
    Header(String),
}

/// What the parts of a running load share.
pub(crate) struct Shared {
    /// Servers, each with its connections.
    pub aims: Vec<Aim>,
    /// Sessions that have a server.
    pub aimed: AtomicU64,
    pub maker: BodyMaker,
    pub max_answer_bytes: usize,
    pub origin_ns: u64,
    pub bounds: Bounds,
    /// What the bounds ask to be known is known.
    pub enough: Arc<AtomicBool>,
    /// Requests that were begun.
    pub issued: AtomicU64,
    pub in_flight: AtomicU64,
    /// Requests that were due and held back until the end.
    pub unsent: AtomicU64,
    pub frames: AtomicU64,
    pub ahead: Arc<Ahead>,
    pub collector: Collector,
}

impl Shared {
    /// Of a load that begins now.
    fn new(
        settings: &Settings,
        bounds: Bounds,
        (aims, collector): (Vec<Aim>, Collector),
        ahead: &Arc<Ahead>,
        enough: &Arc<AtomicBool>,
    ) -> Shared {
        Shared {
            aims,
            aimed: AtomicU64::new(0),
            maker: BodyMaker {
                endpoint: settings.endpoint,
                model: settings.model.clone(),
                stream: settings.stream,
                extra: settings.extra_body.clone(),
            },
            max_answer_bytes: settings.max_answer_bytes,
            origin_ns: now_ns(),
            bounds,
            enough: enough.clone(),
            issued: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            ahead: ahead.clone(),
            collector,
        }
    }

    /// The next session, if there is one and it is time for it: due at `due_ns`, or now.
    pub(crate) async fn next_session(&self, due_ns: Option<u64>) -> Option<Session> {
        if self.issued.load(Relaxed) >= self.bounds.most() || self.is_over(due_ns) {
            return None;
        }
        self.ahead.next().await
    }

    /// The server of the next session: each in turn, so session `i` goes to server `i` modulo their
    /// number, with all its turns.
    pub(crate) fn next_aim(&self) -> &Aim {
        let i = self.aimed.fetch_add(1, Relaxed) as usize;
        &self.aims[i % self.aims.len()]
    }

    /// Takes one of the requests that may still be begun: due at `due_ns`, or now.
    pub(crate) fn may_begin(&self, due_ns: Option<u64>) -> bool {
        let most = self.bounds.most();
        !self.is_over(due_ns)
            && self.issued.fetch_update(Relaxed, Relaxed, |n| (n < most).then_some(n + 1)).is_ok()
    }

    /// The load's time has passed at `at_ns`, or now. A request that was due before has its place,
    /// though a thread that woke late brings it after.
    pub(crate) fn is_over(&self, at_ns: Option<u64>) -> bool {
        at_ns.unwrap_or_else(|| now_ns() - self.origin_ns) >= self.bounds.last_ns()
            || self.enough.load(Relaxed)
    }
}

/// Runs a load until its bounds, the end of its prompts, or `stop`. The encoder counts answers; one
/// in this process only.
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
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let aims = runtime.block_on(aim::all(settings))?;
    let (ahead, sender) = Ahead::new();
    let ahead = Arc::new(ahead);
    let (results, collector, reader) =
        collect::start(encoder.filter(|encoder| !encoder.is_remote()))?;
    let judge = Judge::new(&bounds, &shape);
    let (over, enough) = (AtomicBool::new(false), Arc::new(AtomicBool::new(false)));
    std::thread::scope(|scope| {
        let (of_maker, over) = (ahead.clone(), &over);
        scope.spawn(move || of_maker.make(source, bounds, &sender, over));
        // Nothing waits for prompts that could be made before.
        ahead.wait_until_filled(stop);
        watch.start(stop);
        let parts = (aims, collector);
        let shared = Arc::new(Shared::new(settings, bounds, parts, &ahead, &enough));
        if let Some(judge) = judge {
            let (results, enough) = (results.clone(), enough.clone());
            scope.spawn(move || judge.watch(&results, &enough, over));
        }
        let cpu_before = process_cpu_ns();
        let (lag_ns, cut_requests) =
            runtime.block_on(drive::drive(&shared, shape, &results, watch, stop));
        let origin_ns = shared.origin_ns;
        let client = Client {
            cpu_ns: process_cpu_ns() - cpu_before,
            wall_ns: now_ns() - origin_ns,
            threads: 1,
            lag_ns,
            stamps: if settings.kernel_stamps { "kernel" } else { "process" }.to_owned(),
        };
        let (exhausted, unsent_requests) = (ahead.is_exhausted(), shared.unsent.load(Relaxed));
        over.store(true, Relaxed);
        // Tasks that were dropped hold the rest; with them the reader and the maker end.
        drop(runtime);
        drop(shared);
        let _ = reader.join();
        let Results { requests, emitted_ns, .. } =
            std::mem::take(&mut *results.lock().unwrap_or_else(|e| e.into_inner()));
        Ok(Measured {
            requests,
            cut_requests,
            unsent_requests,
            client,
            emitted_ns,
            origin_ns,
            exhausted,
        })
    })
}
