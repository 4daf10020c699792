//! Numbers of tokens as servers and files write them.

use serde_json::Value;

/// Beyond, a float does not say which number it is: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number from 0 on, written as 5, 5.0 or "5".
pub(crate) fn whole(value: &Value) -> Option<u64> {
    let of_float = |number: f64| {
        (number.fract() == 0.0 && (0.0..EXACT).contains(&number)).then_some(number as u64)
    };
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(of_float)),
        Value::String(text) => {
            text.trim().parse().ok().or_else(|| text.trim().parse().ok().and_then(of_float))
        }
        _ => None,
    }
}
