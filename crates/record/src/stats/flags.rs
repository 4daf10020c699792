//! What should make a reader look twice. Nothing is ever dropped.

use super::describe::{mean, median};
use crate::rng::SplitMix64;

/// A sample this many scaled median absolute deviations from the median is flagged. hyperfine's
/// threshold: with the few repetitions of a benchmark the usual 3.5 flags ordinary noise.
pub const OUTLIER_SCORE: f64 = 10.0;

/// With fewer samples the median absolute deviation says nothing of the spread.
const MIN_SAMPLES: usize = 5;

/// Indices of outliers: |x − median| / (1.4826 · MAD) > [`OUTLIER_SCORE`], the modified Z-score of
/// Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993). Of fewer than five samples
/// none is flagged; where more than half of the samples are equal there is no scale, and no
/// outlier.
pub fn outliers(samples: &[f64]) -> Vec<usize> {
    let Some(middle) = median(samples).filter(|_| samples.len() >= MIN_SAMPLES) else {
        return Vec::new();
    };
    let deviations: Vec<f64> = samples.iter().map(|x| (x - middle).abs()).collect();
    let Some(scale) = median(&deviations).map(|mad| 1.4826 * mad).filter(|scale| *scale > 0.0)
    else {
        return Vec::new();
    };
    (0..samples.len()).filter(|&i| deviations[i] / scale > OUTLIER_SCORE).collect()
}

/// Relative change from the mean of the first third to the mean of the last third, e.g. −0.03 for a
/// 3 % fall. `None` for fewer than three samples.
pub fn drift(samples: &[f64]) -> Option<f64> {
    let third = samples.len() / 3;
    let (first, last) = (mean(&samples[..third])?, mean(&samples[samples.len() - third..])?);
    (first != 0.0).then(|| last / first - 1.0)
}

/// Orders that are tried.
const PERMUTATIONS: usize = 4000;

/// A change of speed below this is of no consequence, however sure it is.
pub const MIN_DRIFT: f64 = 0.02;

/// The [`drift`] of rates, where it is more than chance explains: at least [`MIN_DRIFT`], with a
/// trend that fewer than 1 − `confidence` of all orders of the same samples would show. `None`
/// otherwise.
///
/// A permutation test (Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 3rd ed.,
/// 2005) of the covariance with the sample's number: it holds for any distribution and any number
/// of samples, and finds nothing in fewer than five, where no order is rare enough for 95 %.
pub fn changed_speed(rates: &[f64], confidence: f64) -> Option<f64> {
    let change = drift(rates).filter(|change| change.abs() >= MIN_DRIFT)?;
    let middle = (rates.len() - 1) as f64 / 2.0;
    let trend =
        |x: &[f64]| x.iter().enumerate().map(|(i, x)| (i as f64 - middle) * x).sum::<f64>().abs();
    // A hair below, so that the same order is counted whatever the rounding.
    let found = trend(rates) * (1.0 - 1e-12);
    let mut rng = SplitMix64::new(0);
    let mut order = rates.to_vec();
    let mut as_large = 1;
    for _ in 0..PERMUTATIONS {
        for i in (1..order.len()).rev() {
            order.swap(i, rng.below(i + 1));
        }
        as_large += usize::from(trend(&order) >= found);
    }
    ((as_large as f64) < (1.0 - confidence) * (PERMUTATIONS + 1) as f64).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_speed_is_more_than_noise() {
        assert_eq!(
            changed_speed(&[100.0, 98.0, 90.0, 82.0, 80.0, 81.0], 0.95).map(|d| d < -0.15),
            Some(true)
        );
        assert_eq!(
            changed_speed(&[80.0, 82.0, 90.0, 98.0, 101.0], 0.95).map(|d| d > 0.2),
            Some(true)
        );
        assert_eq!(changed_speed(&[100.0, 80.0, 101.0, 82.0, 99.0, 81.0], 0.95), None, "noise");
        assert_eq!(
            changed_speed(&[100.0, 100.1, 100.2, 100.3, 100.4], 0.95),
            None,
            "sure, but of no consequence"
        );
        assert_eq!(changed_speed(&[100.0, 90.0, 80.0, 70.0], 0.95), None, "too few");
    }

    #[test]
    fn noise_is_seldom_taken_for_a_change_of_speed() {
        let mut rng = SplitMix64::new(3);
        let mut uniform = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        for n in [5, 12] {
            // Twelve uniforms: as good as normal here. A spread of 5 %.
            let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            let mut rates = || (0..n).map(|_| 100.0 + 5.0 * normal()).collect::<Vec<f64>>();
            let found = (0..100).filter(|_| changed_speed(&rates(), 0.95).is_some()).count();
            assert!(found <= 8, "{found} of 100 at n = {n}");
        }
    }

    #[test]
    fn by_hand() {
        // Median 10, MAD 1, so the threshold is 14.826 away.
        assert_eq!(outliers(&[9.0, 10.0, 11.0, 9.0, 11.0, 10.0, 24.7]), [] as [usize; 0]);
        assert_eq!(outliers(&[9.0, 10.0, 11.0, 30.0, 9.0]), [3]);
        assert_eq!(outliers(&[5.0, 5.0, 5.0, 5.0, 9.0]), [] as [usize; 0]);
        assert_eq!(outliers(&[9.0, 10.0, 10.1, 30.0]), [] as [usize; 0]);
        assert_eq!(outliers(&[]), [] as [usize; 0]);
        assert_eq!(drift(&[4.0, 4.0, 7.0, 8.0, 3.0, 3.0]), Some(-0.25));
        assert_eq!(drift(&[10.0, 9.0]), None);
    }
}
