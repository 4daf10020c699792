//! Statistics over raw samples: pure functions, each with the source of its formula.
//!
//! All take plain numbers in any unit and return the same unit. What a sample cannot support is
//! `None`.

mod block;
mod bootstrap;
mod change;
mod describe;
mod flags;
mod order;
mod paired;
mod share;

pub use block::{BLOCK_BOOTSTRAP, block_interval};
pub use bootstrap::{BOOTSTRAP, Interval, mean_interval, student_interval};
pub use change::{CHANGE_CONFIDENCE, CHANGE_POINTS, change_points};
pub use describe::{mean, median, population_sd, quantile, sample_sd};
pub use flags::{MIN_DRIFT, OUTLIER_SCORE, changed_speed, drift, outliers};
pub use order::{least_samples, quantile_interval, supported_quantile, tails};
pub use paired::{PAIRED_RATIO, PairedRatio, paired_ratio};
pub use share::{
    Change, PAIRED_DIFFERENCE, PairedDifference, SHARE, paired_difference, share_interval,
};

/// The level of every interval that is not asked for otherwise.
pub const CONFIDENCE: f64 = 0.95;
