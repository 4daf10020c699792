//! Shares of items that are right or wrong, and differences of two things on the same items.

use super::bootstrap::{Interval, mean_interval};
use super::describe::mean;
use statrs::distribution::{ContinuousCDF, Normal};

/// How the interval of a share is made, for every place that shows one.
pub const SHARE: &str = "Wilson's score interval; of shares of answers, expanded percentile bootstrap of the mean, or Student's t where wider";

/// How a [`PairedDifference`] is made.
pub const PAIRED_DIFFERENCE: &str = "mean difference over items; interval: expanded percentile bootstrap, 10000 resamples, seed 0, \
    or Student's t where wider; p: McNemar's exact test";

/// Interval of the share `n_right` of `n` at level `confidence`: Wilson, "Probable inference, the law
/// of succession, and statistical inference", JASA 22 (1927). `None` without an item.
pub fn share_interval(n_right: usize, n: usize, confidence: f64) -> Option<Interval> {
    if n == 0 || n_right > n {
        return None;
    }
    let z = Normal::standard().inverse_cdf(0.5 + confidence / 2.0);
    let (n, p) = (n as f64, n_right as f64 / n as f64);
    let scale = 1.0 + z * z / n;
    let middle = (p + z * z / (2.0 * n)) / scale;
    let half = z / scale * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0) })
}

/// How much better the second of each pair is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// Mean of `second - first`.
    pub difference: f64,
    /// Where that of the populations lies; `None` for fewer than five pairs.
    pub interval: Option<Interval>,
    /// McNemar's exact p, where all values are 0 or 1.
    pub p: Option<f64>,
    /// Pairs.
    pub pairs: usize,
}

/// What may be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The second is better.
    Better,
    /// The second is worse.
    Worse,
    /// Neither is shown.
    NotDistinguishable,
    /// There is no interval.
    TooFewPairs,
}

impl Change {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Change::Better => "better",
            Change::Worse => "worse",
            Change::NotDistinguishable => "not distinguishable",
            Change::TooFewPairs => "too few pairs",
        }
    }
}

/// The difference over pairs; `None` without one.
pub fn paired_difference(pairs: &[(f64, f64)], confidence: f64) -> Option<PairedDifference> {
    let differences: Vec<f64> = pairs.iter().map(|(first, second)| second - first).collect();
    let is_two_valued = |value: f64| value == 0.0 || value == 1.0;
    let two_valued = pairs.iter().all(|(a, b)| is_two_valued(*a) && is_two_valued(*b));
    let count = |of: fn(f64) -> bool| differences.iter().filter(|d| of(**d)).count() as u64;
    Some(PairedDifference {
        difference: mean(&differences)?,
        interval: mean_interval(&differences, confidence),
        p: two_valued.then(|| mcnemar(count(|d| d > 0.0), count(|d| d < 0.0))),
        pairs: pairs.len(),
    })
}

impl PairedDifference {
    /// What may be said: the interval leaves zero out, and p is below `1 - confidence` where there is
    /// one, for the bootstrap of a few items that differ claims too much.
    pub fn change(&self, confidence: f64) -> Change {
        let Some(Interval { low, high }) = self.interval else { return Change::TooFewPairs };
        if self.p.is_some_and(|p| p >= 1.0 - confidence) || (low <= 0.0 && high >= 0.0) {
            return Change::NotDistinguishable;
        }
        if low > 0.0 { Change::Better } else { Change::Worse }
    }
}

/// Two-sided exact p of `gained` against `lost` items: the sign test of those that differ (McNemar
/// 1947, with the binomial in place of its approximation).
fn mcnemar(gained: u64, lost: u64) -> f64 {
    let (n, fewer) = (gained + lost, gained.min(lost));
    // Terms C(n, k) / 2^n by their logarithms: 2^n has no place in a float for n above 1,023.
    let mut ln_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=fewer {
        tail += ln_term.exp();
        ln_term += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17: `stats.binomtest(k, n).proportion_ci(method="wilson")`.
    #[test]
    fn wilsons_interval_is_scipys() {
        for (k, n, low, high) in [
            (50, 100, 0.403_831_530_366_0, 0.596_168_469_634_0),
            (0, 10, 0.0, 0.277_532_799_862_9),
            (10, 10, 0.722_467_200_137_1, 1.0),
            (3, 8, 0.136_844_285_823_6, 0.694_257_605_397_4),
        ] {
            let found = share_interval(k, n, 0.95).unwrap();
            assert!(
                (found.low - low).abs() < 1e-9 && (found.high - high).abs() < 1e-9,
                "{found:?}"
            );
        }
        assert_eq!(share_interval(0, 0, 0.95), None);
    }

    /// scipy 1.17: `stats.binomtest(k, n).pvalue`.
    #[test]
    fn mcnemars_p_is_the_binomial_tests() {
        for (gained, lost, p) in [
            (0, 0, 1.0),
            (5, 0, 0.0625),
            (0, 6, 0.03125),
            (9, 3, 0.145_996_093_75),
            (20, 5, 0.004_077_315_330_505),
            (700, 800, 0.010_559_255_466_7),
        ] {
            let found = mcnemar(gained, lost);
            assert!((found - p).abs() < 1e-9, "{gained} {lost}: {found}");
        }
    }

    #[test]
    fn a_few_items_that_differ_show_nothing() {
        let pairs = |gained: usize, lost: usize, same: usize| -> Vec<(f64, f64)> {
            let all = [vec![(0.0, 1.0); gained], vec![(1.0, 0.0); lost], vec![(1.0, 1.0); same]];
            all.concat()
        };
        let change = |pairs: &[(f64, f64)]| paired_difference(pairs, 0.95).unwrap().change(0.95);
        assert_eq!(change(&pairs(0, 0, 100)), Change::NotDistinguishable);
        // The interval alone leaves zero out; p is 0.0625.
        let five = paired_difference(&pairs(0, 5, 95), 0.95).unwrap();
        assert!(five.interval.unwrap().high < 0.0 && five.difference == -0.05);
        assert_eq!(five.change(0.95), Change::NotDistinguishable);
        assert_eq!(change(&pairs(0, 6, 94)), Change::Worse);
        assert_eq!(change(&pairs(9, 0, 50)), Change::Better);
        assert_eq!(change(&pairs(4, 0, 0)), Change::TooFewPairs);
        assert_eq!(paired_difference(&[], 0.95), None);
        let shares = [(0.25, 0.5), (0.0, 0.25), (0.5, 1.0), (0.25, 0.5), (0.5, 0.75), (0.1, 0.3)];
        let found = paired_difference(&shares, 0.95).unwrap();
        assert_eq!((found.p, found.change(0.95)), (None, Change::Better));
    }
}
