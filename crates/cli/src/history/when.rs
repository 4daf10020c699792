//! Times as flags of the history have them: a date, or how long ago.

use crate::machine::now_unix_s;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Seconds of a unit.
const UNITS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];

/// A time that long ago, such as `90d`: seconds since 1970 UTC.
pub(crate) fn age(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds);
    let seconds = seconds.zip(number.parse::<u64>().ok()).and_then(|(unit, n)| unit.checked_mul(n));
    let seconds = seconds.ok_or("expected a time such as 12h, 90d or 2w")?;
    Ok(now_unix_s().saturating_sub(seconds))
}

/// A date, a date with a time (RFC 3339), or a time ago.
pub(crate) fn since(text: &str) -> Result<u64, String> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let time = day().or_else(|| text.parse::<Timestamp>().ok());
    match time {
        Some(time) => Ok(time.as_second().max(0).unsigned_abs()),
        None => age(text).map_err(|_| {
            "expected a date such as 2026-11-29, a time such as 2026-11-29T20:00:00Z, or how long \
             ago, such as 7d"
                .to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_ages() {
        assert_eq!(since("2026-09-24"), Ok(1_790_208_000));
        assert_eq!(since("2026-09-24T22:56:39Z"), Ok(1_790_290_599));
        assert_eq!(since("1960-01-01"), Ok(0));
        let hour_ago = now_unix_s() - 3600;
        assert!((hour_ago..hour_ago + 60).contains(&age("60m").unwrap()));
        assert_eq!(since("1h").map(|then| then / 60), age("1h").map(|then| then / 60));
        for wrong in ["", "d", "5", "-1d", "1.5h", "99999999999999999999d", "18446744073709551615w"]
        {
            assert!(age(wrong).is_err() && since(wrong).is_err(), "{wrong}");
        }
        assert!(since("yesterday").unwrap_err().contains("2026-11-29"));
    }
}
