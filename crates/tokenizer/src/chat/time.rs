//! `strftime_now`: the date for templates that tell it to the model. In UTC, so that a prompt does not depend on where it is made.

use minijinja::{Error, ErrorKind};
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
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
    /// Days to date by H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, eras have 400 years.
    fn new(time: SystemTime) -> Moment {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let days = seconds.div_euclid(86_400);
        let from_march_0000 = days + 719_468;
        let era = from_march_0000.div_euclid(146_097);
        let day_of_era = from_march_0000.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_march_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_march_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        Moment {
            year,
            month,
            day: day_of_march_year - (153 * march_month + 2) / 5 + 1,
            weekday: (days + 4).rem_euclid(7),
            day_of_year: if month > 2 { day_of_march_year + 60 + leap } else { day_of_march_year - 305 },
            second_of_day: seconds.rem_euclid(86_400),
        }
    }
}

/// `time` as Python's `strftime` writes it: the directives that are numbers and English names. `%-d` is without the zero.
pub fn format(time: SystemTime, format: &str) -> Result<String, Error> {
    let moment = Moment::new(time);
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = chars.next();
        let padded = directive != Some('-');
        if !padded {
            directive = chars.next();
        }
        let unknown = || {
            let message = format!("strftime_now: unknown directive in {format:?}");
            Error::new(ErrorKind::InvalidOperation, message)
        };
        write_directive(&moment, directive.ok_or_else(unknown)?, padded, &mut out).ok_or_else(unknown)?;
    }
    Ok(out)
}

fn write_directive(moment: &Moment, directive: char, padded: bool, out: &mut String) -> Option<()> {
    let name = |names: &[&'static str], at: i64| names.get(at as usize).copied();
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
        text => {
            let (long, short) = (usize::MAX, 3);
            let (text, length) = match text {
                'A' => (name(&DAYS, moment.weekday)?, long),
                'a' => (name(&DAYS, moment.weekday)?, short),
                'B' => (name(&MONTHS, moment.month - 1)?, long),
                'b' => (name(&MONTHS, moment.month - 1)?, short),
                'p' => (if hour < 12 { "AM" } else { "PM" }, long),
                '%' => ("%", long),
                _ => return None,
            };
            out.push_str(text.get(..length).unwrap_or(text));
            return Some(());
        }
    };
    let width = if padded { width } else { 1 };
    write!(out, "{value:0width$}").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64, template: &str) -> String {
        format(UNIX_EPOCH + Duration::from_secs(seconds), template).unwrap()
    }

    #[test]
    fn as_python_writes_it() {
        // datetime.fromtimestamp(t, UTC).strftime(…)
        assert_eq!(at(0, "%d %b %Y %H:%M:%S %A %j"), "01 Jan 1970 00:00:00 Thursday 001");
        assert_eq!(at(951_825_599, "%A, %-d %B %y %I:%M %p %w %%"), "Tuesday, 29 February 00 11:59 AM 2 %");
        assert_eq!(at(1_735_689_599, "%Y-%m-%d %j %a"), "2024-12-31 366 Tue");
        assert_eq!(at(4_107_542_400, "%Y-%m-%d %j"), "2100-03-01 060");
    }

    #[test]
    fn unknown_directives_are_refused() {
        for template in ["%Q", "%", "%-"] {
            assert!(format(UNIX_EPOCH, template).is_err(), "{template}");
        }
    }
}
