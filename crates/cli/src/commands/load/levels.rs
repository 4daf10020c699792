//! What each row sends: so many streams, a rate, a ramp, a trace, or a sweep's next level; and
//! where a sweep's knee was.

use super::Args;
use super::options::Ramp;
use pacemark_load::{Arrival, Arrivals, Bounds, Knee, Point, Rate, Shape, Sweep};
use pacemark_record::{SteadyVerdict, Trial, stats};

/// Streams, where nothing else is said.
pub(super) const STREAMS: usize = 4;

/// Requests of a row, where nothing else is said: at least so many, and so many for each stream.
const REQUESTS: u64 = 64;
const REQUESTS_A_STREAM: u64 = 16;

/// How requests at a rate arrive, and how many are in flight at most, where nothing else is said.
pub(super) const ARRIVAL: Arrival = Arrival::Poisson;
pub(super) const MAX_IN_FLIGHT: usize = 4096;

/// What one row sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Level {
    /// So many at once.
    Streams(usize),
    /// Requests a second.
    Rate(f64),
    /// A rate that changes.
    Ramp(Ramp),
    /// As recorded.
    Trace,
}

impl Level {
    /// In a few words.
    pub(super) fn name(self) -> String {
        match self {
            Level::Streams(1) => "1 stream".to_owned(),
            Level::Streams(n) => format!("{n} streams"),
            Level::Rate(f64::INFINITY) => "all at once".to_owned(),
            Level::Rate(rate) => format!("{rate}/s"),
            Level::Ramp(ramp) => format!("ramp {ramp}"),
            Level::Trace => "trace".to_owned(),
        }
    }

    /// Its requests arrive at random, or evenly.
    pub(super) fn has_arrivals(self) -> bool {
        matches!(self, Level::Rate(rate) if rate.is_finite()) || matches!(self, Level::Ramp(_))
    }

    /// Of a row that was measured.
    pub(super) fn of(trial: &Trial) -> String {
        let text =
            |name: &str| trial.params.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        match (trial.params.get("concurrency"), trial.params.get("rate"), text("ramp")) {
            (Some(_), _, _) => Level::Streams(trial.count("concurrency") as usize).name(),
            (_, Some(rate), _) => Level::Rate(rate.as_f64().unwrap_or(f64::INFINITY)).name(),
            (_, _, Some(ramp)) => format!("ramp {ramp}"),
            _ => Level::Trace.name(),
        }
    }

    /// The next of a sweep, with this many.
    pub(super) fn at(self, level: f64) -> Level {
        match self {
            Level::Streams(_) => Level::Streams(level as usize),
            _ => Level::Rate(level),
        }
    }

    /// Requests before counting begins, and streams that they come over.
    pub(super) fn warmup(self, args: &Args) -> (u64, usize) {
        let (streams, usual) = match self {
            // A stream that has no request later needs none before.
            Level::Streams(n) => (n, args.requests.map_or(n as u64, |most| most.min(n as u64))),
            Level::Rate(_) | Level::Ramp(_) => (1, 1),
            Level::Trace => (1, 0),
        };
        let requests = args.warmup.unwrap_or(usual);
        (requests, streams.min(requests as usize))
    }

    /// What ends it.
    pub(super) fn bounds(self, args: &Args, arrivals: Option<&[u64]>) -> Bounds {
        let duration = args.duration.map(|duration| duration.0);
        let usual = match self {
            Level::Streams(n) => Some(REQUESTS.max(REQUESTS_A_STREAM * n as u64)),
            Level::Rate(_) => Some(REQUESTS),
            Level::Ramp(_) => None,
            Level::Trace => arrivals.map(|arrivals| arrivals.len() as u64),
        };
        let requests = args.requests.or(usual.filter(|_| duration.is_none()));
        Bounds { requests, duration }
    }

    /// When its requests are sent.
    pub(super) fn shape(self, args: &Args, arrivals: Option<Vec<u64>>) -> Shape {
        let at = |rate| Box::new(Arrivals::new(args.arrival.unwrap_or(ARRIVAL), rate, args.seed));
        let max_in_flight = args.max_in_flight.unwrap_or(MAX_IN_FLIGHT);
        match self {
            Level::Streams(concurrency) => Shape::Closed { concurrency },
            Level::Rate(rate) => Shape::Open { arrivals: at(Rate::Fixed(rate)), max_in_flight },
            Level::Ramp(ramp) => {
                let seconds = args.duration.map_or(1.0, |duration| duration.0.as_secs_f64());
                Shape::Open {
                    arrivals: at(Rate::Ramp { from: ramp.from, to: ramp.to, seconds }),
                    max_in_flight,
                }
            }
            Level::Trace => Shape::Open {
                arrivals: Box::new(arrivals.unwrap_or_default().into_iter()),
                max_in_flight,
            },
        }
    }
}

/// Those of the flags, in order.
pub(super) fn levels(args: &Args) -> Vec<Level> {
    if args.trace.is_some() {
        return vec![Level::Trace];
    }
    if let Some(ramp) = args.ramp {
        return vec![Level::Ramp(ramp)];
    }
    if !args.rate.is_empty() {
        return args.rate.iter().map(|rate| Level::Rate(*rate)).collect();
    }
    match (&args.concurrency[..], args.sweep) {
        ([], true) => vec![Level::Streams(1)],
        ([], false) => vec![Level::Streams(STREAMS)],
        (given, _) => given.iter().map(|n| Level::Streams(*n)).collect(),
    }
}

/// What a sweep sees of a row: goodput where there are limits, else tokens a second.
pub(super) fn point(level: Level, trial: &Trial) -> Point {
    let steady = trial.steady();
    let tokens =
        steady.as_ref().map(|steady| steady.tokens_per_second).or(trial.output_rate_total());
    let good = trial.n_good().and_then(|good| trial.request_rate(good));
    let seconds: Vec<f64> =
        trial.answered().filter_map(|request| Some(request.e2e_ns()? as f64 / 1e9)).collect();
    Point {
        level: match level {
            Level::Streams(n) => n as f64,
            Level::Rate(rate) => rate,
            Level::Ramp(_) | Level::Trace => 0.0,
        },
        rate: good.or(tokens).unwrap_or(0.0),
        seconds: stats::median(&seconds).unwrap_or(0.0),
        overloaded: matches!(steady.map(|steady| steady.verdict), Some(SteadyVerdict::Growing(_))),
    }
}

/// Where the knee was, in a sentence.
pub(super) fn knee(args: &Args, sweep: &Sweep) -> String {
    let Some(knee) = sweep.knee() else {
        return "the sweep ended before there were three levels: no knee".to_owned();
    };
    let at = |level: f64| {
        if args.rate.is_empty() { Level::Streams(level as usize) } else { Level::Rate(level) }
            .name()
    };
    let what = if args.slo.is_some() { "good requests/s" } else { "tokens/s" };
    format!(
        "knee at {} ({:.1} {what}); most at {} ({:.1} {what}){}; {}",
        at(knee.level),
        knee.rate,
        at(knee.best_level),
        knee.best_rate,
        if knee.saturated { ", saturated" } else { ", not saturated" },
        Knee::METHOD
    )
}
