//! When to wait for requests that are about to come.
//!
//! Clients whose answers ended together send their next requests together, but one after the other.
//! A pass for the first alone would keep the others waiting, and put all out of step from then on:
//! each wave of requests would take a pass more.

use std::time::{Duration, Instant};

/// How long the next requests of clients whose answers have ended together are waited for.
const PATIENCE: Duration = Duration::from_millis(4);

/// What is known of requests to come.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    /// When requests ended last, and how many in that step.
    ended: Option<(Instant, usize)>,
    /// Requests that ended and that no others have followed yet.
    n_expected: usize,
}

impl Gather {
    /// `n` requests have ended in one step.
    pub(crate) fn ended(&mut self, n: usize, at: Instant) {
        self.ended = Some((at, n));
        self.n_expected += n;
    }

    /// A request has come.
    pub(crate) fn came(&mut self) {
        self.n_expected = self.n_expected.saturating_sub(1);
    }

    /// How long to wait for the next before the next step. The `n_running` under way wait too, so
    /// they must be fewer than those that are expected; and whoever is alone is never kept waiting
    /// for others.
    pub(crate) fn wait(&self, n_running: usize, now: Instant) -> Option<Duration> {
        let (at, _) = self.ended.filter(|(_, n)| *n > 1 && self.n_expected > n_running)?;
        Some(PATIENCE.saturating_sub(now.saturating_duration_since(at)))
            .filter(|wait| !wait.is_zero())
    }

    /// The step begins without those that have not come: they are not expected any more.
    pub(crate) fn give_up(&mut self, n_running: usize) {
        if self.n_expected > n_running {
            self.n_expected = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_waited_for_as_long_as_it_may_come() {
        let (mut gather, start) = (Gather::default(), Instant::now());
        assert_eq!(gather.wait(0, start), None);
        gather.ended(3, start);
        assert_eq!(gather.wait(0, start), Some(PATIENCE));
        gather.came();
        gather.came();
        assert_eq!(gather.wait(0, start + PATIENCE / 2), Some(PATIENCE / 2));
        assert_eq!(gather.wait(0, start + PATIENCE), None, "patience has an end");
        gather.came();
        assert_eq!(gather.wait(0, start), None, "all have come");
    }

    #[test]
    fn a_straggler_and_its_wave_are_brought_together() {
        let (mut gather, start) = (Gather::default(), Instant::now());
        gather.ended(1, start);
        assert_eq!(gather.wait(7, start), None, "seven do not wait for one");
        gather.ended(7, start);
        for _ in 0..7 {
            gather.came();
            assert!(gather.wait(0, start).is_some());
        }
        gather.came();
        assert_eq!(gather.wait(0, start), None);
    }

    #[test]
    fn nobody_waits_alone_or_for_those_that_did_not_come() {
        let (mut gather, start) = (Gather::default(), Instant::now());
        gather.ended(1, start);
        assert_eq!(gather.wait(0, start), None);
        gather.came();
        gather.ended(4, start);
        gather.give_up(0);
        gather.came();
        assert_eq!(gather.wait(0, start), None);
    }
}
