//! The parameters of a load of several: what is a share adds up, what is each one's own is told of
//! each, and all else has to be the same.

use super::{Part, PoolError};
use serde_json::{Map, Value};

/// How values of one parameter become one.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// The same everywhere.
    Same,
    /// Shares of a whole.
    Sum,
    /// Two rates, `FROM..TO/s`, each a share.
    Ramp,
    /// Each one's own; of the whole only where it is the same.
    Own,
    /// True where it is so everywhere.
    And,
    /// Words of all that differ.
    Joined,
}

fn rule(name: &str) -> Rule {
    match name {
        "concurrency" | "rate" | "requests_wanted" | "max_in_flight" | "prompts_checked"
        | "prompts_off" => Rule::Sum,
        "ramp" => Rule::Ramp,
        "seed" | "nonce" | "share" => Rule::Own,
        "prompt_tokens_exact" => Rule::And,
        "prompt_tokens_by" => Rule::Joined,
        _ => Rule::Same,
    }
}

/// Of the row of that number.
pub(super) fn pooled(parts: &[Part], row: usize) -> Result<Map<String, Value>, PoolError> {
    let of = |part: &Part| part.run.trials[row].params.clone();
    let mut whole = of(&parts[0]);
    for part in &parts[1..] {
        let params = of(part);
        let differs = |name: &str, expected: Option<&Value>, found: Option<&Value>| {
            let shown = |value: Option<&Value>| value.map_or("none".to_owned(), Value::to_string);
            PoolError::Differs {
                name: part.name.clone(),
                of: parts[0].name.clone(),
                field: format!("trials[{row}].params.{}", pacemark_files::excerpt(name)),
                expected: shown(expected),
                found: shown(found),
            }
        };
        for (name, found) in &params {
            if rule(name) != Rule::Own && !whole.contains_key(name) {
                return Err(differs(name, None, Some(found)));
            }
        }
        let names: Vec<String> = whole.keys().cloned().collect();
        for name in names {
            let (sum, found) = (&whole[&name], params.get(&name));
            if rule(&name) == Rule::Own {
                if found != Some(sum) {
                    whole.shift_remove(&name);
                }
                continue;
            }
            // The first one's own value is what is told of; the sum so far is not.
            let expected = parts[0].run.trials[row].params.get(&name);
            let both = found.and_then(|found| one(rule(&name), sum, found));
            match both {
                Some(value) => whole.insert(name, value),
                None => return Err(differs(&name, expected, found)),
            };
        }
    }
    Ok(whole)
}

/// One value of two; `None` where they do not go together.
fn one(rule: Rule, a: &Value, b: &Value) -> Option<Value> {
    match rule {
        Rule::Same | Rule::Own => (a == b).then(|| a.clone()),
        Rule::Sum => sum(a, b),
        Rule::Ramp => {
            let ends = |value: &Value| -> Option<(f64, f64)> {
                let (from, to) = value.as_str()?.strip_suffix("/s")?.split_once("..")?;
                Some((from.parse().ok()?, to.parse().ok()?))
            };
            let (a, b) = (ends(a)?, ends(b)?);
            Some(format!("{}..{}/s", a.0 + b.0, a.1 + b.1).into())
        }
        Rule::And => Some((a.as_bool()? && b.as_bool()?).into()),
        Rule::Joined => {
            let (a, b) = (a.as_str()?, b.as_str()?);
            let known = a.split(" / ").any(|part| part == b);
            Some(if known { a.to_owned() } else { format!("{a} / {b}") }.into())
        }
    }
}

/// Numbers, or words that are the same: `inf`.
fn sum(a: &Value, b: &Value) -> Option<Value> {
    match (a.as_u64(), b.as_u64()) {
        (Some(a), Some(b)) => Some(a.saturating_add(b).into()),
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => Some((a + b).into()),
            _ => (a.is_string() && a == b).then(|| a.clone()),
        },
    }
}

/// What is a worker's own among its parameters.
pub(super) fn own(params: &Map<String, Value>) -> Map<String, Value> {
    const SHOWN: [&str; 8] = [
        "share",
        "concurrency",
        "rate",
        "ramp",
        "requests_wanted",
        "max_in_flight",
        "seed",
        "nonce",
    ];
    let of = |name: &&str| Some((name.to_string(), params.get(*name)?.clone()));
    SHOWN.iter().filter_map(of).collect()
}
