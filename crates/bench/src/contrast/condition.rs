//! A condition on a ratio, e.g. `decode_tps < 0.97`: what a gate fails on.

use super::{Contrast, Ratio};
use crate::named::Named;
use pacemark_files::quoted;
use std::str::FromStr;

/// Fails where a ratio, new over base, is below or above a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// As it was written.
    pub text: String,
    /// The figure.
    pub figure: Named,
    /// Fails below the limit; otherwise above it.
    pub below: bool,
    /// The limit.
    pub limit: f64,
}

/// What a condition came to in one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It holds: the whole interval lies beyond the limit, or, without an interval, the ratio does.
    Yes,
    /// It does not: neither the ratio nor the interval lies beyond the limit.
    No,
    /// The limit lies within the interval, so neither is shown.
    Unclear,
}

impl Condition {
    /// What it came to in each test that has the figure.
    pub fn held<'c>(&self, contrast: &'c Contrast) -> Vec<(&'c Ratio, Held)> {
        let of_figure = contrast.ratios.iter().filter(|ratio| ratio.figure == self.figure);
        of_figure.map(|ratio| (ratio, self.of(ratio))).collect()
    }

    fn of(&self, ratio: &Ratio) -> Held {
        let beyond = |value: f64| if self.below { value < self.limit } else { value > self.limit };
        let ends = ratio.versus.interval.map(|interval| [interval.low, interval.high]);
        match ends {
            None if beyond(ratio.versus.ratio) => Held::Yes,
            None => Held::No,
            Some(ends) if ends.into_iter().all(beyond) => Held::Yes,
            Some(ends) if ends.into_iter().any(beyond) => Held::Unclear,
            Some(_) => Held::No,
        }
    }

    /// `decode_tps 0.940 (0.931 to 0.949) of tg128`.
    pub fn told(&self, ratio: &Ratio) -> String {
        let unpaired = if ratio.versus.pairs == 0 { ", unpaired" } else { "" };
        let ends = ratio.versus.interval.map_or("no interval".to_owned(), |interval| {
            format!("95 %: {:.3} to {:.3}{unpaired}", interval.low, interval.high)
        });
        format!(
            "{}: {} of {} is {:.3} of what it was ({ends})",
            self.text,
            self.figure.name(),
            ratio.test,
            ratio.versus.ratio
        )
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let expected = || {
            format!(
                "{}: expected FIGURE < RATIO or FIGURE > RATIO, e.g. 'decode_tps < 0.97' or 'ttft_ms > 105%'",
                quoted(text)
            )
        };
        let at = text.find(['<', '>']).ok_or_else(expected)?;
        let (name, rest) = text.split_at(at);
        let limit = rest[1..].trim();
        let (number, scale) = match limit.strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 0.01),
            None => (limit, 1.0),
        };
        let limit = number.parse::<f64>().ok().map(|number| number * scale);
        let limit = limit.filter(|limit| *limit > 0.0 && limit.is_finite()).ok_or_else(expected)?;
        let figure = Named::parse(name)?;
        let below = rest.starts_with('<');
        Ok(Condition { text: text.trim().to_owned(), figure, below, limit })
    }
}
