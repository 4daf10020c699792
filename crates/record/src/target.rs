//! Targets: bounds that a figure is held to, and whether its interval lies within them.
//!
//! Only what is shown is met or missed. A figure whose interval holds a bound is undecided, and more
//! runs would decide it; which figures there are, and where bounds are written, is left to others.

use crate::Figure;
use crate::stats::Interval;

/// What a figure is to be: at least, at most, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bound {
    /// At least this.
    pub min: Option<f64>,
    /// At most this.
    pub max: Option<f64>,
}

/// A figure, and what it was made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// The figure.
    pub figure: Figure,
    /// Runs (repetitions or requests) behind it.
    pub runs: usize,
    /// Runs that an interval takes; `None` for a value that is read off once and has none (a
    /// model's load time, a process's memory).
    pub needs: Option<usize>,
}

/// Whether a target was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetVerdict {
    /// The whole interval keeps the bound.
    Met,
    /// The whole interval misses it.
    Missed,
    /// The bound lies in the interval, or there is none yet. About so many more runs would decide;
    /// `None` where that is more than anybody will take.
    Undecided(Option<u64>),
    /// There is no value.
    NotMeasured,
}

/// More runs than this are no advice.
const MOST_MORE: f64 = 100_000.0;

impl TargetVerdict {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            TargetVerdict::Met => "met",
            TargetVerdict::Missed => "missed",
            TargetVerdict::Undecided(_) => "undecided",
            TargetVerdict::NotMeasured => "not_measured",
        }
    }
}

impl Bound {
    /// Whether a figure keeps it.
    pub fn judge(&self, measure: &Measure) -> TargetVerdict {
        let Measure { figure, runs, needs } = measure;
        let missing = needs.map_or(0, |needs| needs.saturating_sub(*runs));
        let Some(value) = figure.value.filter(|value| value.is_finite()) else {
            // A percentile that the sample does not bound.
            let some = *runs > 0 && missing > 0;
            return match some {
                true => TargetVerdict::Undecided(Some(missing as u64)),
                false => TargetVerdict::NotMeasured,
            };
        };
        let interval = match (figure.interval, needs) {
            (Some(interval), _) => interval,
            (None, Some(_)) if missing > 0 => {
                return TargetVerdict::Undecided(Some(missing as u64));
            }
            (None, _) => Interval { low: value, high: value },
        };
        match (self.holds(interval.low), self.holds(interval.high)) {
            (true, true) => TargetVerdict::Met,
            _ if self.is_missed_by(interval) => TargetVerdict::Missed,
            _ => TargetVerdict::Undecided(self.more(value, interval, *runs)),
        }
    }

    fn holds(&self, value: f64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }

    /// The whole interval lies beyond one end.
    fn is_missed_by(&self, interval: Interval) -> bool {
        self.min.is_some_and(|min| interval.high < min)
            || self.max.is_some_and(|max| interval.low > max)
    }

    /// About how many runs more would take the bound out of the interval, if value and spread stay
    /// as they are: half widths shrink with the square root of the number of runs.
    fn more(&self, value: f64, interval: Interval, runs: usize) -> Option<u64> {
        let shortest = [self.min, self.max].into_iter().flatten().filter_map(|bound| {
            if !(interval.low..=interval.high).contains(&bound) {
                return None;
            }
            let half = if bound < value { value - interval.low } else { interval.high - value };
            let needed = runs as f64 * (half / (bound - value)).powi(2);
            Some((needed - runs as f64).ceil().max(1.0))
        });
        let more = shortest.fold(0.0, f64::max);
        (more > 0.0 && more <= MOST_MORE).then_some(more as u64)
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TargetVerdict::{Met, Missed, NotMeasured, Undecided};

    fn measure(value: f64, ends: Option<(f64, f64)>, runs: usize) -> Measure {
        let interval = ends.map(|(low, high)| Interval { low, high });
        Measure { figure: Figure { value: Some(value), interval }, runs, needs: Some(5) }
    }

    #[test]
    fn the_whole_interval_decides() {
        let most = Bound { max: Some(500.0), ..Bound::default() };
        let least = Bound { min: Some(500.0), ..Bound::default() };
        let between = Bound { min: Some(400.0), max: Some(500.0) };
        for (ends, of_most, of_least, of_between) in [
            ((410.0, 490.0), Met, Missed, Met),
            ((510.0, 590.0), Missed, Met, Missed),
            ((310.0, 390.0), Met, Missed, Missed),
            ((410.0, 500.0), Met, Undecided(None), Met),
        ] {
            let found = measure(f64::midpoint(ends.0, ends.1), Some(ends), 10);
            let is = |bound: &Bound, expected| match (bound.judge(&found), expected) {
                (Undecided(_), Undecided(_)) => true,
                (found, expected) => found == expected,
            };
            assert!(is(&most, of_most) && is(&least, of_least) && is(&between, of_between));
        }
        assert_eq!(between.to_string(), "400 to 500");
    }

    #[test]
    fn how_many_more_runs_would_decide() {
        // Half the width is 20, the bound 10 away: four times the runs, thirty more than ten.
        let most = Bound { max: Some(500.0), ..Bound::default() };
        assert_eq!(most.judge(&measure(490.0, Some((470.0, 510.0)), 10)), Undecided(Some(30)));
        // The side on which the bound lies counts: 510 - 490, not 490 - 400.
        assert_eq!(most.judge(&measure(490.0, Some((400.0, 510.0)), 10)), Undecided(Some(30)));
        // The value is the bound itself, or as good as that.
        assert_eq!(most.judge(&measure(500.0, Some((490.0, 510.0)), 10)), Undecided(None));
        assert_eq!(most.judge(&measure(499.99, Some((490.0, 510.0)), 10)), Undecided(None));
        assert_eq!(most.judge(&measure(100.0, None, 2)), Undecided(Some(3)));
    }

    #[test]
    fn what_has_no_interval_and_what_has_no_value() {
        let most = Bound { max: Some(2.0), ..Bound::default() };
        let once =
            |value| Measure { figure: Figure { value, interval: None }, runs: 1, needs: None };
        assert_eq!(most.judge(&once(Some(1.0))), Met);
        assert_eq!(most.judge(&once(Some(3.0))), Missed);
        assert_eq!(most.judge(&once(None)), NotMeasured);
        assert_eq!(most.judge(&once(Some(f64::NAN))), NotMeasured);
        // A 99th percentile of ten requests.
        let p99 = Measure { runs: 10, needs: Some(299), ..once(None) };
        assert_eq!(most.judge(&p99), Undecided(Some(289)));
        assert_eq!(most.judge(&Measure { runs: 0, ..p99 }), NotMeasured);
    }
}
