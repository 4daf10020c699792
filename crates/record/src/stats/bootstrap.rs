//! Confidence intervals by resampling.

use super::describe::quantile;
use crate::rng::SplitMix64;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The method's name, for every place that shows one of its intervals.
pub const BOOTSTRAP: &str = "expanded percentile bootstrap of the mean, 10000 resamples, seed 0";

const RESAMPLES: usize = 10_000;

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

/// Interval for the mean of the population at level `confidence`; `None` for fewer than five
/// samples.
///
/// The percentile bootstrap (Efron 1979) with its levels widened for small samples, the "expanded
/// percentile interval" of Hesterberg, "What teachers should know about the bootstrap", The
/// American Statistician 69 (2015): α/2 becomes Φ(−√(n/(n−1)) · t(1−α/2; n−1)). Simulated with
/// normal samples it covers, for a nominal 95 %: 91 % at n = 5, 93 % at 6, 95 % at 10 (the plain
/// percentile interval: 82, 86, 90 %).
pub fn mean_interval(samples: &[f64], confidence: f64) -> Option<Interval> {
    let n = samples.len();
    if n < MIN_SAMPLES || samples.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let mut rng = SplitMix64::new(0);
    let mut resample = || (0..n).map(|_| samples[rng.below(n)]).sum::<f64>() / n as f64;
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    let tail = expanded_tail(n, confidence);
    let (low, high) = (quantile(&means, tail)?, quantile(&means, 1.0 - tail)?);
    Some(Interval { low, high })
}

/// The share cut off at each end.
fn expanded_tail(n: usize, confidence: f64) -> f64 {
    let t = StudentsT::new(0.0, 1.0, (n - 1) as f64)
        .map_or(f64::INFINITY, |student| student.inverse_cdf(0.5 + confidence / 2.0));
    Normal::standard().cdf(-t * (n as f64 / (n - 1) as f64).sqrt())
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
        // Student's interval of the same samples: 100.125 ± 2.365 · 2.031 / √8, i.e. 98.43 to
        // 101.82.
        assert!(
            (interval.low - 98.43).abs() < 0.3 && (interval.high - 101.82).abs() < 0.3,
            "{interval:?}"
        );
    }

    #[test]
    fn few_or_equal_samples() {
        assert_eq!(mean_interval(&[1.0, 2.0, 3.0, 4.0], 0.95), None);
        assert_eq!(mean_interval(&[0.5; 6], 0.95), Some(Interval { low: 0.5, high: 0.5 }));
    }
}
