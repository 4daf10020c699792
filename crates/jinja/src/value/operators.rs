//! `+ - * / // % **` and the signs, for all types that have them.

use super::number::{Arithmetic, arithmetic};
use super::text::Buffer;
use super::{Seq, Text, Value};
use crate::error::{Result, fail};
use crate::format::percent;
use crate::interpret::Run;
use std::rc::Rc;

/// `a operator b`
pub(crate) fn binary(run: &Run<'_>, operator: Arithmetic, a: &Value, b: &Value) -> Result<Value> {
    if let Some(result) = arithmetic(operator, a, b) {
        return result;
    }
    match (operator, a, b) {
        (Arithmetic::Mod, Value::Text(format), values) => percent::format(run, format, values),
        _ if a.defined().is_err() || b.defined().is_err() => a.defined().and(b.defined()).cloned(),
        (Arithmetic::Add, Value::Text(a), Value::Text(b)) => joined(run, a, b),
        (Arithmetic::Add, Value::List(a), Value::List(b)) => Ok(Value::List(appended(run, a, b)?)),
        (Arithmetic::Add, Value::Tuple(a), Value::Tuple(b)) => {
            Ok(Value::Tuple(appended(run, a, b)?))
        }
        (Arithmetic::Mul, value, times) | (Arithmetic::Mul, times, value)
            if times.as_index().is_some() && repeatable(value) =>
        {
            repeated(run, value, times.as_index().unwrap_or(0))
        }
        _ => {
            let (sign, a, b) = (operator.sign(), a.type_name(), b.type_name());
            fail(format!("unsupported operand type(s) for {sign}: '{a}' and '{b}'"))
        }
    }
}

/// Markup escapes what is joined to it.
fn joined(run: &Run<'_>, a: &Text, b: &Text) -> Result<Value> {
    let markup = a.is_markup() || b.is_markup();
    let mut buffer = Buffer::new(&run.budget);
    for part in [a, b] {
        if markup && !part.is_markup() {
            buffer.push_escaped(part)?;
        } else {
            buffer.push_str(part)?;
        }
    }
    Ok(Value::Text(buffer.into_text(markup)))
}

fn appended(run: &Run<'_>, a: &Seq, b: &Seq) -> Result<Rc<Seq>> {
    run.budget.produce_many(a.items.len() + b.items.len(), size_of::<Value>())?;
    Seq::new(a.items.iter().chain(&b.items).cloned().collect(), &run.budget)
}

fn repeatable(value: &Value) -> bool {
    matches!(value, Value::Text(_) | Value::List(_) | Value::Tuple(_))
}

fn repeated(run: &Run<'_>, value: &Value, times: i128) -> Result<Value> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    if let Value::Text(text) = value {
        run.budget.produce_many(times, text.len())?;
        let repeated = if text.is_empty() { String::new() } else { text.repeat(times) };
        return Ok(Value::Text(Text::from(&repeated[..]).with_markup(text.is_markup())));
    }
    let items = value.as_items().unwrap_or_default();
    run.budget.produce_many(times, items.len().saturating_mul(size_of::<Value>()))?;
    run.budget.steps(times.saturating_mul(items.len()) / 8)?;
    let repeated = items.iter().cycle().take(times.saturating_mul(items.len())).cloned().collect();
    match value {
        Value::Tuple(_) => Value::tuple(repeated, &run.budget),
        _ => Value::list(repeated, &run.budget),
    }
}

/// `-value` or `+value`
pub(crate) fn signed(value: &Value, negative: bool) -> Result<Value> {
    let sign = if negative { "-" } else { "+" };
    match (value, value.as_index()) {
        (Value::Float(number), _) => Ok(Value::Float(if negative { -number } else { *number })),
        (_, Some(number)) if negative => match number.checked_neg() {
            Some(number) => Ok(Value::Int(number)),
            None => fail("'-': an integer of more than 128 bits"),
        },
        (_, Some(number)) => Ok(Value::Int(number)),
        _ => fail(format!("bad operand type for unary {sign}: {}", value.described())),
    }
}
