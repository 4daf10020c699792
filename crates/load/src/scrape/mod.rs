//! What the servers of a load count of themselves, read beside it: before a row, once a second
//! during it, and after it, by a thread with connections of its own. What the names mean is said in
//! `record`; what the text says is read in `text`.

mod text;

pub use text::values as server_counts;

use crate::clock::now_ns;
use crate::net::{Connections, Connector, End, Outgoing, Pool, Timeouts, exchange};
use crate::run::Settings;
use hyper::header::HeaderMap;
use pacemark_files::excerpt;
use pacemark_record::{Scrape, ServerSide};
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How often a server is asked.
const EVERY: Duration = Duration::from_secs(1);

/// A server that takes longer to tell is not asked again: to ask is not to be a load.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest answer: some thousand lines are usual.
const MAX_BYTES: usize = 4 << 20;

/// Most readings of a row: a day.
const MOST: usize = 100_000;

/// Servers that are asked.
pub(crate) struct Scrapes {
    /// Dropped: it is over.
    over: Sender<()>,
    thread: Option<JoinHandle<Vec<Source>>>,
}

/// One server.
struct Source {
    connector: Option<Connector>,
    pool: Pool,
    path: String,
    headers: HeaderMap,
    side: ServerSide,
    /// When each reading had come, on the clock of all stamps.
    at_ns: Vec<u64>,
}

impl Scrapes {
    /// Asks each once, and from now on once a second whoever answered.
    pub(crate) fn begin(settings: &Settings) -> Scrapes {
        let settings = settings.clone();
        let (over, ended) = channel();
        let (ready, asked) = channel();
        let work = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
            let Ok(runtime) = runtime else { return Vec::new() };
            let targets = settings.targets();
            let mut sources: Vec<Source> =
                targets.map(|target| Source::new(&runtime, &settings.at(target))).collect();
            sources.iter_mut().for_each(|source| source.ask(&runtime));
            let _ = ready.send(()); // who waits for it waits no longer than that
            while sources.iter().any(Source::answers) {
                let over = ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
                sources.iter_mut().for_each(|source| source.ask(&runtime));
                if over {
                    break;
                }
            }
            sources
        };
        let thread = std::thread::Builder::new().name("metrics".into()).spawn(work).ok();
        if thread.is_some() {
            let _ = asked.recv();
        }
        Scrapes { over, thread }
    }

    /// Asks for the last time. Times are those since `origin_ns`.
    pub(crate) fn end(self, origin_ns: u64) -> Vec<ServerSide> {
        drop(self.over);
        let sources = self.thread.and_then(|thread| thread.join().ok()).unwrap_or_default();
        let since = |at_ns: u64| (i128::from(at_ns) - i128::from(origin_ns)) as i64;
        let of = |mut source: Source| {
            for (scrape, at_ns) in source.side.scrapes.iter_mut().zip(&source.at_ns) {
                scrape.at_ns = since(*at_ns);
            }
            source.side
        };
        sources.into_iter().map(of).collect()
    }
}

impl Source {
    fn new(runtime: &Runtime, settings: &Settings) -> Source {
        let timeouts =
            Timeouts { connect: PATIENCE, first_byte: PATIENCE, stall: PATIENCE, total: PATIENCE };
        let target = &settings.target;
        let made = Connector::new(target, &settings.trust, timeouts, false);
        let (connector, headers) = (runtime.block_on(made), settings.header_map());
        let absent = match (&connector, &headers) {
            (Err(error), _) => Some(error.to_string()),
            (_, Err(error)) => Some(error.to_string()),
            _ => None,
        };
        Source {
            connector: connector.ok(),
            pool: Pool::new(Connections::Reuse),
            path: target.beside_api("/metrics"),
            headers: headers.unwrap_or_default(),
            side: ServerSide { url: target.url(), absent, scrapes: Vec::new() },
            at_ns: Vec::new(),
        }
    }

    /// It is worth asking again.
    fn answers(&self) -> bool {
        self.side.absent.is_none() && self.side.scrapes.len() < MOST
    }

    fn ask(&mut self, runtime: &Runtime) {
        let Some(connector) = self.connector.as_ref().filter(|_| self.answers()) else { return };
        let frames = AtomicU64::new(0);
        let outgoing = Outgoing {
            path: &self.path,
            headers: &self.headers,
            body: String::new(),
            max_bytes: MAX_BYTES,
            frames: &frames,
        };
        let answer = runtime.block_on(exchange(connector, &self.pool, outgoing)).answer;
        match answer {
            Ok(received) if !received.status.is_success() => {
                self.side.absent = Some(format!("{} answers {}", self.shown(), received.status));
            }
            Ok(received) => {
                let why = match received.end {
                    End::Complete | End::Done => None,
                    End::TooLarge => Some("more than 4 MiB"),
                    _ => Some("an answer that does not end"),
                };
                let values = text::values(&String::from_utf8_lossy(&received.bytes));
                if let Some(why) = why {
                    self.side.absent = Some(format!("{}: {why}", self.shown()));
                } else if values.is_empty() && self.side.scrapes.is_empty() {
                    let shown = self.shown();
                    self.side.absent =
                        Some(format!("{shown} tells nothing by a name that is known"));
                } else {
                    self.side.scrapes.push(Scrape { at_ns: 0, values });
                    self.at_ns.push(now_ns());
                }
            }
            Err(failure) => {
                let why = excerpt(&failure.message).into_owned();
                self.side.absent =
                    Some(format!("{}: {}: {why}", self.shown(), failure.kind.name()));
            }
        }
    }

    /// Its path without a query.
    fn shown(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}
