//! Whose clock is whose: the engine's monotonic time put into ours.
//!
//! A question and its answer bound the engine's clock: it was read after the question was sent and before
//! the answer came. Of several the shortest round trip bounds it best (Cristian, Distributed Computing
//! 3, 1989). On one machine both clocks are mostly the same one; nothing here relies on that.

use std::time::{Duration, Instant};

/// How the engine's clock lies to ours.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// A moment of ours, and what the engine's clock showed then, nanoseconds.
    at: (Instant, u64),
    /// How far off that may be, either way.
    within: Duration,
}

impl Clock {
    /// From questions and answers: when each was asked, what was answered, when that came. `None`
    /// without any.
    pub fn of(asked: &[(Instant, u64, Instant)]) -> Option<Clock> {
        let (sent, ns, came) = asked.iter().min_by_key(|(sent, _, came)| *came - *sent)?;
        let within = (*came - *sent) / 2;
        Some(Clock { at: (*sent + within, *ns), within })
    }

    /// A moment of the engine's in our time.
    pub fn ours(&self, ns: u64) -> Instant {
        let (at, then) = self.at;
        match ns.checked_sub(then) {
            Some(later) => at.checked_add(Duration::from_nanos(later)).unwrap_or(at),
            None => at.checked_sub(Duration::from_nanos(then - ns)).unwrap_or(at),
        }
    }

    /// How far off [`Clock::ours`] may be, either way, when it was measured.
    pub fn within(&self) -> Duration {
        self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_counts() {
        let start = Instant::now();
        let ms = |n: u64| start + Duration::from_millis(n);
        // The engine's clock shows 1 s at our 10 ms.
        let engines = |our_ms: u64| 1_000_000_000 + our_ms * 1_000_000 - 10_000_000;
        let asked = [(ms(10), engines(29), ms(30)), (ms(40), engines(41), ms(42))];
        let clock = Clock::of(&asked).unwrap();
        assert_eq!(clock.within(), Duration::from_millis(1));
        assert_eq!(clock.ours(engines(100)), ms(100));
        assert_eq!(clock.ours(engines(15)), ms(15));
        // Before the system began there is no moment of ours.
        assert!(clock.ours(0) <= ms(10));
        assert!(Clock::of(&[]).is_none());
    }
}
