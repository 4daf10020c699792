//! What should make a reader look twice. Nothing is ever dropped.

use super::describe::{mean, median};

/// A sample this many scaled median absolute deviations from the median is flagged. hyperfine's threshold: with the few
/// repetitions of a benchmark the usual 3.5 flags ordinary noise.
pub const OUTLIER_SCORE: f64 = 10.0;

/// With fewer samples the median absolute deviation says nothing of the spread.
const MIN_SAMPLES: usize = 5;

/// Indices of outliers: |x − median| / (1.4826 · MAD) > [`OUTLIER_SCORE`], the modified Z-score of Iglewicz and Hoaglin, "How
/// to Detect and Handle Outliers" (1993). Of fewer than five samples none is flagged; where more than half of the samples are equal there is no scale, and no outlier.
pub fn outliers(samples: &[f64]) -> Vec<usize> {
    let Some(middle) = median(samples).filter(|_| samples.len() >= MIN_SAMPLES) else { return Vec::new() };
    let deviations: Vec<f64> = samples.iter().map(|x| (x - middle).abs()).collect();
    let Some(scale) = median(&deviations).map(|mad| 1.4826 * mad).filter(|scale| *scale > 0.0) else {
        return Vec::new();
    };
    (0..samples.len()).filter(|&i| deviations[i] / scale > OUTLIER_SCORE).collect()
}

/// Relative change from the mean of the first third to the mean of the last third, e.g. −0.03 for a 3 % fall. `None` for
/// fewer than three samples.
pub fn drift(samples: &[f64]) -> Option<f64> {
    let third = samples.len() / 3;
    let (first, last) = (mean(&samples[..third])?, mean(&samples[samples.len() - third..])?);
    (first != 0.0).then(|| last / first - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
