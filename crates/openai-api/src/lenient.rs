//! Forms of numbers that clients send besides the right one, since other servers take them.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A count, or -1 (llama-server's "no bound"), which is the largest.
pub(crate) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    match Option::<i64>::deserialize(from)? {
        None => Ok(None),
        Some(-1) => Ok(Some(u64::MAX)),
        Some(n) => match u64::try_from(n) {
            Ok(n) => Ok(Some(n)),
            Err(_) => Err(D::Error::custom(format!("expected a count or -1, found {n}"))),
        },
    }
}

/// A count, or whether there is to be one, as vLLM takes it: `true` is 1.
pub(crate) fn count_or_flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a count or a boolean")]
    enum Given {
        Count(u64),
        Flag(bool),
    }
    Ok(match Option::<Given>::deserialize(from)? {
        None | Some(Given::Flag(false)) => None,
        Some(Given::Flag(true)) => Some(1),
        Some(Given::Count(n)) => Some(n),
    })
}

/// Token ids, of which some may be digits in quotes, as vLLM takes them.
pub(crate) fn ids<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u32>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected an array of token ids")]
    enum Id {
        Number(u32),
        Digits(String),
    }
    let Some(ids) = Option::<Vec<Id>>::deserialize(from)? else { return Ok(None) };
    let number = |id| match id {
        Id::Number(id) => Ok(id),
        Id::Digits(digits) => {
            digits.parse().map_err(|_| D::Error::custom("expected token ids, found a text"))
        }
    };
    ids.into_iter().map(number).collect::<Result<_, _>>().map(Some)
}
