//! What a whole load is to be, row by row, and how one row of it is measured: warmed up, sent,
//! and kept as a trial of a record.
//!
//! Whoever reads flags or files fills a [`LoadPlan`]; how requests are sent is [`run()`]'s; what
//! the figures are is said by [`METRICS`](crate::METRICS).

mod judge;
mod knee;
mod level;
mod params;
mod prompts;
mod share;

pub use judge::{Goal, missed};
pub use knee::{knee, point};
pub use level::{ARRIVAL, Level, MAX_IN_FLIGHT, Ramp, STREAMS};
pub use prompts::{Answers, Origin, Prompts};
pub use share::Share;

use crate::prompt::{Cache, Encoder, PromptError, Session, Source, Verified};
use crate::scrape::Scrapes;
use crate::{Arrival, Bounds, Live, LoadError, Measured, Settings, Shape, Watch, clock, run};
use pacemark_record::env::StealWatch;
use pacemark_record::{Grades, LOAD_EXPERIMENT, Requests, Slo, Trial, Until, Warmup};
use prompts::Wanted;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Everything that the rows of one load share.
pub struct LoadPlan {
    /// Where and how requests are sent.
    pub settings: Settings,
    /// Requests of each row; [`None`] for what is usual at its level.
    pub requests: Option<u64>,
    /// No request of a row begins later than this.
    pub duration: Option<Duration>,
    /// A row goes on beyond its requests until its steady rate is known so well.
    pub until: Option<Until>,
    /// How requests at a rate arrive; [`None`] for [`ARRIVAL`].
    pub arrival: Option<Arrival>,
    /// Sessions in flight at once, at a rate or from a trace; [`None`] for [`MAX_IN_FLIGHT`].
    pub max_in_flight: Option<usize>,
    /// Requests before counting begins; [`None`] for what is usual at a row's level.
    pub warmup: Option<u64>,
    /// What is sent.
    pub prompts: Prompts,
    /// Who counts tokens.
    pub counter: Counter,
    /// Makes prompts others than those of the load before ([`fresh_nonce`]).
    pub nonce: u64,
    /// Thresholds that rows are graded by.
    pub grades: Grades,
    /// Limits that rows are held to.
    pub slo: Option<Slo>,
    /// Which part of it is sent from here: levels and numbers of requests are those of the whole.
    pub share: Share,
    /// What the servers count of themselves is read beside the load.
    pub server_side: bool,
}

/// Who counts the tokens of texts.
#[derive(Clone)]
pub struct Counter {
    /// The tokenizer; nobody counts without one.
    pub encoder: Option<Arc<dyn Encoder>>,
    /// Who that is, in a few words.
    pub name: String,
}

/// Why a row has no trial.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Its prompts cannot be had.
    #[error("cannot make prompts: {0}")]
    Prompts(#[from] PromptError),
    /// It could not begin.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It ended without a request.
    #[error(
        "no request was sent: the rate is too low for --duration, or prompts could not be made"
    )]
    NothingSent,
    /// The server of a self-test is of another version.
    #[error("the server tells no times of its chunks: it is another version")]
    NoTimes,
}

/// A nonce that no other load has: what a server remembers of the last one must not help. It is a
/// number that JSON readers keep exactly.
pub fn fresh_nonce() -> u64 {
    const BITS: u64 = (1 << 48) - 1;
    (clock::now_ns() ^ now_unix_s() << 20) & BITS
}

pub(crate) fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// At most so many sessions of another source.
struct First<'a> {
    of: &'a mut dyn Source,
    left: u64,
}

impl Source for First<'_> {
    fn next(&mut self) -> Option<Session> {
        self.left = self.left.checked_sub(1)?;
        self.of.next()
    }

    fn lengths(&self) -> Verified {
        self.of.lengths()
    }
}

/// Watches what is not to wait for others.
struct AtOnce<'a>(&'a mut dyn Watch);

impl Watch for AtOnce<'_> {
    fn tick(&mut self, live: &Live) {
        self.0.tick(live);
    }
}

