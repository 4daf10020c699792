//! Whether later iterations differ from earlier ones by more than noise.

use super::figures::OUTPUT;
use pacemark_record::Trial;
use pacemark_record::stats::{CONFIDENCE, changed_speed, drift};

/// In fewer no order is rare enough to tell ([`changed_speed`]).
const LEAST: usize = 5;

/// The change of the rate over the iterations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    n: usize,
    /// The last third over the first, less 1.
    pub drift: Option<f64>,
    /// The same, where it is more than chance explains.
    pub beyond_noise: Option<f64>,
}

impl Trend {
    pub(super) fn of(trial: &Trial) -> Trend {
        let rates = (OUTPUT.of)(trial);
        let beyond_noise = changed_speed(&rates, CONFIDENCE);
        Trend { n: rates.len(), drift: drift(&rates), beyond_noise }
    }

    /// There are enough iterations to tell.
    pub(super) fn is_told(&self) -> bool {
        self.n >= LEAST
    }

    /// The verdict, in words.
    pub(super) fn verdict(&self) -> String {
        match (self.beyond_noise, self.drift) {
            (Some(change), _) => format!(
                "later iterations are {}: the last third was {} than the first, more than chance explains",
                if change < 0.0 { "slower" } else { "faster" },
                words(change)
            ),
            (None, _) if !self.is_told() => {
                format!(
                    "cannot be told from noise: it takes {LEAST} iterations, here are {}",
                    self.n
                )
            }
            (None, Some(change)) => {
                format!("none beyond noise: the last third was {} than the first", words(change))
            }
            (None, None) => "none".to_owned(),
        }
    }
}

fn words(change: f64) -> String {
    let direction = if change < 0.0 { "slower" } else { "faster" };
    format!("{:.1} % {direction}", change.abs() * 100.0)
}
