//! Mean, spread and quantiles.

/// Arithmetic mean; `None` of nothing.
pub fn mean(samples: &[f64]) -> Option<f64> {
    (!samples.is_empty()).then(|| samples.iter().sum::<f64>() / samples.len() as f64)
}

/// Sample standard deviation, with n − 1 in the denominator (Bessel's correction); `None` for fewer
/// than two samples.
pub fn sample_sd(samples: &[f64]) -> Option<f64> {
    let mean = mean(samples)?;
    let squares: f64 = samples.iter().map(|x| (x - mean).powi(2)).sum();
    (samples.len() > 1).then(|| (squares / (samples.len() - 1) as f64).sqrt())
}

/// Standard deviation of the population, with n in the denominator: what other tools print behind
/// their ±. Ours have [`sample_sd`]. `None` of nothing.
pub fn population_sd(samples: &[f64]) -> Option<f64> {
    let mean = mean(samples)?;
    let squares: f64 = samples.iter().map(|x| (x - mean).powi(2)).sum();
    Some((squares / samples.len() as f64).sqrt())
}

/// The `p`-quantile of `sorted` (ascending), `p` from 0 to 1: type 7 of Hyndman and Fan, "Sample
/// quantiles in statistical packages", The American Statistician 50 (1996), the default of R and
/// NumPy. `None` of nothing.
pub fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = p.clamp(0.0, 1.0) * last as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(last);
    Some(sorted[low] + part * (sorted[high] - sorted[low]))
}

/// The median of samples in any order.
pub fn median(samples: &[f64]) -> Option<f64> {
    quantile(&sorted(samples), 0.5)
}

/// In ascending order.
pub(super) fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
        assert_eq!(sample_sd(&[1.0, 2.0, 6.0]), Some(7.0_f64.sqrt()));
        assert_eq!(sample_sd(&[1.0]), None);
        // numpy.std([1, 2, 6]) is sqrt(14 / 3).
        assert!((population_sd(&[1.0, 2.0, 6.0]).unwrap() - 2.160_246_899_469_287).abs() < 1e-12);
        assert_eq!((population_sd(&[4.0]), population_sd(&[])), (Some(0.0), None));
        assert_eq!(mean(&[]), None);
        assert_eq!(median(&[5.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([15, 20, 35, 40, 50], [0, 0.05, 0.4, 0.5, 0.9, 1]), NumPy 2.
        let sorted = [15.0, 20.0, 35.0, 40.0, 50.0];
        for (p, expected) in
            [(0.0, 15.0), (0.05, 16.0), (0.4, 29.0), (0.5, 35.0), (0.9, 46.0), (1.0, 50.0)]
        {
            let found = quantile(&sorted, p).unwrap();
            assert!((found - expected).abs() < 1e-12, "p = {p}: {found}");
        }
        assert_eq!(quantile(&[], 0.5), None);
    }
}