impl LoadPlan {
    /// Measures this share of row number `row`, from 0, at `level`; [`None`] where the caller stopped it before a
    /// request had ended. What is stopped later is kept as far as it came.
    pub fn measure(
        &self,
        level: Level,
        row: u64,
        watch: &mut dyn Watch,
        stop: &AtomicBool,
    ) -> Result<Option<Trial>, PlanError> {
        let whole = level;
        let level = self.share.of_level(whole);
        let name = level.name();
        watch.begin(&name, Bounds::default());
        let Wanted { mut source, arrivals, given_lengths } = self.wanted(row)?;
        let (warmup, mut notes) = self.warm_up(level, source.as_mut(), watch, stop)?;
        let bounds = whole.bounds(self, arrivals.as_deref());
        let started_unix_s = now_unix_s();
        let steal = StealWatch::begin();
        watch.begin(&name, bounds);
        let shape = level.shape(self, arrivals);
        let scrapes = self.server_side.then(|| Scrapes::begin(&self.settings));
        let measured = self.send(shape, bounds, source.as_mut(), watch, stop)?;
        let servers = scrapes.map_or(Vec::new(), |scrapes| scrapes.end(measured.origin_ns));
        if measured.requests.is_empty() {
            return if stop.load(Relaxed) { Ok(None) } else { Err(PlanError::NothingSent) };
        }
        let steal_share = steal.share();
        let lengths = source.lengths();
        notes.extend(self.prompts.notes(given_lengths, lengths));
        if self.share.of > 1 && self.prompts.cache != Cache::Cold {
            let of = self.share.of;
            notes.push(format!(
                "what prompts share is each worker's own: {of} times as much of it in all as --cache says"
            ));
        }
        let mut params = self.params(level, bounds, given_lengths);
        params.extend(counted(lengths, &measured, &self.counter.name));
        let Measured { requests, cut_requests, unsent_requests, client, origin_ns, .. } = measured;
        let requests = Requests {
            requests,
            cut_requests,
            unsent_requests,
            client: Some(client),
            began: Some(clock::began(origin_ns)),
            servers,
            ..Requests::default()
        };
        let mut trial = Trial {
            experiment: LOAD_EXPERIMENT.to_owned(),
            started_unix_s,
            params,
            warmup,
            repetitions: bounds.requests.unwrap_or(0) as usize,
            notes,
            measured: pacemark_record::Measured::Requests(requests),
            steal_share,
            ..Trial::default()
        };
        trial.notes.extend(self.until.and_then(|until| unknown(&until, &trial)));
        Ok(Some(trial))
    }

    /// Real requests that are not counted, and what is to be said of them.
    fn warm_up(
        &self,
        level: Level,
        source: &mut dyn Source,
        watch: &mut dyn Watch,
        stop: &AtomicBool,
    ) -> Result<(Warmup, Vec<String>), LoadError> {
        let (requests, streams) = level.warmup(self);
        if requests == 0 {
            return Ok((Warmup { settled: true, ..Warmup::default() }, Vec::new()));
        }
        let bounds = Bounds { requests: Some(requests), ..Bounds::default() };
        watch.begin(&format!("{}, warm-up", level.name()), bounds);
        let shape = Shape::Closed { concurrency: streams };
        let mut source = First { of: source, left: requests };
        let measured = self.send(shape, bounds, &mut source, &mut AtOnce(watch), stop)?;
        let answered = || measured.requests.iter().filter(|request| request.is_ok());
        let elapsed_ns: Vec<u64> = answered().filter_map(|request| request.e2e_ns()).collect();
        let n_tokens = answered().filter_map(|request| request.output_usage).max().unwrap_or(0);
        let failures = measured.requests.iter().filter_map(|request| request.failure.as_ref());
        let example = failures
            .clone()
            .next()
            .map(|first| format!("{}, e.g. {}", first.kind.name(), first.message));
        let note = example.map(|example| {
            format!("{} of {requests} warm-up requests failed: {example}", failures.count())
        });
        // Requests side by side are not runs in turn: what drift there is shows in the load itself.
        Ok((Warmup { n_tokens, elapsed_ns, settled: true }, note.into_iter().collect()))
    }

    fn send(
        &self,
        shape: Shape,
        bounds: Bounds,
        source: &mut dyn Source,
        watch: &mut dyn Watch,
        stop: &AtomicBool,
    ) -> Result<Measured, LoadError> {
        run(&self.settings, shape, bounds, source, self.counter.encoder.clone(), watch, stop)
    }
}

/// Whether the lengths of prompts are known, and by whom.
fn counted(lengths: Verified, measured: &Measured, by: &str) -> [(String, serde_json::Value); 4] {
    // The server may have counted what we could not.
    let told = measured.requests.iter().any(|request| request.prompt_usage.is_some());
    [
        ("prompt_tokens_by".to_owned(), by.into()),
        ("prompt_tokens_exact".to_owned(), (lengths.counted || told).into()),
        ("prompts_checked".to_owned(), lengths.checked.into()),
        ("prompts_off".to_owned(), lengths.wrong.into()),
    ]
}

/// What is to be said of a row whose steady rate is not known as well as it was to be.
fn unknown(until: &Until, trial: &Trial) -> Option<String> {
    let half_width = trial.steady().and_then(|steady| steady.half_width());
    let wall_ns = trial.load()?.client.as_ref()?.wall_ns;
    let by_time = u128::from(wall_ns) >= until.max_time.as_nanos();
    until.missed("steady rate", half_width, by_time)
}
