//! One time axis for stamps of several clocks: by offsets that were measured, by the clock itself
//! where it is the same, else by wall clocks.

use super::{Part, PoolError};
use crate::{Began, Offset, OffsetMethod, Requests, Trial};

/// Where the stamps of each part begin on the axis.
pub(super) struct Axis {
    /// Of each part: its zero, nanoseconds after the first one's, and its clock.
    pub parts: Vec<(u64, Offset)>,
    /// Zero of the axis.
    pub began: Option<Began>,
    /// The time that all of them sent in, of the time that any of them did; 0 to 1.
    pub together: f64,
}

/// Zero of a part's stamps on a clock that all share.
fn origin(part: &Part, trial: &Trial, how: OffsetMethod) -> i128 {
    let began = trial.load().and_then(|load| load.began.as_ref());
    match (how, began) {
        (OffsetMethod::RoundTrip, Some(began)) => {
            let offset = part.offset.map_or(0, |offset| offset.offset_ns);
            i128::from(began.monotonic_ns) - i128::from(offset)
        }
        (OffsetMethod::SameClock, Some(began)) => i128::from(began.monotonic_ns),
        (_, Some(began)) => i128::from(began.unix_ns),
        (_, None) => i128::from(trial.started_unix_s) * 1_000_000_000,
    }
}

/// The best that all parts allow.
fn method(parts: &[Part], trials: &[&Trial]) -> OffsetMethod {
    let began: Option<Vec<&Began>> =
        trials.iter().map(|trial| trial.load()?.began.as_ref()).collect();
    let Some(began) = began else { return OffsetMethod::WallClockSeconds };
    if parts.iter().all(|part| part.offset.is_some()) {
        return OffsetMethod::RoundTrip;
    }
    let boot = began.first().and_then(|began| began.boot.as_ref());
    if boot.is_some() && began.iter().all(|other| other.boot.as_ref() == boot) {
        OffsetMethod::SameClock
    } else {
        OffsetMethod::WallClock
    }
}

/// What is known of a part's clock.
fn offset(part: &Part, trial: &Trial, how: OffsetMethod, first: Option<&Began>) -> Offset {
    if how == OffsetMethod::RoundTrip {
        return part.offset.unwrap_or(Offset::SAME_CLOCK);
    }
    if how == OffsetMethod::SameClock {
        return Offset::SAME_CLOCK;
    }
    let began = trial.load().and_then(|load| load.began.as_ref());
    let up = |began: &Began| i128::from(began.monotonic_ns) - i128::from(began.unix_ns);
    let apart = first.zip(began).map_or(0, |(first, began)| up(began) - up(first));
    let method =
        if began.is_some() { OffsetMethod::WallClock } else { OffsetMethod::WallClockSeconds };
    let offset_ns = i64::try_from(apart).unwrap_or(0);
    Offset { method, offset_ns, round_trip_ns: None, error_ns: None }
}

/// From the first send to the last end, on the part's own clock.
fn span(load: &Requests) -> Option<(u64, u64)> {
    let from = load.requests.iter().map(|request| request.sent_ns).min()?;
    Some((from, load.requests.iter().map(|request| request.end_ns).max()?.max(from)))
}

impl Axis {
    /// Of the row of that number.
    pub(super) fn of(parts: &[Part], row: usize) -> Result<Axis, PoolError> {
        let trials: Vec<&Trial> = parts.iter().map(|part| &part.run.trials[row]).collect();
        let how = method(parts, &trials);
        let origins: Vec<i128> =
            parts.iter().zip(&trials).map(|(part, trial)| origin(part, trial, how)).collect();
        let zero = origins.iter().copied().min().unwrap_or(0);
        // Who began, and when; who ended, and when.
        let mut began: Vec<(i128, usize)> = Vec::new();
        let mut ended: Vec<(i128, usize)> = Vec::new();
        for (i, trial) in trials.iter().enumerate() {
            let Some((from, to)) = trial.load().and_then(span) else { continue };
            began.push((origins[i] + i128::from(from), i));
            ended.push((origins[i] + i128::from(to), i));
        }
        let mut together = 1.0;
        if let (Some(last), Some(first)) = (began.iter().max(), ended.iter().min()) {
            // Within a second nobody knows which was first, where clocks are known to a second.
            let slack = if how == OffsetMethod::WallClockSeconds { 1_000_000_000 } else { 0 };
            if first.0 + slack < last.0 {
                return Err(PoolError::Apart {
                    name: parts[last.1].name.clone(),
                    of: parts[first.1].name.clone(),
                    trial: row,
                    seconds: (last.0 - first.0) as f64 / 1e9,
                });
            }
            let all = ended.iter().max().map_or(0, |(at, _)| *at)
                - began.iter().min().map_or(0, |(at, _)| *at);
            together = (first.0 - last.0).max(0) as f64 / all.max(1) as f64;
        }
        let of_load = |i: usize| trials[i].load().and_then(|load| load.began.as_ref());
        let earliest = origins.iter().position(|origin| *origin == zero).unwrap_or(0);
        let reference = of_load(0);
        let one_boot = trials.iter().enumerate().all(|(i, _)| {
            of_load(i).and_then(|began| began.boot.as_ref())
                == of_load(0).and_then(|began| began.boot.as_ref())
        });
        let began = of_load(earliest)
            .map(|began| Began { boot: began.boot.clone().filter(|_| one_boot), ..began.clone() });
        let shift = |origin: i128| u64::try_from(origin - zero).unwrap_or(u64::MAX);
        let of = |(i, part): (usize, &Part)| {
            (shift(origins[i]), offset(part, trials[i], how, reference))
        };
        Ok(Axis { parts: parts.iter().enumerate().map(of).collect(), began, together })
    }
}
