//! Filters of numbers.

use super::is_true;
use crate::error::{Result, fail};
use crate::format::{MAX_PRECISION, float as digits};
use crate::interpret::{Args, Run};
use crate::value::number::{parse_float, parse_int, to_float, truncated};
use crate::value::{Value, operators};

/// `abs`
pub(super) fn abs(_run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("abs", [])?;
    match value {
        Value::Float(number) => Ok(Value::Float(number.abs())),
        other => match other.as_index() {
            Some(number) if number < 0 => operators::signed(&Value::Int(number), true),
            Some(number) => Ok(Value::Int(number)),
            None => fail(format!("bad operand type for abs(): {}", other.described())),
        },
    }
}

/// `int(default=0, base=10)`
pub(super) fn int(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    run.budget.produce(value.as_str().map_or(0, str::len))?;
    let [default, base] = args.optional("int", ["default", "base"])?;
    let base = base.map_or(Ok(10), |base| base.index("int"))?;
    let default = default.unwrap_or(Value::Int(0));
    Ok(match value.defined()? {
        Value::Float(number) if number.is_nan() => default,
        Value::Float(number) => Value::Int(truncated(*number)?),
        Value::Text(text) => {
            match u32::try_from(base).ok().and_then(|base| parse_int(text, base)) {
                Some(number) => Value::Int(number),
                // So that "42.23" gives 42.
                None => match parse_float(text).filter(|number| number.is_finite()) {
                    Some(number) => Value::Int(truncated(number)?),
                    None => default,
                },
            }
        }
        other => other.as_index().map_or(default, Value::Int),
    })
}

/// `float(default=0.0)`
pub(super) fn float(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    run.budget.produce(value.as_str().map_or(0, str::len))?;
    let [default] = args.optional("float", ["default"])?;
    let default = default.unwrap_or(Value::Float(0.0));
    Ok(to_float(value.defined()?).map_or(default, Value::Float))
}

/// `round(precision=0, method='common')`
pub(super) fn round(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [precision, method] = args.optional("round", ["precision", "method"])?;
    let precision = precision.map_or(Ok(0), |precision| precision.index("round"))?;
    let method = method.unwrap_or_else(|| Value::str("common"));
    let number = match value.defined()? {
        Value::Float(number) => *number,
        other => match other.as_index() {
            Some(number) if method.as_str() == Some("common") => {
                return round_int(number, precision);
            }
            Some(number) => number as f64,
            None => {
                return fail(format!("type {} doesn't define __round__ method", other.type_name()));
            }
        },
    };
    run.budget.step()?;
    let scale = 10f64.powi(precision.clamp(-400, 400) as i32);
    match method.as_str() {
        Some("common") => Ok(Value::Float(round_float(number, precision))),
        Some("ceil") => Ok(Value::Float(truncated((number * scale).ceil())? as f64 / scale)),
        Some("floor") => Ok(Value::Float(truncated((number * scale).floor())? as f64 / scale)),
        _ => fail("round: the method must be common, ceil or floor"),
    }
}

/// To the nearest, and to the even one of two that are as near.
fn round_float(number: f64, precision: i128) -> f64 {
    if !number.is_finite() || precision > 400 {
        return number;
    }
    if precision >= 0 {
        // The digits of a float are exact, so they are rounded as `round` rounds them.
        let precision = (precision as usize).min(MAX_PRECISION);
        return format!("{number:.precision$}").parse().unwrap_or(number);
    }
    let scale = 10f64.powi(precision.unsigned_abs().min(400) as i32);
    if scale.is_infinite() {
        return 0f64.copysign(number);
    }
    (number / scale).round_ties_even() * scale
}

fn round_int(number: i128, precision: i128) -> Result<Value> {
    if precision >= 0 {
        return Ok(Value::Int(number));
    }
    let Some(scale) =
        u32::try_from(precision.unsigned_abs()).ok().and_then(|zeros| 10i128.checked_pow(zeros))
    else {
        return Ok(Value::Int(0));
    };
    let (quotient, rest) = (number.div_euclid(scale), number.rem_euclid(scale));
    // Twice the rest against the scale, which may be too large to be doubled.
    let up = rest > scale - rest || rest == scale - rest && quotient % 2 != 0;
    match (quotient + i128::from(up)).checked_mul(scale) {
        Some(rounded) => Ok(Value::Int(rounded)),
        None => fail("round: an integer of more than 128 bits"),
    }
}

/// `filesizeformat(binary=False)`
pub(super) fn filesizeformat(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [binary] = args.optional("filesizeformat", ["binary"])?;
    let binary = is_true(binary);
    run.budget.produce(value.as_str().map_or(0, str::len))?;
    let bytes = to_float(value.defined()?)?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    let text = if bytes == 1.0 {
        "1 Byte".to_owned()
    } else if bytes < base {
        format!("{} Bytes", truncated(bytes)?)
    } else {
        let prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
        let within = |n: &usize| bytes < base.powi(*n as i32 + 2);
        let n = (0..prefixes.len()).find(within).unwrap_or(prefixes.len() - 1);
        let prefix = if binary {
            format!("{}i", prefixes[n].to_uppercase())
        } else {
            prefixes[n].to_owned()
        };
        let size = base * bytes / base.powi(n as i32 + 2);
        let shown =
            digits::special(size).map_or_else(|| digits::fixed(size, 1, false), str::to_owned);
        format!("{shown} {prefix}B")
    };
    Ok(Value::Text(run.budget.text(&text)?))
}
