//! Methods of `str` that look for a text. Places are counted in characters.

use super::receiver::of;
use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use crate::value::{Text, Value};

/// The part of a text from `start` to `end`, and how many characters are before it; none if it
/// starts beyond the end.
fn window(text: &Text, start: Option<Value>, end: Option<Value>) -> Result<Option<(usize, &str)>> {
    let is_given =
        |value: &Option<Value>| value.as_ref().is_some_and(|value| !matches!(value, Value::None));
    if !is_given(&start) && !is_given(&end) {
        return Ok(Some((0, text)));
    }
    let len = text.n_chars();
    let place = |value: Option<Value>, missing: usize| -> Result<i128> {
        Ok(match value {
            None | Some(Value::None) => missing as i128,
            Some(value) => match value.index("slice indices")? {
                index if index < 0 => index.saturating_add(len as i128).max(0),
                index => index,
            },
        })
    };
    let (start, end) = (place(start, 0)?, place(end, len)?.min(len as i128));
    if start > end {
        return Ok(None);
    }
    Ok(Some((start as usize, text.slice(start as usize, end as usize))))
}

/// The part that is looked for, and the place of it by `look`.
fn place(
    run: &Run<'_>,
    name: &str,
    value: &Value,
    args: Args,
    look: fn(&str, &str) -> Option<usize>,
) -> Result<Option<usize>> {
    let text = of(value)?;
    let [part, start, end] = args.bind(name, ["sub", "start", "end"], 1)?;
    let part = part.unwrap_or(Value::None);
    let part = part.text(name)?;
    run.budget.read(text.len() + part.len())?;
    let Some((before, window)) = window(text, start, end)? else { return Ok(None) };
    Ok(look(window, part).map(|at| before + window[..at].chars().count()))
}

fn or_minus_one(place: Option<usize>) -> Value {
    Value::Int(place.map_or(-1, |place| place as i128))
}

fn or_fail(place: Option<usize>) -> Result<Value> {
    match place {
        Some(place) => Ok(Value::Int(place as i128)),
        None => fail("substring not found"),
    }
}

/// `str.find`
pub(super) fn find(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    Ok(or_minus_one(place(run, "find", value, args, |text, part| text.find(part))?))
}

/// `str.rfind`
pub(super) fn rfind(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    Ok(or_minus_one(place(run, "rfind", value, args, |text, part| text.rfind(part))?))
}

/// `str.index`
pub(super) fn index(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    or_fail(place(run, "index", value, args, |text, part| text.find(part))?)
}

/// `str.rindex`
pub(super) fn rindex(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    or_fail(place(run, "rindex", value, args, |text, part| text.rfind(part))?)
}

/// `str.count`
pub(super) fn count(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let [part, start, end] = args.bind("count", ["sub", "start", "end"], 1)?;
    let part = part.unwrap_or(Value::None);
    let part = part.text("count")?;
    run.budget.read(text.len())?;
    let window = window(text, start, end)?;
    Ok(Value::Int(window.map_or(0, |(_, window)| window.matches(&part[..]).count()) as i128))
}

/// `str.startswith`
pub(super) fn startswith(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    borders(run, "startswith", value, args, |text, part| text.starts_with(part))
}

/// `str.endswith`
pub(super) fn endswith(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    borders(run, "endswith", value, args, |text, part| text.ends_with(part))
}

/// Whether the text has one of the borders that are given: a string or a tuple of them.
fn borders(
    run: &Run<'_>,
    name: &str,
    value: &Value,
    args: Args,
    has: fn(&str, &str) -> bool,
) -> Result<Value> {
    let text = of(value)?;
    let [parts, start, end] = args.bind(name, ["prefix", "start", "end"], 1)?;
    let parts = parts.unwrap_or(Value::None);
    if start.is_some() || end.is_some() {
        run.budget.read(text.len())?;
    }
    let window = window(text, start, end)?;
    let mut found = false;
    let single = std::slice::from_ref(&parts);
    let parts = match &parts {
        Value::Text(_) => single,
        Value::Tuple(seq) => &seq.items,
        other => {
            return fail(format!(
                "{name}: expected a string or a tuple of strings, found {}",
                other.described()
            ));
        }
    };
    for part in parts {
        let part = part.text(name)?;
        run.budget.step()?;
        run.budget.read(part.len())?;
        found |= window.is_some_and(|(_, window)| has(window, part));
    }
    Ok(Value::Bool(found))
}
