//! What a page is asked for: the fields of its address, as forms send them.

use super::shell::Wrong;
use axum::extract::Query;
use axum::http::Uri;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pacemark_files::quoted;
use std::time::{SystemTime, UNIX_EPOCH};

/// Fields in an address at most.
const MOST: usize = 100;
/// Bytes of a field at most.
const LONGEST: usize = 1000;

/// Fields and their values, in order. What a form leaves empty is not there.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    /// Those of the part of an address after `?`.
    pub(super) fn read(query: &str) -> Result<Asked, Wrong> {
        let wrong = |_| Wrong::asked("the address is no address of a form");
        let uri: Uri = format!("/?{query}").parse().map_err(|_| wrong(()))?;
        let Query(mut fields) =
            Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| wrong(()))?;
        if fields.len() > MOST {
            let n = fields.len();
            return Err(Wrong::asked(format!("expected {MOST} fields at most, found {n}")));
        }
        if let Some((name, value)) = fields.iter().find(|(_, value)| value.len() > LONGEST) {
            let (name, n) = (quoted(name), value.len());
            let why = format!("{name}: expected {LONGEST} bytes at most, found {n}");
            return Err(Wrong::asked(why));
        }
        fields.retain(|(_, value)| !value.is_empty());
        Ok(Asked(fields))
    }

    /// Every field is one of these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Wrong> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) if known.is_empty() => {
                Err(Wrong::asked(format!("{}: this page has no fields", quoted(name))))
            }
            Some((name, _)) => {
                let known = known.join(", ");
                Err(Wrong::asked(format!("{}: expected one of {known}", quoted(name))))
            }
        }
    }

    /// The value of a field.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut of_name = self.0.iter().filter(|(known, _)| known == name);
        of_name.next().map(|(_, value)| value.as_str())
    }

    /// All values of a field that may stand several times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A number from 1 to `most`.
    pub(super) fn number(&self, name: &str, most: usize) -> Result<Option<usize>, Wrong> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|n| (1..=most).contains(n));
        number.map(Some).ok_or_else(|| {
            Wrong::asked(format!(
                "{name}: expected a number from 1 to {most}, found {}",
                quoted(text)
            ))
        })
    }

    /// A time, seconds since 1970 UTC: a date, a date with a time, or so many days ago.
    pub(super) fn since(&self, name: &str) -> Result<Option<u64>, Wrong> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
        let time = day().map(|day| day.timestamp()).or_else(|| text.parse::<Timestamp>().ok());
        let ago = || {
            let days: u64 = text.strip_suffix('d')?.parse().ok()?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
            Some(now.saturating_sub(days.checked_mul(86_400)?))
        };
        let seconds = time.map(|time| time.as_second().max(0).unsigned_abs()).or_else(ago);
        seconds.map(Some).ok_or_else(|| {
            let found = quoted(text);
            Wrong::asked(format!(
                "{name}: expected a date such as 2026-11-29, or days such as 7d, found {found}"
            ))
        })
    }

    /// An address with these fields, in which `name` has another value.
    pub(super) fn with(&self, path: &str, name: &str, value: &str) -> String {
        let others = self.0.iter().filter(|(known, _)| known != name);
        let pairs = others.map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Vec<String> = pairs
            .chain([(name, value)])
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        format!("{path}?{}", pairs.join("&"))
    }
}

/// A text as part of an address: what is not a letter, a digit or one of `-._~` as its bytes.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_addresses() {
        let asked = Asked::read("id=a&id=b&model=&tag=%3Cb%3E+c&since=2026-09-24&n=7").unwrap();
        assert_eq!(asked.all("id").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((asked.text("model"), asked.text("tag")), (None, Some("<b> c")));
        assert_eq!(asked.since("since").unwrap(), Some(1_790_208_000));
        assert_eq!((asked.number("n", 9).unwrap(), asked.number("m", 9).unwrap()), (Some(7), None));
        assert!(asked.number("n", 6).is_err() && asked.number("tag", 6).is_err());
        assert!(asked.only(&["id", "tag", "since"]).is_err());
        assert!(asked.only(&["id", "tag", "since", "n"]).is_ok());
        let with = Asked::read("a=%26&n=1").unwrap().with("/", "n", "2");
        assert_eq!(with, "/?a=%26&n=2");
        for wrong in ["1x", "d", "-1d", "yesterday", "99999999999999999999d", "2026-13-01"] {
            let asked = Asked::read(&format!("since={wrong}")).unwrap();
            assert!(asked.since("since").is_err(), "{wrong}");
        }
        assert!(Asked::read(&"a=1&".repeat(MOST + 1)).is_err());
        assert!(Asked::read(&format!("a={}", "x".repeat(LONGEST + 1))).is_err());
    }
}
