//! Ratios of two things that were measured in turn.

use super::bootstrap::{Interval, mean_interval};
use super::describe::mean;

/// How ratio and interval of a [`PairedRatio`] are made, for every place that shows one.
pub const PAIRED_RATIO: &str = "geometric mean of the ratios of pairs; interval: expanded percentile bootstrap of its logarithm, \
    10000 resamples, seed 0, or Student's t where that is wider; from 16 pairs on over blocks of two (A B B A)";

/// From so many pairs on, blocks of two are what is resampled.
const BLOCKS_FROM: usize = 16;

/// A ratio over pairs of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedRatio {
    /// Geometric mean of `first / second`.
    pub ratio: f64,
    /// Where the ratio of the populations lies; `None` for fewer than five pairs.
    pub interval: Option<Interval>,
    /// Pairs.
    pub pairs: usize,
}

/// `first[i] / second[i]` over all pairs; what one side has more is left out. `None` without a pair
/// or where a sample is not above zero.
///
/// Pairs are neighbours in time, so that what slows the machine slows both and cancels. Ratios are
/// averaged as logarithms: first / second is then exactly the inverse of second / first (Fleming
/// and Wallace, "How not to lie with statistics", CACM 29, 1986).
///
/// What makes neighbours alike makes pairs alike, too: under noise that fades by half from one run to
/// the next, intervals over pairs call a difference that is not there in 7 % of cases in place of 5.
/// So two pairs (A B B A), within which a drift cancels, are one value where there are enough of them.
pub fn paired_ratio(first: &[f64], second: &[f64], confidence: f64) -> Option<PairedRatio> {
    let pairs = first.iter().zip(second);
    if !pairs.clone().all(|(a, b)| *a > 0.0 && *b > 0.0 && a.is_finite() && b.is_finite()) {
        return None;
    }
    let logs: Vec<f64> = pairs.map(|(a, b)| (a / b).ln()).collect();
    let ratio = mean(&logs)?.exp();
    let interval = match logs.len() {
        BLOCKS_FROM.. => mean_interval(&blocks_of_two(&logs), confidence),
        _ => mean_interval(&logs, confidence),
    };
    let interval = interval.map(|i| Interval { low: i.low.exp(), high: i.high.exp() });
    Some(PairedRatio { ratio, interval, pairs: logs.len() })
}

/// Means of two neighbours each; a last one without a partner is left out.
fn blocks_of_two(values: &[f64]) -> Vec<f64> {
    values.as_chunks().0.iter().map(|[a, b]| (a + b) / 2.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_is_the_inverse_and_common_noise_cancels() {
        // The machine halves its speed in the middle; the first is always 1.5 times the second,
        // give or take 2 %.
        let second = [10.0, 10.1, 5.0, 5.1, 9.9, 10.0];
        let first = [15.1, 15.0, 7.4, 7.7, 14.9, 15.0];
        let found = paired_ratio(&first, &second, 0.95).unwrap();
        let (low, high) = found.interval.map(|i| (i.low, i.high)).unwrap();
        assert!(
            (found.ratio - 1.5).abs() < 0.01 && low > 1.46 && high < 1.54 && found.pairs == 6,
            "{found:?}"
        );
        let inverse = paired_ratio(&second, &first, 0.95).unwrap();
        assert!((inverse.ratio * found.ratio - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_drift_cancels_within_blocks() {
        // Each run is 1 % slower than the one before, and nothing else differs: A B B A.
        let time = |run: usize| 1.01_f64.powi(run as i32);
        let of = |side: usize| (0..16).map(|i| time(2 * i + (i + side) % 2)).collect::<Vec<_>>();
        let found = paired_ratio(&of(0), &of(1), 0.95).unwrap();
        let interval = found.interval.unwrap();
        assert!((found.ratio - 1.0).abs() < 1e-9 && (interval.high - interval.low) < 1e-9);
    }

    #[test]
    fn what_cannot_be_a_ratio() {
        assert_eq!(paired_ratio(&[], &[1.0], 0.95), None);
        assert_eq!(paired_ratio(&[1.0, 0.0], &[1.0, 1.0], 0.95), None);
        assert_eq!(paired_ratio(&[1.0], &[f64::NAN], 0.95), None);
        // 2 and 8: geometric mean 4; too few for an interval. The third of the first side has no
        // partner.
        let found = paired_ratio(&[2.0, 8.0, 9.0], &[1.0, 1.0], 0.95).unwrap();
        assert!((found.ratio - 4.0).abs() < 1e-12 && found.interval.is_none() && found.pairs == 2);
    }
}
