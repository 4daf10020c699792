//! Who sent the requests of a load, where several processes or machines did, and how far their
//! clocks are apart. Putting their records together is left to `pool`.

use crate::{Client, Measured, Request, Requests, Trial};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// When a load began, on the clocks of the machine that sent it: zero of its requests' stamps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// The boot of the machine, by its kernel (`boot_id`): processes of one boot share a monotonic
    /// clock. Absent where the system does not say, or where machines of several were put together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// The monotonic clock, nanoseconds.
    pub monotonic_ns: u64,
    /// The wall clock, nanoseconds since 1970 UTC.
    pub unix_ns: u64,
}

/// How it is known what a worker's clock is before the clock that its stamps were put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetMethod {
    /// Read over its pipe, between a question and its answer (Cristian, "Probabilistic clock
    /// synchronization", Distributed Computing 3, 1989): off by half the round trip at most.
    RoundTrip,
    /// It is the same clock: two processes of one machine.
    SameClock,
    /// Both machines' wall clocks are believed. How far they are apart was not measured.
    WallClock,
    /// As before, and what is known of one of them is the second.
    WallClockSeconds,
}

impl OffsetMethod {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            OffsetMethod::RoundTrip => "round trip",
            OffsetMethod::SameClock => "same clock",
            OffsetMethod::WallClock => "wall clock, unmeasured",
            OffsetMethod::WallClockSeconds => "wall clock, to a second",
        }
    }
}

/// How far a worker's monotonic clock is before the one that its stamps were put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// How it is known.
    pub method: OffsetMethod,
    /// So far, nanoseconds. Of two machines it is mostly how long they have been up, and no error.
    pub offset_ns: i64,
    /// The shortest round trip among the questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ns: Option<u64>,
    /// The offset is off by this at most; absent where nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_ns: Option<u64>,
}

impl Offset {
    /// Of processes that share a clock.
    pub const SAME_CLOCK: Offset = Offset {
        method: OffsetMethod::SameClock,
        offset_ns: 0,
        round_trip_ns: None,
        error_ns: Some(0),
    };

    /// The best of some questions: when each was asked, what the worker's clock said, and when that
    /// was known, all but the second on our clock. The answer is taken to be of the middle between
    /// question and knowledge; the one that took the least time is off by the least. `None` without
    /// a question.
    pub fn of_round_trips(questions: &[(u64, u64, u64)]) -> Option<Offset> {
        let (asked, said, known) =
            questions.iter().min_by_key(|(asked, _, known)| known.saturating_sub(*asked))?;
        let round_trip_ns = known.saturating_sub(*asked);
        let middle = i128::from(*asked) + i128::from(round_trip_ns / 2);
        let offset_ns = i64::try_from(i128::from(*said) - middle).unwrap_or(i64::MAX);
        Some(Offset {
            method: OffsetMethod::RoundTrip,
            offset_ns,
            round_trip_ns: Some(round_trip_ns),
            error_ns: Some(round_trip_ns.div_ceil(2)),
        })
    }
}

/// One of several that sent the requests of a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sender {
    /// Its name, which its requests carry.
    pub name: String,
    /// Its machine, in a line.
    #[serde(default)]
    pub machine: String,
    /// Its build: version and commit.
    #[serde(default)]
    pub build: String,
    /// Its clock; absent where it sent nothing that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Offset>,
    /// When its own load began, nanoseconds since the trial did.
    #[serde(default)]
    pub began_ns: u64,
    /// Its parameters where they are not those of the whole: its share of the load, its seed.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// What its client did meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// Why nothing of it, or not all, is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

impl Trial {
    /// Its requests in groups, by who sent them or where they went, in the order of the names; each
    /// group as a trial of its own, whose figures are computed like any other's. Requests without a
    /// name are in none.
    pub fn grouped(&self, by: fn(&Request) -> Option<&str>) -> BTreeMap<String, Trial> {
        let mut groups: BTreeMap<String, Vec<Request>> = BTreeMap::new();
        for request in self.requests() {
            let Some(name) = by(request) else { continue };
            groups.entry(name.to_owned()).or_default().push(request.clone());
        }
        let of = |(name, requests)| {
            let measured = Measured::Requests(Requests { requests, ..Requests::default() });
            let trial = Trial { params: self.params.clone(), measured, ..Trial::default() };
            (name, trial)
        };
        groups.into_iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_is_believed() {
        assert_eq!(Offset::of_round_trips(&[]), None);
        // A clock that is 1000 before ours: asked at 100, read at 110 of ours, known at 120; the
        // other answer was 400 on its way back.
        let found = Offset::of_round_trips(&[(500, 1510, 920), (100, 1110, 120)]).unwrap();
        assert_eq!(
            (found.offset_ns, found.round_trip_ns, found.error_ns),
            (1000, Some(20), Some(10))
        );
        let behind = Offset::of_round_trips(&[(2000, 10, 2001)]).unwrap();
        assert_eq!((behind.offset_ns, behind.error_ns), (-1990, Some(1)));
        // What a file says may be anything.
        assert!(Offset::of_round_trips(&[(0, u64::MAX, 0)]).is_some());
    }
}
