//! Arithmetic of integers and floats as Python does it, and numbers from text.

use super::Value;
use crate::error::{Result, fail, failure};
use crate::unicode::is_space;

/// An operator of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `//`
    FloorDiv,
    /// `%`
    Mod,
    /// `**`
    Pow,
}

impl Arithmetic {
    /// As it is written.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Sub => "-",
            Arithmetic::Mul => "*",
            Arithmetic::Div => "/",
            Arithmetic::FloorDiv => "//",
            Arithmetic::Mod => "%",
            Arithmetic::Pow => "**",
        }
    }
}

/// `a operator b`, if both are numbers.
pub(crate) fn arithmetic(operator: Arithmetic, a: &Value, b: &Value) -> Option<Result<Value>> {
    match (a, b, a.as_index(), b.as_index()) {
        (_, _, Some(a), Some(b)) => Some(integers(operator, a, b)),
        (Value::Float(a), Value::Float(b), ..) => Some(floats(operator, *a, *b)),
        (Value::Float(a), _, _, Some(b)) => Some(floats(operator, *a, b as f64)),
        (_, Value::Float(b), Some(a), _) => Some(floats(operator, a as f64, *b)),
        _ => None,
    }
}

fn integers(operator: Arithmetic, a: i128, b: i128) -> Result<Value> {
    let whole = match operator {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Sub => a.checked_sub(b),
        Arithmetic::Mul => a.checked_mul(b),
        Arithmetic::Div if b == 0 => return fail("division by zero"),
        Arithmetic::Div => return Ok(Value::Float(a as f64 / b as f64)),
        Arithmetic::FloorDiv | Arithmetic::Mod if b == 0 => {
            return fail("integer division or modulo by zero");
        }
        Arithmetic::FloorDiv => floor_div(a, b),
        Arithmetic::Mod => Some(floor_mod(a, b)),
        Arithmetic::Pow if b < 0 => return power(a as f64, b as f64),
        Arithmetic::Pow => match a {
            0 | 1 => Some(if b == 0 { 1 } else { a }),
            -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
            _ => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        },
    };
    whole
        .map(Value::Int)
        .ok_or_else(|| failure(format!("'{}': an integer of more than 128 bits", operator.sign())))
}

fn floor_div(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
}

/// The remainder with the sign of `b`, which is not 0.
fn floor_mod(a: i128, b: i128) -> i128 {
    let rest = a.wrapping_rem(b);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

fn floats(operator: Arithmetic, a: f64, b: f64) -> Result<Value> {
    Ok(Value::Float(match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Sub => a - b,
        Arithmetic::Mul => a * b,
        Arithmetic::Pow => return power(a, b),
        Arithmetic::Div if b == 0.0 => return fail("float division by zero"),
        Arithmetic::Div => a / b,
        Arithmetic::FloorDiv if b == 0.0 => return fail("float floor division by zero"),
        Arithmetic::Mod if b == 0.0 => return fail("float modulo"),
        Arithmetic::FloorDiv => divided(a, b).0,
        Arithmetic::Mod => divided(a, b).1,
    }))
}

/// Quotient and remainder, the remainder with the sign of `b` (CPython's `float_divmod`).
fn divided(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest == 0.0 {
        rest = 0f64.copysign(b);
    } else if (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0f64.copysign(a / b), rest);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, rest)
}

fn power(a: f64, b: f64) -> Result<Value> {
    if a == 0.0 && b < 0.0 {
        return fail("0.0 cannot be raised to a negative power");
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        return fail("'**': complex numbers are not supported");
    }
    let result = a.powf(b);
    if result.is_infinite() && a.is_finite() && b.is_finite() {
        return fail("'**': numerical result out of range");
    }
    Ok(Value::Float(result))
}

/// `value` as `float(value)` takes it; an error says what Python would raise a `TypeError` or
/// `ValueError` for.
pub(crate) fn to_float(value: &Value) -> Result<f64> {
    match value {
        Value::Float(number) => Ok(*number),
        Value::Text(text) => match parse_float(text) {
            Some(number) => Ok(number),
            None => fail("could not convert string to float"),
        },
        other => match other.defined()?.as_index() {
            Some(number) => Ok(number as f64),
            None => fail(format!("expected a number, found {}", other.type_name())),
        },
    }
}

/// A float's whole part.
pub(crate) fn truncated(number: f64) -> Result<i128> {
    if !number.is_finite() {
        return fail("cannot convert float infinity or NaN to integer");
    }
    if number.abs() >= 1.7e38 {
        return fail("int: an integer of more than 128 bits");
    }
    Ok(number as i128)
}

/// `float(text)`
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let digits = without_underscores(text.trim_matches(is_space))?;
    digits.parse().ok()
}

/// `int(text, base)`
pub(crate) fn parse_int(text: &str, base: u32) -> Option<i128> {
    let text = text.trim_matches(is_space);
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (if text.starts_with('-') { "-" } else { "" }, digits),
        None => ("", text),
    };
    let (prefix, rest) = digits.split_at_checked(2).unwrap_or(("", digits));
    let named = match prefix {
        "0x" | "0X" => 16,
        "0o" | "0O" => 8,
        "0b" | "0B" => 2,
        _ => 0,
    };
    let (base, digits) = match base {
        0 if named > 0 => (named, rest.strip_prefix('_').unwrap_or(rest)),
        // A leading zero is allowed of zero only.
        0 if digits.starts_with('0')
            && digits.bytes().any(|digit| !matches!(digit, b'0' | b'_')) =>
        {
            return None;
        }
        0 => (10, digits),
        base if base == named => (base, rest.strip_prefix('_').unwrap_or(rest)),
        base => (base, digits),
    };
    if !(2..=36).contains(&base) || digits.starts_with(['-', '+']) {
        return None;
    }
    i128::from_str_radix(&format!("{sign}{}", without_underscores(digits)?), base).ok()
}

/// Underscores may stand between digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let misplaced = |(at, &byte): (usize, &u8)| {
        byte == b'_' && !(is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)))
    };
    if bytes.iter().enumerate().any(misplaced) {
        return None;
    }
    Some(text.chars().filter(|c| *c != '_').map(|c| decimal(c).unwrap_or(c)).collect())
}

/// The ASCII digit of another script's digit; they come in runs of ten.
fn decimal(c: char) -> Option<char> {
    if c.is_ascii() || !crate::unicode::is_decimal(c) {
        return None;
    }
    let code = u32::from(c);
    let zero = (0..10)
        .take_while(|n| char::from_u32(code - n).is_some_and(crate::unicode::is_decimal))
        .last()?;
    char::from_digit(zero, 10)
}
