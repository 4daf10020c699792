//! Statistics over raw samples: pure functions, each with the source of its formula.
//!
//! All take plain numbers in any unit and return the same unit. What a sample cannot support is `None`.

mod bootstrap;
mod describe;
mod flags;
mod order;

pub use bootstrap::{BOOTSTRAP, Interval, mean_interval};
pub use describe::{mean, median, quantile, sample_sd};
pub use flags::{OUTLIER_SCORE, drift, outliers};
pub use order::{quantile_interval, supported_quantile};

/// The level of every interval that is not asked for otherwise.
pub const CONFIDENCE: f64 = 0.95;
