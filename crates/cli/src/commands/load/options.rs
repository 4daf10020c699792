//! Values of `pacemark load`'s flags.

use pacemark_load::prompt::Cache;
use pacemark_load::{Connections, Target};
use serde_json::{Map, Value};

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

/// Servers of one flag.
#[derive(Clone, Debug)]
pub(super) struct Urls(pub Vec<Target>);

/// `URL` or `URL,URL`: a comma separates where another address begins after it.
pub(super) fn urls(text: &str) -> Result<Urls, String> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',') {
        let begins =
            part.trim_start().get(..4).is_some_and(|head| head.eq_ignore_ascii_case("http"));
        match parts.last_mut() {
            Some(last) if !begins => *last = format!("{last},{part}"),
            _ => parts.push(part.to_owned()),
        }
    }
    let targets = parts.iter().map(|part| Target::parse(part));
    targets.collect::<Result<_, _>>().map(Urls).map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_one_or_several() {
        let n = |text: &str| urls(text).map(|Urls(targets)| targets.len());
        assert_eq!(
            (n("http://a:1"), n("http://a:1,https://b"), n("http://a?x=1,2")),
            (Ok(1), Ok(2), Ok(1))
        );
        assert!(n("http://a:1,b").is_err() && n("").is_err() && n("http://a,").is_err());
    }

    #[test]
    fn caches() {
        assert_eq!(cache("shared:64"), Ok(Cache::Shared { prefix: 64, groups: 1 }));
        assert!(cache("shared:0").is_err() && cache("hot").is_err());
    }
}
