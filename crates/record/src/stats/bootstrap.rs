//! Confidence intervals by resampling.

use super::describe::{mean, quantile, sample_sd};
use crate::rng::SplitMix64;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use std::cell::RefCell;

/// The method's name, for every place that shows one of its intervals.
pub const BOOTSTRAP: &str = "expanded percentile bootstrap of the mean, 10000 resamples, seed 0, or Student's t where that is \
    wider";

const RESAMPLES: usize = 10_000;

/// Samples whose draws are kept for the next figure: below 256, and a few hundred kilobytes.
const FEW: usize = 32;

/// Fewer samples than this give no interval: at four it would cover barely 85 %.
const MIN_SAMPLES: usize = 5;

/// An interval in the unit of the samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// What lies in either.
    pub(super) fn joined(self, other: Interval) -> Interval {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

/// Interval for the mean of the population at level `confidence`; `None` for fewer than five
/// samples.
///
/// At each end the wider of two. The percentile bootstrap (Efron 1979) with its levels widened for
/// small samples, the "expanded percentile interval" of Hesterberg, "What teachers should know about
/// the bootstrap", The American Statistician 69 (2015): α/2 becomes Φ(−√(n/(n−1)) · t(1−α/2; n−1)).
/// And Student's: a bootstrap of five values cannot go beyond the least and the greatest of them, and
/// covers 92 % where Student's covers 95. Of skewed or two-peaked samples the bootstrap is the one
/// that covers more. `tests/simulation.rs` has how often both together do.
pub fn mean_interval(samples: &[f64], confidence: f64) -> Option<Interval> {
    let n = samples.len();
    if n < MIN_SAMPLES || samples.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let means = if n <= FEW { means_of_few(samples) } else { resampled_means(samples) };
    let expanded = expanded(means, n, confidence)?;
    Some(expanded.joined(student(samples, confidence)?))
}

fn resampled_means(samples: &[f64]) -> Vec<f64> {
    let (n, mut rng) = (samples.len(), SplitMix64::new(0));
    let mut resample = || (0..n).map(|_| samples[rng.below(n)]).sum::<f64>() / n as f64;
    (0..RESAMPLES).map(|_| resample()).collect()
}

/// The same. Every figure of `n` samples draws the same ones, since the seed is: a page of hundreds of
/// figures need not draw anew for each.
fn means_of_few(samples: &[f64]) -> Vec<f64> {
    thread_local! {
        /// Of how many samples, and which.
        static DRAWN: RefCell<(usize, Vec<u8>)> = const { RefCell::new((0, Vec::new())) };
    }
    let n = samples.len();
    DRAWN.with_borrow_mut(|(of, drawn)| {
        if *of != n {
            let mut rng = SplitMix64::new(0);
            drawn.clear();
            drawn.extend((0..RESAMPLES * n).map(|_| rng.below(n) as u8));
            *of = n;
        }
        let mean =
            |drawn: &[u8]| drawn.iter().map(|&at| samples[usize::from(at)]).sum::<f64>() / n as f64;
        drawn.chunks_exact(n).map(mean).collect()
    })
}

/// The interval that resampled means of `n` independent values give, its levels widened for small
/// `n`.
pub(super) fn expanded(mut means: Vec<f64>, n: usize, confidence: f64) -> Option<Interval> {
    let tail = expanded_tail(n, confidence);
    sort_ends(&mut means, tail);
    Some(Interval { low: quantile(&means, tail)?, high: quantile(&means, 1.0 - tail)? })
}

/// Puts in order what the quantiles at `tail` and 1 − `tail` are read from, with all below and above
/// those: the middle of thousands of means is nobody's business.
fn sort_ends(means: &mut [f64], tail: f64) {
    // One more at each side: a quantile lies between two.
    let end = (tail * means.len() as f64) as usize + 2;
    let Some(middle) = means.len().checked_sub(2 * end + 2) else {
        return means.sort_unstable_by(f64::total_cmp);
    };
    let (low, _, rest) = means.select_nth_unstable_by(end, f64::total_cmp);
    low.sort_unstable_by(f64::total_cmp);
    let (.., high) = rest.select_nth_unstable_by(middle, f64::total_cmp);
    high.sort_unstable_by(f64::total_cmp);
}

/// Student's interval for the mean (1908), at any level: far out in the tails, where the resamples
/// of a bootstrap are too few. `None` for fewer than two samples, or one that is not finite.
pub fn student_interval(samples: &[f64], confidence: f64) -> Option<Interval> {
    samples.iter().all(|x| x.is_finite()).then(|| student(samples, confidence))?
}

/// Student's interval (1908).
pub(super) fn student(samples: &[f64], confidence: f64) -> Option<Interval> {
    let (n, middle) = (samples.len(), mean(samples)?);
    let half = t_quantile(n, confidence) * sample_sd(samples)? / (n as f64).sqrt();
    Some(Interval { low: middle - half, high: middle + half })
}

/// The share cut off at each end.
fn expanded_tail(n: usize, confidence: f64) -> f64 {
    let scale = (n as f64 / (n - 1) as f64).sqrt();
    Normal::standard().cdf(-t_quantile(n, confidence) * scale)
}

/// The quantile of Student's distribution for a two-sided interval of `n` values.
fn t_quantile(n: usize, confidence: f64) -> f64 {
    StudentsT::new(0.0, 1.0, (n - 1) as f64)
        .map_or(f64::INFINITY, |student| student.inverse_cdf(0.5 + confidence / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_scipys() {
        // scipy 1.17: stats.norm.cdf(-sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1)).
        for (n, expected) in [
            (5, 0.000_954_100_551_88),
            (10, 0.008_550_639_024_41),
            (20, 0.015_880_829_920_35),
            (100, 0.023_064_387_207_09),
        ] {
            let found = expanded_tail(n, 0.95);
            assert!((found - expected).abs() < 1e-9, "n {n}: {found}");
        }
    }

    #[test]
    fn brackets_the_mean_and_repeats_exactly() {
        let samples = [98.0, 101.0, 100.0, 103.0, 97.0, 101.0, 99.0, 102.0];
        let interval = mean_interval(&samples, 0.95).unwrap();
        assert_eq!(mean_interval(&samples, 0.95), Some(interval));
        // scipy 1.17: stats.t.interval(0.95, 7, loc=mean(x), scale=stats.sem(x)); the bootstrap of
        // these is narrower.
        let student = student(&samples, 0.95).unwrap();
        assert!((student.low - 98.426_98).abs() < 1e-4 && (student.high - 101.823_02).abs() < 1e-4);
        assert!((interval.low - 98.43).abs() < 0.1 && (interval.high - 101.82).abs() < 0.1);
        assert!(interval.low <= student.low && interval.high >= student.high, "{interval:?}");
    }

    #[test]
    fn a_far_value_is_within_what_the_bootstrap_covers() {
        let samples = [1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0, 9.0];
        let (interval, student) =
            (mean_interval(&samples, 0.95).unwrap(), student(&samples, 0.95).unwrap());
        assert!(interval.high > student.high, "{interval:?} {student:?}");
    }

    #[test]
    fn means_of_few_are_those_of_all() {
        for n in [5, 7, 5, FEW] {
            let samples: Vec<f64> = (0..n).map(|i| 1.0 / (i as f64 + 3.0)).collect();
            assert_eq!(means_of_few(&samples), resampled_means(&samples), "{n}");
        }
    }

    #[test]
    fn the_ends_of_means_are_those_of_all_in_order() {
        let mut rng = SplitMix64::new(3);
        for n in [1, 5, 9, 40, 1001, 10_000] {
            let means: Vec<f64> = (0..n).map(|_| rng.below(3000) as f64).collect();
            let mut sorted = means.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            for tail in [0.0, 0.000_954, 0.0231, 0.1, 0.3, 0.49] {
                let mut ends = means.clone();
                sort_ends(&mut ends, tail);
                for level in [tail, 1.0 - tail] {
                    assert_eq!(quantile(&ends, level), quantile(&sorted, level), "{n} {level}");
                }
            }
        }
    }

    #[test]
    fn few_or_equal_samples() {
        assert_eq!(mean_interval(&[1.0, 2.0, 3.0, 4.0], 0.95), None);
        assert_eq!(mean_interval(&[0.5; 6], 0.95), Some(Interval { low: 0.5, high: 0.5 }));
    }
}
