//! Values of `pacemark load`'s flags.

use pacemark_load::prompt::Cache;
use pacemark_load::{Connections, Lengths, METRICS};
use pacemark_record::{Trial, column};
use serde_json::{Map, Value};
use std::str::FromStr;

/// Two rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ramp {
    /// At the beginning.
    pub from: f64,
    /// At the end.
    pub to: f64,
}

impl FromStr for Ramp {
    type Err = String;

    fn from_str(text: &str) -> Result<Ramp, String> {
        let rate = |text: &str| text.parse::<f64>().ok().filter(|rate| (0.0..=1e6).contains(rate));
        let ends = text.split_once("..").and_then(|(from, to)| rate(from).zip(rate(to)));
        let ends = ends.filter(|(from, to)| from + to > 0.0);
        ends.map(|(from, to)| Ramp { from, to })
            .ok_or_else(|| "expected FROM..TO, requests a second".to_owned())
    }
}

impl std::fmt::Display for Ramp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}/s", self.from, self.to)
    }
}

/// Lengths of answers, or whatever the server gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Output {
    /// As the model ends them.
    Any,
    /// Exactly.
    Exact(Lengths),
}

/// `any` or lengths.
pub(super) fn output_lengths(text: &str) -> Result<Output, String> {
    if text == "any" { Ok(Output::Any) } else { text.parse().map(Output::Exact) }
}

/// `cold`, `warm` or `shared:P`.
pub(super) fn cache(text: &str) -> Result<Cache, String> {
    match text.split_once(':') {
        None if text == "cold" => Ok(Cache::Cold),
        None if text == "warm" => Ok(Cache::Warm),
        Some(("shared", p)) => match p.parse() {
            Ok(prefix @ 1..=1_000_000) => Ok(Cache::Shared { prefix, groups: 1 }),
            _ => Err(format!("shared:{p}: expected 1 to 1000000 tokens")),
        },
        _ => Err("expected cold, warm or shared:P".to_owned()),
    }
}

/// `reuse` or `fresh`.
pub(super) fn connections(text: &str) -> Result<Connections, String> {
    match text {
        "reuse" => Ok(Connections::Reuse),
        "fresh" => Ok(Connections::Fresh),
        _ => Err("expected reuse or fresh".to_owned()),
    }
}

/// `NAME: VALUE`.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(':').filter(|(name, _)| !name.trim().is_empty());
    parts
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| "expected NAME: VALUE".into())
}

/// Fields of a body.
#[derive(Clone, Debug)]
pub(super) struct Body(pub Map<String, Value>);

/// A JSON object.
pub(super) fn body(text: &str) -> Result<Body, String> {
    serde_json::from_str(text).map(Body).map_err(|error| format!("expected a JSON object: {error}"))
}

/// A figure that must be reached.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    name: String,
    at_least: bool,
    value: f64,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let expected =
            || "expected NAME>=VALUE or NAME<=VALUE, e.g. output_ts_steady>=100".to_owned();
        let (at_least, parts) = match text.split_once(">=") {
            Some(parts) => (true, parts),
            None => (false, text.split_once("<=").ok_or_else(expected)?),
        };
        let (name, value) = (parts.0.trim(), parts.1.trim());
        let name = name.to_owned();
        column(METRICS, &name).ok_or_else(|| format!("there is no figure {name}"))?;
        let value =
            value.parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(expected)?;
        Ok(Target { name, at_least, value })
    }
}

impl Target {
    /// What was found, where that is not the target: an absent figure reaches nothing.
    pub(super) fn missed(&self, trial: &Trial) -> Option<String> {
        let (metric, part) = column(METRICS, &self.name)?;
        let sign = if self.at_least { ">=" } else { "<=" };
        match metric.of(trial).part(part) {
            None => Some(format!(
                "{} {sign} {}: there is no such figure of this load",
                self.name, self.value
            )),
            Some(found)
                if (self.at_least && found >= self.value)
                    || (!self.at_least && found <= self.value) =>
            {
                None
            }
            Some(found) => Some(format!("{} {sign} {}: found {found:.3}", self.name, self.value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramps_and_caches() {
        assert_eq!("1..20".parse::<Ramp>(), Ok(Ramp { from: 1.0, to: 20.0 }));
        assert!("1..".parse::<Ramp>().is_err() && "0..0".parse::<Ramp>().is_err());
        assert_eq!(cache("shared:64"), Ok(Cache::Shared { prefix: 64, groups: 1 }));
        assert!(cache("shared:0").is_err() && cache("hot").is_err());
    }

    #[test]
    fn targets_name_figures() {
        let target: Target = "requests>=2".parse().unwrap();
        assert_eq!(target.missed(&Trial::default()).as_deref(), Some("requests >= 2: found 0.000"));
        let target: Target = "ttft_ms_p50 <= 10".parse().unwrap();
        assert!(target.missed(&Trial::default()).unwrap().contains("no such figure"));
        assert!("failed<=0".parse::<Target>().unwrap().missed(&Trial::default()).is_none());
        assert!("speed>=1".parse::<Target>().is_err() && "requests=1".parse::<Target>().is_err());
    }
}
