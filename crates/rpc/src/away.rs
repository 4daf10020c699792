//! The time in which at least one worker had its turn: the union of all turns.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Counts turns that are open at a time. Threads tell of ends a little after they were, so of two
/// workers an end may be told after a later beginning; the gap between is then counted too.
#[derive(Debug, Default)]
pub(crate) struct Away(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: usize,
    since: Option<Instant>,
    total_ns: u64,
}

impl Away {
    /// A turn begins.
    pub(crate) fn begin(&self, at: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.open == 0 {
            state.since = Some(at);
        }
        state.open += 1;
    }

    /// A turn that had begun ends.
    pub(crate) fn end(&self, at: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.open = state.open.saturating_sub(1);
        if state.open == 0
            && let Some(since) = state.since.take()
        {
            state.total_ns += ns(since, at);
        }
    }

    /// All of it until `now`, in nanoseconds.
    pub(crate) fn total_ns(&self, now: Instant) -> u64 {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.total_ns + state.since.map_or(0, |since| ns(since, now))
    }
}

/// From one to the other, or nothing where they are the other way round.
pub(crate) fn ns(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_overlaps_counts_once() {
        let start = Instant::now();
        let at = |ns| start + Duration::from_nanos(ns);
        let away = Away::default();
        away.begin(at(10));
        away.begin(at(20));
        away.end(at(30));
        assert_eq!(away.total_ns(at(35)), 25);
        away.end(at(50));
        assert_eq!(away.total_ns(at(90)), 40);
        away.begin(at(100));
        away.end(at(101));
        assert_eq!(away.total_ns(at(200)), 41);
    }
}
