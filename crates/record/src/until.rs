//! How well a figure is to be known before its measurement may end (metrics.md, rule 6).

use crate::Steady;
use crate::stats::{CONFIDENCE, mean, mean_interval};
use std::time::Duration;

/// How well a mean is to be known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Until {
    /// Half the width of the mean's 95 % interval over the mean: 0.02 for 2 %.
    pub relative: f64,
    /// It ends by then all the same.
    pub max_time: Duration,
}

impl Until {
    /// Whether a relative half-width is narrow enough; an unknown one is not.
    pub fn is_met(&self, half_width: Option<f64>) -> bool {
        half_width.is_some_and(|width| width <= self.relative)
    }

    /// What is to be said of a figure of that name that is known to this share of it only; it was
    /// not measured on because its time was over, or for another reason.
    pub fn missed(&self, figure: &str, half_width: Option<f64>, by_time: bool) -> Option<String> {
        if self.is_met(half_width) {
            return None;
        }
        let wanted = 100.0 * self.relative;
        let why = if by_time { "--max-time ended it: " } else { "" };
        let found = match half_width {
            None => "not known".to_owned(),
            Some(width) => format!("known to {:.1} %, not to {wanted} %", 100.0 * width),
        };
        Some(format!("{why}the {figure} is {found}"))
    }
}

/// Half the width of the mean's interval over the mean.
pub fn half_width(values: &[f64]) -> Option<f64> {
    let interval = mean_interval(values, CONFIDENCE)?;
    Some((interval.high - interval.low) / 2.0 / mean(values)?.abs())
}

impl Steady {
    /// Half the width of the rate's interval over the rate.
    pub fn half_width(&self) -> Option<f64> {
        let interval = self.interval?;
        (self.tokens_per_second > 0.0)
            .then(|| (interval.high - interval.low) / 2.0 / self.tokens_per_second)
    }
}
