//! From JSON to values.

use super::sequence::deeper;
use super::{Dict, Value};
use crate::error::Result;
use crate::limits::Budget;
use serde_json::Value as Json;

/// What a template sees of `json`. Its strings are counted as produced.
pub(crate) fn from_json(json: &Json, budget: &Budget) -> Result<Value> {
    convert(json, budget, 0)
}

/// `around` counts the containers around it: too deep a value is refused before it is gone into.
fn convert(json: &Json, budget: &Budget, around: u16) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i128() {
            Some(value) => Value::Int(value),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(budget.text(text)?),
        Json::Array(items) => {
            let around = deeper(around)?;
            let items = items
                .iter()
                .map(|item| convert(item, budget, around))
                .collect::<Result<Vec<_>>>()?;
            Value::list(items, budget)?
        }
        Json::Object(entries) => {
            let around = deeper(around)?;
            let convert = |(key, value): (&String, &Json)| {
                Ok((budget.text(key)?, convert(value, budget, around)?))
            };
            let entries = entries.iter().map(convert).collect::<Result<_>>()?;
            Value::dict(Dict::of_strings(entries, budget)?)
        }
    })
}
