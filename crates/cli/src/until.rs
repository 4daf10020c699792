//! When there are enough repetitions, and times as flags have them.

use pacemark_bench::Repetitions;
use pacemark_record::Until;
use std::str::FromStr;

/// When there are enough repetitions.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct UntilArgs {
    /// Repeat until half the mean's 95 % interval is so narrow, e.g. 2%; at least as often as asked,
    /// and 5 times
    #[arg(long, value_name = "WIDTH", value_parser = width)]
    pub until: Option<f64>,
    /// With --until: end by then all the same, each test, e.g. 30s
    #[arg(long, value_name = "TIME", default_value = "2m", requires = "until", value_parser = str::parse::<Time>)]
    pub max_time: Time,
}

impl UntilArgs {
    /// At least `least` times, or until it is known well enough.
    pub(crate) fn repetitions(&self, least: usize) -> Repetitions {
        let until = self.until.map(|relative| Until { relative, max_time: self.max_time.0 });
        Repetitions { least: if until.is_some() { least.max(5) } else { least }, until }
    }
}

/// A share such as `2%` or `0.02`.
pub(crate) fn width(text: &str) -> Result<f64, String> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().ok().map(|number| number / scale);
    share
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| "expected a share of the mean such as 2% or 0.02".to_owned())
}

/// A time such as `500ms`, `30s`, `2m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Time(pub std::time::Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
        let expected = || "expected a time such as 500ms, 30s, 2m or 1h".to_owned();
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let unit = units
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, seconds)| *seconds)
            .ok_or_else(expected)?;
        let seconds = number.parse::<f64>().map_err(|_| expected())? * unit;
        // A day is more than any load needs, and far from what arithmetic on times can hold.
        if !(seconds > 0.0 && seconds <= 86_400.0) {
            return Err("expected more than 0 and at most 24h".to_owned());
        }
        Ok(Time(std::time::Duration::from_secs_f64(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        assert_eq!((width("2%"), width("0.02"), width("0.5 %")), (Ok(0.02), Ok(0.02), Ok(0.005)));
        for wrong in ["", "%", "0", "2", "100%", "-1%", "nan"] {
            assert!(width(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times() {
        let ms = |text: &str| text.parse::<Time>().map(|d| d.0.as_millis());
        assert_eq!(
            (ms("500ms"), ms("1.5s"), ms("2m"), ms("1h")),
            (Ok(500), Ok(1500), Ok(120_000), Ok(3_600_000))
        );
        for wrong in ["", "5", "s", "-1s", "0s", "nans", "25h", "1d"] {
            assert!(ms(wrong).is_err(), "{wrong}");
        }
    }
}
