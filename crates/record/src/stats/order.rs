//! Intervals for quantiles from the ranks of the sample alone, whatever the distribution.

use super::describe::quantile;

/// An interval that holds the `p`-quantile of the population with at least `confidence`, from
/// `sorted` samples.
///
/// Binomial order statistics: the number of samples below the quantile is binomial(n, p), so the
/// interval from the a-th to the b-th smallest sample holds the quantile with probability P(a ≤ K <
/// b) (David and Nagaraja, "Order Statistics", 3rd ed., 7.1). Of all such intervals the one over
/// the fewest ranks is taken. `None` where even the whole sample does not reach `confidence`: for
/// 95 %, fewer than 6 samples for the median, 299 for p99.
pub fn quantile_interval(sorted: &[f64], p: f64, confidence: f64) -> Option<(f64, f64)> {
    let (first, last) = rank_interval(sorted.len(), p, confidence)?;
    Some((sorted[first], sorted[last]))
}

/// The quantile, if the sample bounds its interval; a percentile that it can't bound is not to be
/// printed.
pub fn supported_quantile(sorted: &[f64], p: f64, confidence: f64) -> Option<f64> {
    rank_interval(sorted.len(), p, confidence)?;
    quantile(sorted, p)
}

/// The fewest samples that bound the `p`-quantile: the least n with `1 − p^n − (1 − p)^n ≥
/// confidence`. `None` where a million are too few.
pub fn least_samples(p: f64, confidence: f64) -> Option<usize> {
    (2..=1_000_000).find(|&n| 1.0 - p.powi(n) - (1.0 - p).powi(n) >= confidence).map(|n| n as usize)
}

/// Of `n` trials that succeed with probability `share`: P(K ≤ k) and P(K ≥ k), the tails of the
/// exact binomial test. Whether a quantile lies beyond a bound is one: of values that are above the
/// p-quantile there are binomial(n, 1 − p).
pub fn tails(k: usize, n: usize, share: f64) -> (f64, f64) {
    if n == 0 || k > n || !(share > 0.0 && share < 1.0) {
        return (1.0, 1.0);
    }
    let weights = binomial(n, share);
    (weights[..=k].iter().sum(), weights[k..].iter().sum())
}

/// Indices (from 0) of the samples that bound the quantile.
fn rank_interval(n: usize, p: f64, confidence: f64) -> Option<(usize, usize)> {
    if n < 2 || !(p > 0.0 && p < 1.0) {
        return None;
    }
    let weights = binomial(n, p);
    // K = 0 leaves the interval open below, K = n above: only 1..n can be covered by samples. The
    // binomial has one mode, so growing towards the larger neighbour gives the shortest run of
    // ranks.
    let mode = (((n + 1) as f64 * p) as usize).clamp(1, n - 1);
    let (mut low, mut high) = (mode, mode);
    let mut covered = weights[mode];
    while covered < confidence {
        let below = if low > 1 { weights[low - 1] } else { -1.0 };
        let above = if high < n - 1 { weights[high + 1] } else { -1.0 };
        if below < 0.0 && above < 0.0 {
            return None;
        }
        if above >= below {
            high += 1;
            covered += above;
        } else {
            low -= 1;
            covered += below;
        }
    }
    // a ≤ K < b with a = low and b = high + 1, as ranks from 1.
    Some((low - 1, high))
}

/// P(K = k) for k in 0..=n, by the ratio of neighbours outwards from the mode: no factorials, no
/// underflow where it counts.
fn binomial(n: usize, p: f64) -> Vec<f64> {
    let odds = p / (1.0 - p);
    let mode = (((n + 1) as f64 * p) as usize).min(n);
    let mut weights = vec![0.0; n + 1];
    weights[mode] = 1.0;
    for k in mode..n {
        weights[k + 1] = weights[k] * ((n - k) as f64 / (k + 1) as f64) * odds;
    }
    for k in (0..mode).rev() {
        weights[k] = weights[k + 1] * ((k + 1) as f64 / (n - k) as f64) / odds;
    }
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_scipys() {
        // scipy.stats.binom.pmf(k, n, p).
        for (n, p, k, expected) in [
            (10, 0.3, 3, 0.266_827_932),
            (299, 0.99, 299, 0.049_536_256_638),
            (640, 0.5, 320, 0.031_526_838_953),
        ] {
            let found = binomial(n, p)[k];
            assert!((found - expected).abs() < 1e-9, "n {n}, p {p}, k {k}: {found}");
        }
    }

    #[test]
    fn the_sample_sizes_that_bound_a_percentile() {
        for (p, needed) in [(0.5, 6), (0.9, 29), (0.99, 299)] {
            assert_eq!(rank_interval(needed - 1, p, 0.95), None, "p {p}");
            assert!(rank_interval(needed, p, 0.95).is_some(), "p {p}");
            assert_eq!(least_samples(p, 0.95), Some(needed));
        }
        assert_eq!(least_samples(1.0 - 1e-9, 0.95), None);
    }

    #[test]
    fn tails_of_the_binomial_test() {
        // By hand: 0.95^59 is the first below 5 %; three of three above a 95th percentile, 0.05^3.
        let below = |n| tails(0, n, 0.05).0;
        assert!(below(58) > 0.05 && below(59) < 0.05, "{} {}", below(58), below(59));
        assert!((tails(3, 3, 0.05).1 - 1.25e-4).abs() < 1e-12);
        assert_eq!(tails(0, 0, 0.05), (1.0, 1.0));
        let (low, high) = tails(5, 10, 0.5);
        assert!((low - high).abs() < 1e-12 && (low - 0.623_046_875).abs() < 1e-12, "{low}");
    }

    #[test]
    fn the_median_of_ten() {
        // Ranks 2 to 9 hold it with 97.85 %, 2 to 8 (or 3 to 9) with 93.5 %: by hand from the
        // binomial(10, 1/2).
        let sorted: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(quantile_interval(&sorted, 0.5, 0.95), Some((2.0, 9.0)));
        assert_eq!(supported_quantile(&sorted, 0.5, 0.95), Some(5.5));
        assert_eq!(supported_quantile(&sorted, 0.9, 0.95), None);
    }

    #[test]
    fn large_samples_neither_underflow_nor_take_long() {
        let (low, high) = rank_interval(100_000, 0.99, 0.95).unwrap();
        // Normal approximation: 99000 ± 1.96 · sqrt(990).
        assert!(
            (98_936..=98_941).contains(&low) && (99_058..=99_064).contains(&high),
            "{low} {high}"
        );
    }
}
