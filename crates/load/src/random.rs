//! Random numbers of the distributions that loads are made of. The generator is `record`'s
//! SplitMix64, so a seed means the same load everywhere.

use pacemark_record::rng::SplitMix64;
use std::f64::consts::PI;

/// From 0 (exclusive) to 1 (inclusive), in steps of 2⁻⁵³: its logarithm is finite.
pub(crate) fn unit(rng: &mut SplitMix64) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// Exponential with mean 1, by inversion.
pub(crate) fn exponential(rng: &mut SplitMix64) -> f64 {
    -unit(rng).ln()
}

/// Normal with mean 0 and standard deviation 1: Box and Muller, "A note on the generation of random
/// normal deviates", Annals of Mathematical Statistics 29 (1958). Its second value is not kept, so
/// that each call takes two numbers.
pub(crate) fn normal(rng: &mut SplitMix64) -> f64 {
    let radius = (-2.0 * unit(rng).ln()).sqrt();
    radius * (2.0 * PI * unit(rng)).cos()
}

/// Gamma with mean and variance `shape` (> 0): Marsaglia and Tsang, "A simple method for generating
/// gamma variables", ACM TOMS 26 (2000), with their boost for shapes below 1.
pub(crate) fn gamma(rng: &mut SplitMix64, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = unit(rng).powf(1.0 / shape);
        return gamma(rng, shape + 1.0) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && unit(rng).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 40_000;

    /// Largest distance between the sample's distribution and `cdf` (Kolmogorov and Smirnov).
    fn distance(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
        sample.sort_by(f64::total_cmp);
        let n = sample.len() as f64;
        let at = |(i, x): (usize, &f64)| {
            (cdf(*x) - i as f64 / n).abs().max((cdf(*x) - (i + 1) as f64 / n).abs())
        };
        sample.iter().enumerate().map(at).fold(0.0, f64::max)
    }

    fn sample(mut of: impl FnMut(&mut SplitMix64) -> f64) -> Vec<f64> {
        let mut rng = SplitMix64::new(7);
        (0..N).map(|_| of(&mut rng)).collect()
    }

    /// One in a thousand samples lies further away.
    fn critical() -> f64 {
        1.95 / (N as f64).sqrt()
    }

    #[test]
    fn closed_forms() {
        assert!(distance(sample(unit), |x| x.clamp(0.0, 1.0)) < critical());
        assert!(distance(sample(exponential), |x| 1.0 - (-x).exp()) < critical());
        // Erlang: shape 3 has 1 − e^−x (1 + x + x²/2); shape 1 is exponential; shape 1/2 is half
        // the square of a normal.
        let erlang = |x: f64| 1.0 - (-x).exp() * (1.0 + x + x * x / 2.0);
        assert!(distance(sample(|rng| gamma(rng, 3.0)), erlang) < critical());
        assert!(distance(sample(|rng| gamma(rng, 1.0)), |x| 1.0 - (-x).exp()) < critical());
        let half: Vec<f64> =
            sample(|rng| gamma(rng, 0.5)).iter().map(|x| (2.0 * x).sqrt()).collect();
        assert!(distance(half, |z| 2.0 * normal_cdf(z) - 1.0) < critical());
        assert!(distance(sample(normal), normal_cdf) < critical());
        assert!(
            distance(sample(normal), |x| normal_cdf(x - 0.05)) > critical(),
            "the test can fail"
        );
    }

    /// By Simpson's rule from 0.
    fn normal_cdf(x: f64) -> f64 {
        const PIECES: usize = 200;
        let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * PI).sqrt();
        let step = x / PIECES as f64;
        let inner: f64 = (1..PIECES)
            .map(|i| density(i as f64 * step) * if i % 2 == 1 { 4.0 } else { 2.0 })
            .sum();
        0.5 + (density(0.0) + inner + density(x)) * step / 3.0
    }
}
