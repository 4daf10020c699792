//! One figure of two sides, each measured in runs of its own: the ratio, where it lies, and what
//! that allows to say.
//!
//! The unit is a run, never a sample: values within a run share the state of the machine, so a
//! thousand of them are not a thousand measurements (Kalibera and Jones, "Rigorous benchmarking in
//! reasonable time", ISMM 2013). Runs that were taken in pairs are compared pair by pair; a single
//! run of each side by the intervals of their figures, which know nothing of what changed between
//! the runs.

use crate::stats::{CONFIDENCE, Interval, PAIRED_RATIO, paired_ratio};
use crate::{Better, Figure, Verdict};

/// How the interval of two single runs is made.
pub const UNPAIRED_RATIO: &str =
    "each figure's own 95 % interval, combined as logarithms (MOVER: Zou and Donner 2008)";

/// A figure of two sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Versus {
    /// Of what is compared with; of several runs the geometric mean.
    pub base: f64,
    /// Of what is compared.
    pub new: f64,
    /// `new / base`.
    pub ratio: f64,
    /// Where the ratio lies; `None` where the values do not bound it.
    pub interval: Option<Interval>,
    /// Pairs of runs; 0 where two single runs were compared.
    pub pairs: usize,
}

impl Versus {
    /// The runs of both sides, pair by pair: the first of one was measured beside the first of the
    /// other. `None` without a pair or where a value is not above zero.
    pub fn paired(base: &[f64], new: &[f64]) -> Option<Versus> {
        let found = paired_ratio(new, base, CONFIDENCE)?;
        let middle = |values: &[f64]| {
            let logs = values.iter().take(found.pairs).map(|value| value.ln());
            (logs.sum::<f64>() / found.pairs as f64).exp()
        };
        Some(Versus {
            base: middle(base),
            new: middle(new),
            ratio: found.ratio,
            interval: found.interval,
            pairs: found.pairs,
        })
    }

    /// A single run of each side. The interval is that of a difference of two independent estimates
    /// by the intervals of both (method of variance estimates recovery; Zou and Donner,
    /// "Construction of confidence limits about effect measures", Statistics in Medicine 27,
    /// 2008), here of logarithms. `None` where a value is not above zero.
    pub fn unpaired(base: &Figure, new: &Figure) -> Option<Versus> {
        let log = |value: f64| (value > 0.0 && value.is_finite()).then(|| value.ln());
        let (b, n) = (log(base.value?)?, log(new.value?)?);
        let ends = |figure: &Figure| {
            let interval = figure.interval?;
            log(interval.low).zip(log(interval.high))
        };
        let interval = ends(base).zip(ends(new)).map(|((b_low, b_high), (n_low, n_high))| {
            let below = (n - n_low).hypot(b_high - b);
            let above = (n_high - n).hypot(b - b_low);
            Interval { low: (n - b - below).exp(), high: (n - b + above).exp() }
        });
        Some(Versus { base: b.exp(), new: n.exp(), ratio: (n - b).exp(), interval, pairs: 0 })
    }

    /// What may be said of the new side.
    pub fn verdict(&self, better: Better) -> Verdict {
        Verdict::of(self.interval, better)
    }

    /// How the interval is made.
    pub fn method(&self) -> &'static str {
        if self.pairs > 0 { PAIRED_RATIO } else { UNPAIRED_RATIO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix64;
    use crate::stats::{mean, mean_interval};

    fn figure(value: f64, low: f64, high: f64) -> Figure {
        Figure { value: Some(value), interval: Some(Interval { low, high }) }
    }

    #[test]
    fn pairs_of_runs_are_the_unit() {
        // Two machines' worth of drift from pair to pair; the new side is 3 % lower in each.
        let base = [100.0, 80.0, 120.0, 90.0, 110.0, 95.0];
        let new = base.map(|value| value * 0.97);
        let found = Versus::paired(&base, &new).unwrap();
        assert!((found.ratio - 0.97).abs() < 1e-12 && found.pairs == 6, "{found:?}");
        assert_eq!(found.verdict(Better::Higher), Verdict::Slower);
        assert_eq!(found.verdict(Better::Lower), Verdict::Faster);
        let few = Versus::paired(&base[..3], &new).unwrap();
        assert_eq!((few.pairs, few.interval), (3, None));
        assert_eq!(few.verdict(Better::Higher), Verdict::TooFewPairs);
        assert_eq!(Versus::paired(&[], &new), None);
        assert_eq!(Versus::paired(&[0.0], &[1.0]), None);
    }

    #[test]
    fn two_intervals_become_one() {
        // By hand, where both are symmetric as logarithms: ± 0.03 and ± 0.04 make ± 0.05.
        let around = |log: f64| figure(1.0, (-log).exp(), log.exp());
        let found = Versus::unpaired(&around(0.03), &around(0.04)).unwrap();
        let interval = found.interval.unwrap();
        assert!((interval.high.ln() - 0.05).abs() < 1e-12, "{interval:?}");
        assert!((interval.low.ln() + 0.05).abs() < 1e-12, "{interval:?}");
        assert_eq!((found.ratio, found.pairs), (1.0, 0));
        let bare = Figure { value: Some(2.0), interval: None };
        let found = Versus::unpaired(&around(0.1), &bare).unwrap();
        assert_eq!((found.ratio, found.interval), (2.0, None));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let wrong = Figure { value: Some(wrong), interval: None };
            assert_eq!(Versus::unpaired(&bare, &wrong), None);
        }
    }

    #[test]
    fn the_interval_of_two_runs_covers() {
        // Means of 12 skewed values each, the true ratio 1.25: nominally 95 % of 600, of which three
        // standard errors are 2.7 %.
        let mut random = SplitMix64::new(7);
        let mut draw = |scale: f64| {
            let mut uniform = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
            let values: Vec<f64> =
                (0..12).map(|_| scale * (1.0 - 0.3 * (1.0 - uniform()).ln())).collect();
            Figure { value: mean(&values), interval: mean_interval(&values, CONFIDENCE) }
        };
        let covers = |found: &Versus| {
            found.interval.is_some_and(|interval| interval.low < 1.25 && 1.25 < interval.high)
        };
        let n = (0..600)
            .filter(|_| Versus::unpaired(&draw(4.0), &draw(5.0)).is_some_and(|f| covers(&f)))
            .count();
        let share = n as f64 / 600.0;
        assert!((0.923..=0.977).contains(&share), "{share}");
    }
}
