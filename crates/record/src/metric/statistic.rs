//! What is made of the values of a series, and what that adds to its name and its help.

/// What is made of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// The one value of a series that has one.
    Only,
    /// The arithmetic mean; its interval by [`crate::stats::BOOTSTRAP`].
    Mean,
    /// The sample standard deviation.
    StandardDeviation,
    /// A quantile, absent where the sample does not bound its interval.
    Quantile(f64),
    /// The least value.
    Least,
    /// The greatest value.
    Most,
    /// 1 − standard deviation / mean (metrics.md, rule 10).
    Stability,
    /// The last third of the values against the first, less 1.
    Drift,
    /// How many values lie far from the others ([`crate::stats::OUTLIER_SCORE`]).
    Outliers,
}

use Statistic::{Drift, Least, Mean, Most, Only, Outliers, Quantile, Stability, StandardDeviation};

impl Statistic {
    /// What it adds to a series' name.
    pub(super) fn suffix(self) -> String {
        match self {
            Only => String::new(),
            Mean => "_mean".to_owned(),
            StandardDeviation => "_sd".to_owned(),
            Quantile(p) => format!("_p{}", (p * 1e5).round() / 1e3),
            Least => "_min".to_owned(),
            Most => "_max".to_owned(),
            Stability => "_stability".to_owned(),
            Drift => "_drift".to_owned(),
            Outliers => "_outliers".to_owned(),
        }
    }

    /// What it adds to a series' line of help.
    pub(super) fn words(self) -> String {
        match self {
            Only => String::new(),
            Mean => ": mean".to_owned(),
            StandardDeviation => ": standard deviation of the sample".to_owned(),
            Quantile(0.5) => ": median".to_owned(),
            Quantile(p) => format!(": {}th percentile", (p * 1e5).round() / 1e3),
            Least => ": least".to_owned(),
            Most => ": most".to_owned(),
            Stability => ": 1 − standard deviation / mean".to_owned(),
            Drift => ": last third over the first, less 1".to_owned(),
            Outliers => ": values far from the others".to_owned(),
        }
    }
}
