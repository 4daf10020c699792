//! When requests of an open load arrive: at a constant rate, as a Poisson or a gamma process, at a
//! rate that rises.

use crate::random;
use pacemark_files::excerpt;
use pacemark_record::rng::SplitMix64;
use std::fmt;
use std::str::FromStr;

/// How arrivals are spread about their rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrival {
    /// Evenly.
    Constant,
    /// As independent users would come: exponential gaps.
    Poisson,
    /// In bursts (above 1) or more evenly (below 1): gamma-distributed gaps with this coefficient
    /// of variation.
    Gamma {
        /// Standard deviation over mean of the gaps.
        cv: f64,
    },
}

/// Rate over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// The same all the time, requests a second.
    Fixed(f64),
    /// From one rate to another, linearly over a time, then ended.
    Ramp {
        /// Requests a second at first.
        from: f64,
        /// Requests a second at the end.
        to: f64,
        /// Over this long.
        seconds: f64,
    },
}

/// Arrival times in nanoseconds from the beginning, ascending; endless but for a ramp.
#[derive(Clone, Debug)]
pub struct Arrivals {
    arrival: Arrival,
    rate: Rate,
    rng: SplitMix64,
    /// Sum of the gaps so far, as if the rate were 1.
    position: f64,
    first: bool,
}

impl Arrivals {
    /// Those of `seed`.
    pub fn new(arrival: Arrival, rate: Rate, seed: u64) -> Arrivals {
        Arrivals { arrival, rate, rng: SplitMix64::new(seed), position: 0.0, first: true }
    }

    /// A gap of mean 1.
    fn gap(&mut self) -> f64 {
        match self.arrival {
            // The first comes at once.
            Arrival::Constant => f64::from(u8::from(!std::mem::take(&mut self.first))),
            Arrival::Poisson => random::exponential(&mut self.rng),
            Arrival::Gamma { cv } => {
                let shape = 1.0 / (cv * cv);
                random::gamma(&mut self.rng, shape) / shape
            }
        }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    /// The time at which the rate's integral is the sum of the gaps (Lewis and Shedler, "Simulation
    /// of nonhomogeneous Poisson processes by thinning", 1979, name the inversion as the classical
    /// method).
    fn next(&mut self) -> Option<u64> {
        self.position += self.gap();
        let x = self.position;
        let seconds = match self.rate {
            Rate::Fixed(rate) => x / rate,
            Rate::Ramp { from, to, seconds } => {
                // from·t + slope·t²/2 = x
                let slope = (to - from) / seconds;
                let t = if slope == 0.0 {
                    x / from
                } else {
                    let root = from * from + 2.0 * slope * x;
                    // A falling rate may never reach x.
                    (root >= 0.0).then(|| (root.sqrt() - from) / slope)?
                };
                Some(t).filter(|t| *t <= seconds)?
            }
        };
        // An absurd rate has no more arrivals within our time.
        (seconds < 1e9).then_some((seconds * 1e9) as u64)
    }
}

impl FromStr for Arrival {
    type Err = String;

    fn from_str(text: &str) -> Result<Arrival, String> {
        match text.split_once(':') {
            None if text == "constant" => Ok(Arrival::Constant),
            None if text == "poisson" => Ok(Arrival::Poisson),
            Some(("gamma", cv)) => match cv.parse::<f64>() {
                Ok(cv) if (0.01..=100.0).contains(&cv) => Ok(Arrival::Gamma { cv }),
                _ => Err(format!(
                    "gamma:{}: expected a coefficient of variation from 0.01 to 100",
                    excerpt(cv)
                )),
            },
            _ => Err("expected constant, poisson or gamma:CV".to_owned()),
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arrival::Constant => f.write_str("constant"),
            Arrival::Poisson => f.write_str("poisson"),
            Arrival::Gamma { cv } => write!(f, "gamma:{cv}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(arrival: &str, rate: Rate, n: usize) -> Vec<f64> {
        Arrivals::new(arrival.parse().unwrap(), rate, 11)
            .take(n)
            .map(|ns| ns as f64 / 1e9)
            .collect()
    }

    /// Mean and coefficient of variation of the gaps.
    fn gaps(times: &[f64]) -> (f64, f64) {
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn means_and_spreads_of_the_gaps() {
        for (arrival, cv) in
            [("constant", 0.0), ("poisson", 1.0), ("gamma:0.5", 0.5), ("gamma:2", 2.0)]
        {
            let (mean, spread) = gaps(&times(arrival, Rate::Fixed(50.0), 40_000));
            // The mean of n gaps of spread cv is off by cv/√n; the spread itself by less than 5 %.
            assert!((mean * 50.0 - 1.0).abs() < 4.0 * cv / 200.0 + 1e-6, "{arrival}: {mean}");
            assert!((spread - cv).abs() < 0.05 * cv + 1e-6, "{arrival}: {spread}");
        }
        assert_eq!(times("constant", Rate::Fixed(4.0), 3), [0.0, 0.25, 0.5]);
    }

    #[test]
    fn counts_of_poisson_arrivals_are_poisson() {
        // In windows of a second, mean and variance are the rate: chi-square of 400 windows, 1 in
        // 1000 beyond.
        let times = times("poisson", Rate::Fixed(20.0), 9000);
        let mut counts = [0.0; 400];
        times.iter().filter(|t| **t < 400.0).for_each(|t| counts[*t as usize] += 1.0);
        let statistic: f64 = counts.iter().map(|n: &f64| (n - 20.0).powi(2) / 20.0).sum();
        assert!((300.0..=495.0).contains(&statistic), "{statistic}");
    }

    #[test]
    fn a_ramp_has_the_integral_of_its_rate() {
        // 10 to 30 a second over 10 s: 200 in all, a quarter of them less an eighth of the slope by
        // the middle: 75.
        let rate = Rate::Ramp { from: 10.0, to: 30.0, seconds: 10.0 };
        let up = times("constant", rate, 1000);
        assert_eq!(up.len(), 201);
        assert_eq!(up.iter().filter(|t| **t < 5.0).count(), 75);
        let down = times("constant", Rate::Ramp { from: 30.0, to: 0.0, seconds: 10.0 }, 1000);
        assert!((150..=151).contains(&down.len()), "{}", down.len());
        let poisson = times("poisson", rate, 1000);
        assert!((150..250).contains(&poisson.len()), "{}", poisson.len());
    }

    #[test]
    fn the_seed_decides() {
        let with = |seed| {
            Arrivals::new(Arrival::Poisson, Rate::Fixed(1.0), seed).take(5).collect::<Vec<_>>()
        };
        assert_eq!(with(3), with(3));
        assert_ne!(with(3), with(4));
    }

    #[test]
    fn words() {
        for good in ["constant", "poisson", "gamma:0.5"] {
            assert_eq!(good.parse::<Arrival>().unwrap().to_string(), good);
        }
        for wrong in ["", "gamma", "gamma:0", "gamma:nan", "uniform"] {
            assert!(wrong.parse::<Arrival>().is_err(), "{wrong}");
        }
    }
}
