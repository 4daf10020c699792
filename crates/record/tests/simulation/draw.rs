//! Random samples of known populations, and noise of machines over time.

use pacemark_record::rng::SplitMix64;
use std::f64::consts::PI;

/// A source of samples.
pub(crate) struct Draw(SplitMix64);

impl Draw {
    /// One of its own for each seed.
    pub(crate) fn new(seed: u64) -> Draw {
        // Seeds that follow each other give sequences that do not.
        Draw(SplitMix64::new(SplitMix64::new(seed).next_u64()))
    }

    /// Between 0 and 1, neither of them.
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
    }

    /// Mean 0, standard deviation 1 (Box and Muller, 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let (a, b) = (self.uniform(), self.uniform());
        (-2.0 * a.ln()).sqrt() * (2.0 * PI * b).cos()
    }

    /// `n` values, each by `one`.
    pub(crate) fn list(&mut self, n: usize, one: impl Fn(&mut Draw) -> f64) -> Vec<f64> {
        (0..n).map(|_| one(self)).collect()
    }
}

/// A population whose mean is known.
#[derive(Clone, Copy)]
pub(crate) struct Population {
    pub(crate) name: &'static str,
    pub(crate) mean: fn() -> f64,
    pub(crate) one: fn(&mut Draw) -> f64,
}

/// Repetitions of a quiet machine.
pub(crate) const NORMAL: Population =
    Population { name: "normal", mean: || 0.0, one: Draw::normal };

/// A coefficient of variation of 25 %, skewness 0.8.
pub(crate) const SKEWED: Population = Population {
    name: "lognormal, σ 0.25",
    mean: || (0.25_f64 * 0.25 / 2.0).exp(),
    one: |draw| (0.25 * draw.normal()).exp(),
};

/// A coefficient of variation of 53 %, skewness 1.8.
pub(crate) const MORE_SKEWED: Population = Population {
    name: "lognormal, σ 0.5",
    mean: || (0.5_f64 * 0.5 / 2.0).exp(),
    one: |draw| (0.5 * draw.normal()).exp(),
};

/// A coefficient of variation of 131 %, skewness 6.2.
pub(crate) const MOST_SKEWED: Population =
    Population { name: "lognormal, σ 1", mean: || 0.5_f64.exp(), one: |draw| draw.normal().exp() };

/// Two speeds, ten deviations apart, equally often.
pub(crate) const TWO_PEAKS: Population = Population {
    name: "two peaks, 1 : 1",
    mean: || 5.0,
    one: |draw| draw.normal() + if draw.uniform() < 0.5 { 0.0 } else { 10.0 },
};

/// One of them four times as often.
pub(crate) const UNEVEN_PEAKS: Population = Population {
    name: "two peaks, 4 : 1",
    mean: || 2.0,
    one: |draw| draw.normal() + if draw.uniform() < 0.8 { 0.0 } else { 10.0 },
};

/// What a machine adds to the logarithm of a rate, run after run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noise {
    /// Runs know nothing of each other.
    Independent,
    /// One of two speeds.
    TwoSpeeds,
    /// It fades by this factor from one run to the next: autoregressive.
    Fading(f64),
    /// Another process begins at some time and takes 10 %.
    Step,
    /// It slows down by 10 % in all.
    Drift,
    /// Another process takes 10 %, twice, for one to three runs.
    Bursts,
}

impl Noise {
    /// Of `n` runs one after the other, with this standard deviation.
    pub(crate) fn of(self, draw: &mut Draw, n: usize, deviation: f64) -> Vec<f64> {
        let mut noise = draw.list(n, |draw| deviation * draw.normal());
        match self {
            Noise::Independent => {}
            Noise::TwoSpeeds => {
                noise.iter_mut().for_each(|x| {
                    *x = 0.2 * *x + if draw.uniform() < 0.5 { 1.0 } else { -1.0 } * deviation
                });
            }
            Noise::Fading(by) => {
                let rest = (1.0 - by * by).sqrt();
                (1..n).for_each(|i| noise[i] = by * noise[i - 1] + rest * noise[i]);
            }
            Noise::Step => {
                let from = draw.below(n);
                noise[from..].iter_mut().for_each(|x| *x -= 0.1);
            }
            Noise::Drift => {
                noise.iter_mut().enumerate().for_each(|(i, x)| *x -= 0.1 * i as f64 / n as f64);
            }
            Noise::Bursts => {
                for _ in 0..2 {
                    let (from, length) = (draw.below(n), 1 + draw.below(3));
                    noise.iter_mut().skip(from).take(length).for_each(|x| *x -= 0.1);
                }
            }
        }
        noise
    }
}
