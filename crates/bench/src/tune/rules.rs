//! When a race is decided: at which rounds it is looked at, and how sure it must be then.
//!
//! Two settings that are the same must not be told apart, however often one looks and however many
//! there are. So the 5 % that may go wrong in a whole race are shared out evenly over all looks and
//! all pairs of settings (Bonferroni): the chance that any setting is dropped for another that is no
//! better is at most that. Looks are few, and further apart the later they are, so that a share is
//! not too small.

use super::Aim;
use pacemark_record::Objective;
use std::time::Duration;

/// How settings are raced.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What is to be as large as it can be.
    pub objective: Objective,
    /// What has to be kept.
    pub aims: Vec<Aim>,
    /// The largest mean divergence from the default setting's predictions, nats.
    pub max_kld: f64,
    /// Differences below this are of no consequence, as a share.
    pub resolution: f64,
    /// Rounds before anything is decided.
    pub min_rounds: usize,
    /// Rounds at most.
    pub max_rounds: usize,
    /// The race ends after the round in which so much time has passed.
    pub max_time: Duration,
}

/// The share of races that may be decided wrongly.
pub(super) const ERROR: f64 = 0.05;

/// Rounds after which the first look is taken, at least: fewer say nothing of the spread.
pub const LEAST_ROUNDS: usize = 4;

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            objective: Objective::Throughput,
            aims: Vec::new(),
            max_kld: 0.05,
            resolution: 0.01,
            min_rounds: 6,
            max_rounds: 40,
            max_time: Duration::from_secs(30 * 60),
        }
    }
}

impl Rules {
    /// Rounds after which it is looked at: even ones, so that each setting went as often before
    /// another as behind it, a quarter further apart each time; and the last.
    pub(super) fn looks(&self) -> Vec<usize> {
        let even = |round: usize| round.next_multiple_of(2);
        let mut looks = Vec::new();
        let mut round = even(self.min_rounds.max(LEAST_ROUNDS));
        while round < self.max_rounds {
            looks.push(round);
            round = even(round + (round / 4).max(1));
        }
        looks.push(self.max_rounds.max(LEAST_ROUNDS));
        looks
    }

    /// The chance of a wrong verdict on one of `n` settings at one look.
    pub(super) fn error_of_pair(&self, n: usize) -> f64 {
        let pairs = (n * n.saturating_sub(1) / 2).max(1);
        ERROR / (pairs * self.looks().len()) as f64
    }

    /// The same of one setting and its targets at one look.
    pub(super) fn error_of_look(&self) -> f64 {
        ERROR / (self.looks().len() * self.aims.len().max(1)) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_even_and_further_apart_the_later() {
        let rules = |min_rounds, max_rounds| Rules { min_rounds, max_rounds, ..Rules::default() };
        assert_eq!(Rules::default().looks(), [6, 8, 10, 12, 16, 20, 26, 32, 40]);
        assert_eq!(rules(1, 7).looks(), [4, 6, 7]);
        assert_eq!(rules(9, 9).looks(), [9], "the last, even where it is odd");
        let pair = rules(6, 40).error_of_pair(4);
        assert!((pair - 0.05 / (6.0 * 9.0)).abs() < 1e-15);
        assert_eq!(rules(6, 40).error_of_pair(1), 0.05 / 9.0);
    }
}
