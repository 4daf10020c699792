//! How many tokens prompts and answers have: fixed, or drawn from a distribution.

use crate::random;
use pacemark_files::excerpt;
use pacemark_record::rng::SplitMix64;
use std::fmt;
use std::str::FromStr;

/// More tokens than this are a mistake.
pub(crate) const MAX_TOKENS: u64 = 10_000_000;

/// A distribution of lengths. What is drawn is at least 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lengths {
    /// Always the same.
    Fixed(u64),
    /// Each from the first to the last, both included, equally often.
    Uniform(u64, u64),
    /// Mean and standard deviation, rounded.
    Normal(f64, f64),
    /// Mean and standard deviation of the length itself, not of its logarithm.
    LogNormal(f64, f64),
}

impl Lengths {
    /// The next length.
    pub fn draw(self, rng: &mut SplitMix64) -> u64 {
        let length = match self {
            Lengths::Fixed(n) => return n,
            Lengths::Uniform(from, to) => return from + rng.below((to - from + 1) as usize) as u64,
            Lengths::Normal(mean, sd) => mean + sd * random::normal(rng),
            Lengths::LogNormal(mean, sd) => {
                let variance = (1.0 + (sd / mean).powi(2)).ln();
                (mean.ln() - variance / 2.0 + variance.sqrt() * random::normal(rng)).exp()
            }
        };
        length.round().clamp(1.0, MAX_TOKENS as f64) as u64
    }
}

impl FromStr for Lengths {
    type Err = String;

    fn from_str(text: &str) -> Result<Lengths, String> {
        let expected = || {
            format!(
                "'{}': expected N, uniform:A..B, normal:MEAN,SD or lognormal:MEAN,SD",
                excerpt(text)
            )
        };
        let count = |text: &str| text.trim().parse().ok().filter(|n| (1..=MAX_TOKENS).contains(n));
        let Some((kind, rest)) = text.split_once(':') else {
            return count(text).map(Lengths::Fixed).ok_or_else(expected);
        };
        if kind == "uniform" {
            let (from, to) = rest.split_once("..").ok_or_else(expected)?;
            let range = count(from).zip(count(to)).filter(|(from, to)| from <= to);
            return range.map(|(from, to)| Lengths::Uniform(from, to)).ok_or_else(expected);
        }
        let (mean, sd) = rest.split_once(',').ok_or_else(expected)?;
        let number = |text: &str| {
            text.trim().parse::<f64>().ok().filter(|x| (0.0..=MAX_TOKENS as f64).contains(x))
        };
        let (mean, sd) =
            number(mean).filter(|mean| *mean >= 1.0).zip(number(sd)).ok_or_else(expected)?;
        match kind {
            "normal" => Ok(Lengths::Normal(mean, sd)),
            "lognormal" => Ok(Lengths::LogNormal(mean, sd)),
            _ => Err(expected()),
        }
    }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lengths::Fixed(n) => write!(f, "{n}"),
            Lengths::Uniform(from, to) => write!(f, "uniform:{from}..{to}"),
            Lengths::Normal(mean, sd) => write!(f, "normal:{mean},{sd}"),
            Lengths::LogNormal(mean, sd) => write!(f, "lognormal:{mean},{sd}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        for (text, mean, sd) in [
            ("7", 7.0, 0.0),
            // (b − a + 1)² − 1 over 12.
            ("uniform:10..20", 15.0, 10.0_f64.sqrt()),
            ("normal:200,30", 200.0, 30.0),
            ("lognormal:200,150", 200.0, 150.0),
        ] {
            let lengths: Lengths = text.parse().unwrap();
            assert_eq!(lengths.to_string(), text);
            let mut rng = SplitMix64::new(5);
            let drawn: Vec<f64> = (0..40_000).map(|_| lengths.draw(&mut rng) as f64).collect();
            let found = drawn.iter().sum::<f64>() / 40_000.0;
            let spread = (drawn.iter().map(|x| (x - found).powi(2)).sum::<f64>() / 40_000.0).sqrt();
            assert!((found - mean).abs() <= 4.0 * sd / 200.0, "{text}: {found}");
            assert!((spread - sd).abs() <= 0.05 * sd, "{text}: {spread}");
        }
    }

    #[test]
    fn the_ends_of_a_range_are_drawn() {
        let mut rng = SplitMix64::new(1);
        let drawn: Vec<u64> = (0..200).map(|_| Lengths::Uniform(2, 4).draw(&mut rng)).collect();
        assert!((2..=4).all(|n| drawn.contains(&n)) && drawn.iter().all(|n| (2..=4).contains(n)));
        assert!((0..200).all(|_| Lengths::Normal(1.0, 50.0).draw(&mut rng) >= 1));
    }

    #[test]
    fn mistakes_are_told() {
        for wrong in [
            "",
            "0",
            "-1",
            "uniform:5",
            "uniform:5..4",
            "uniform:0..4",
            "normal:5",
            "normal:nan,1",
            "x:1,2",
            "99999999999",
            "lognormal:0.5,1",
        ] {
            assert!(wrong.parse::<Lengths>().is_err(), "{wrong}");
        }
    }
}
