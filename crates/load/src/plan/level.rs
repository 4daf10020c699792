//! What a row sends: so many streams, a rate, a ramp or a trace; and what follows from that.

use super::LoadPlan;
use crate::{Arrival, Arrivals, Bounds, Rate, Shape};
use pacemark_record::Trial;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// Streams, where nothing else is said.
pub const STREAMS: usize = 4;

/// Requests of a row, where nothing else is said: at least so many, and so many for each stream.
const REQUESTS: u64 = 64;
const REQUESTS_A_STREAM: u64 = 16;

/// How requests at a rate arrive, where nothing else is said.
pub const ARRIVAL: Arrival = Arrival::Poisson;

/// Sessions in flight at most, at a rate or from a trace, where nothing else is said.
pub const MAX_IN_FLIGHT: usize = 4096;

/// What one row sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// So many at once.
    Streams(usize),
    /// Requests a second; infinite for all at once.
    Rate(f64),
    /// A rate that changes.
    Ramp(Ramp),
    /// As recorded.
    Trace,
}

/// Two rates, requests a second: of the beginning and of the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// At the beginning.
    pub from: f64,
    /// At the end.
    pub to: f64,
}

impl FromStr for Ramp {
    type Err = String;

    /// `FROM..TO`.
    fn from_str(text: &str) -> Result<Ramp, String> {
        let rate = |text: &str| text.parse::<f64>().ok().filter(|rate| (0.0..=1e6).contains(rate));
        let ends = text.split_once("..").and_then(|(from, to)| rate(from).zip(rate(to)));
        let ends = ends.filter(|(from, to)| from + to > 0.0);
        ends.map(|(from, to)| Ramp { from, to })
            .ok_or_else(|| "expected FROM..TO, requests a second".to_owned())
    }
}

impl fmt::Display for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}/s", self.from, self.to)
    }
}

impl Level {
    /// In a few words.
    pub fn name(self) -> String {
        match self {
            Level::Streams(1) => "1 stream".to_owned(),
            Level::Streams(n) => format!("{n} streams"),
            Level::Rate(f64::INFINITY) => "all at once".to_owned(),
            Level::Rate(rate) => format!("{rate}/s"),
            Level::Ramp(ramp) => format!("ramp {ramp}"),
            Level::Trace => "trace".to_owned(),
        }
    }

    /// The name of the level at which a trial was measured.
    pub fn name_of(trial: &Trial) -> String {
        let params = &trial.params;
        match (params.get("concurrency"), params.get("rate"), params.get("ramp")) {
            (Some(_), _, _) => Level::Streams(trial.count("concurrency") as usize).name(),
            (_, Some(rate), _) => Level::Rate(rate.as_f64().unwrap_or(f64::INFINITY)).name(),
            (_, _, Some(ramp)) => format!("ramp {}", ramp.as_str().unwrap_or_default()),
            _ => Level::Trace.name(),
        }
    }

    /// Its parameter in a record.
    pub(super) fn param(self) -> Option<(&'static str, Value)> {
        match self {
            Level::Streams(n) => Some(("concurrency", n.into())),
            // JSON has no word for an endless one.
            Level::Rate(f64::INFINITY) => Some(("rate", "inf".into())),
            Level::Rate(rate) => Some(("rate", rate.into())),
            Level::Ramp(ramp) => Some(("ramp", ramp.to_string().into())),
            Level::Trace => None,
        }
    }

    /// Its requests arrive at random, or evenly.
    pub(super) fn has_arrivals(self) -> bool {
        matches!(self, Level::Rate(rate) if rate.is_finite()) || matches!(self, Level::Ramp(_))
    }

    /// The next of a sweep, with this many.
    pub fn at(self, level: f64) -> Level {
        match self {
            Level::Streams(_) => Level::Streams(level as usize),
            _ => Level::Rate(level),
        }
    }

    /// Requests before counting begins, and streams that they come over.
    pub(super) fn warmup(self, plan: &LoadPlan) -> (u64, usize) {
        let most = plan.requests.map(|most| plan.share.part(most));
        let (streams, usual) = match self {
            // A stream that has no request later needs none before.
            Level::Streams(n) => (n, most.map_or(n as u64, |most| most.min(n as u64))),
            Level::Rate(_) | Level::Ramp(_) => (1, 1),
            Level::Trace => (1, 0),
        };
        let requests = plan.warmup.map_or(usual, |all| plan.share.part(all));
        (requests, streams.min(requests as usize))
    }

    /// What ends a share of it; `arrivals` are the share's own.
    pub(super) fn bounds(self, plan: &LoadPlan, arrivals: Option<&[u64]>) -> Bounds {
        let LoadPlan { duration, until, .. } = *plan;
        let usual = match self {
            Level::Streams(n) => Some(REQUESTS.max(REQUESTS_A_STREAM * n as u64)),
            Level::Rate(_) => Some(REQUESTS),
            Level::Ramp(_) => None,
            Level::Trace => arrivals.map(|arrivals| arrivals.len() as u64),
        };
        let all = plan.requests.or(usual.filter(|_| duration.is_none() && arrivals.is_none()));
        let own = usual.filter(|_| duration.is_none() && arrivals.is_some());
        let requests = all.map(|all| plan.share.part(all)).or(own);
        Bounds { requests, duration, until }
    }

    /// When its requests are sent.
    pub(super) fn shape(self, plan: &LoadPlan, arrivals: Option<Vec<u64>>) -> Shape {
        let arrival = plan.arrival.unwrap_or(ARRIVAL);
        // What several send at even distances is to be at even distances together.
        let share = plan.share;
        let between = match self {
            Level::Rate(rate) if arrival == Arrival::Constant && rate.is_finite() => {
                1e9 / (rate * share.of as f64)
            }
            _ => 0.0,
        };
        let later_ns = (between * share.index as f64) as u64;
        let at = |rate| -> Box<dyn Iterator<Item = u64> + Send> {
            let arrivals = Arrivals::new(arrival, rate, plan.prompts.seed);
            Box::new(arrivals.map(move |at| at.saturating_add(later_ns)))
        };
        let max_in_flight = plan.most_in_flight();
        match self {
            Level::Streams(concurrency) => Shape::Closed { concurrency },
            Level::Rate(rate) => Shape::Open { arrivals: at(Rate::Fixed(rate)), max_in_flight },
            Level::Ramp(Ramp { from, to }) => {
                let seconds = plan.duration.map_or(1.0, |duration| duration.as_secs_f64());
                Shape::Open { arrivals: at(Rate::Ramp { from, to, seconds }), max_in_flight }
            }
            Level::Trace => Shape::Open {
                arrivals: Box::new(arrivals.unwrap_or_default().into_iter()),
                max_in_flight,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramps() {
        assert_eq!("1..20".parse::<Ramp>(), Ok(Ramp { from: 1.0, to: 20.0 }));
        assert!("1..".parse::<Ramp>().is_err() && "0..0".parse::<Ramp>().is_err());
    }

    #[test]
    fn a_level_is_named_by_its_trial_as_by_itself() {
        for level in [
            Level::Streams(1),
            Level::Streams(8),
            Level::Rate(2.5),
            Level::Rate(f64::INFINITY),
            Level::Ramp(Ramp { from: 1.0, to: 2.0 }),
            Level::Trace,
        ] {
            let mut trial = Trial::default();
            trial.params.extend(level.param().map(|(name, value)| (name.to_owned(), value)));
            assert_eq!(Level::name_of(&trial), level.name());
        }
    }
}
