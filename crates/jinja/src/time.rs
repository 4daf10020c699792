//! `strftime_now`: the date for templates that tell it to the model. In UTC, so that a prompt does
//! not depend on where it is made.

use crate::error::{Result, failure};
use crate::value::text::Buffer;
use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment by the calendar.
struct Moment {
    year: i64,
    /// 1 to 12.
    month: i64,
    day: i64,
    /// 0 is Sunday.
    weekday: i64,
    /// 1 to 366.
    day_of_year: i64,
    /// 0 to 86 399.
    second_of_day: i64,
}

impl Moment {
    /// Days to date by H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in
    /// March, eras have 400 years.
    fn new(time: SystemTime) -> Moment {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let days = seconds.div_euclid(86_400);
        let from_march_0000 = days + 719_468;
        let era = from_march_0000.div_euclid(146_097);
        let day_of_era = from_march_0000.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_march_year =
            day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_march_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        Moment {
            year,
            month,
            day: day_of_march_year - (153 * march_month + 2) / 5 + 1,
            weekday: (days + 4).rem_euclid(7),
            day_of_year: if month > 2 {
                day_of_march_year + 60 + leap
            } else {
                day_of_march_year - 305
            },
            second_of_day: seconds.rem_euclid(86_400),
        }
    }
}

/// Writes `time` as Python's `strftime` does: the directives that are numbers and English names.
/// `%-d` is without the zero.
pub(crate) fn format(time: SystemTime, format: &str, out: &mut Buffer<'_>) -> Result<()> {
    let moment = Moment::new(time);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c)?;
            continue;
        }
        let mut directive = chars.next();
        let padded = directive != Some('-');
        if !padded {
            directive = chars.next();
        }
        let written = directive.and_then(|directive| written(&moment, directive, padded));
        out.push_str(
            &written.ok_or_else(|| failure("strftime_now: unknown directive in the format"))?,
        )?;
    }
    Ok(())
}

/// What stands for a directive, if it is known.
fn written(moment: &Moment, directive: char, padded: bool) -> Option<String> {
    let name = |names: &[&'static str], at: i64| names.get(at as usize).copied();
    let short = |name: &str| name.get(..3).map(str::to_owned);
    let number = |directive| written(moment, directive, true);
    let hour = moment.second_of_day / 3600;
    let (value, width) = match directive {
        'Y' => (moment.year, 4),
        'y' => (moment.year % 100, 2),
        'm' => (moment.month, 2),
        'd' => (moment.day, 2),
        'j' => (moment.day_of_year, 3),
        'H' => (hour, 2),
        'I' => ((hour + 11) % 12 + 1, 2),
        'M' => (moment.second_of_day / 60 % 60, 2),
        'S' => (moment.second_of_day % 60, 2),
        'w' => (moment.weekday, 1),
        'u' => ((moment.weekday + 6) % 7 + 1, 1),
        'e' => return Some(format!("{:>2}", moment.day)),
        'A' => return name(&DAYS, moment.weekday).map(str::to_owned),
        'a' => return name(&DAYS, moment.weekday).and_then(short),
        'B' => return name(&MONTHS, moment.month - 1).map(str::to_owned),
        'b' | 'h' => return name(&MONTHS, moment.month - 1).and_then(short),
        'p' => return Some(if hour < 12 { "AM" } else { "PM" }.to_owned()),
        'F' => return Some(format!("{}-{}-{}", number('Y')?, number('m')?, number('d')?)),
        'D' => return Some(format!("{}/{}/{}", number('m')?, number('d')?, number('y')?)),
        'T' => return Some(format!("{}:{}:{}", number('H')?, number('M')?, number('S')?)),
        'R' => return Some(format!("{}:{}", number('H')?, number('M')?)),
        '%' => return Some("%".to_owned()),
        _ => return None,
    };
    let width = if padded { width } else { 1 };
    Some(format!("{value:0width$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Budget, Limits};
    use std::time::Duration;

    fn at(seconds: u64, template: &str) -> Result<String> {
        let budget = Budget::new(Limits::default());
        let mut out = Buffer::new(&budget);
        format(UNIX_EPOCH + Duration::from_secs(seconds), template, &mut out)?;
        Ok(out.into_string())
    }

    #[test]
    fn as_python_writes_it() {
        // datetime.fromtimestamp(t, UTC).strftime(…)
        let cases = [
            (0, "%d %b %Y %H:%M:%S %A %j", "01 Jan 1970 00:00:00 Thursday 001"),
            (
                951_825_599,
                "%A, %-d %B %y %I:%M %p %w %u %e %%",
                "Tuesday, 29 February 00 11:59 AM 2 2 29 %",
            ),
            (1_735_689_599, "%Y-%m-%d %j %a", "2024-12-31 366 Tue"),
            (
                4_107_542_400,
                "%Y-%m-%d %j %F %D %T %R %e",
                "2100-03-01 060 2100-03-01 03/01/00 00:00:00 00:00  1",
            ),
        ];
        for (seconds, template, expected) in cases {
            assert_eq!(at(seconds, template).unwrap(), expected);
        }
    }

    #[test]
    fn unknown_directives_are_refused() {
        for template in ["%Q", "%", "%-"] {
            assert!(at(0, template).is_err(), "{template}");
        }
    }
}
