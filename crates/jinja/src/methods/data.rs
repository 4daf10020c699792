//! The methods of lists, tuples, ranges and dictionaries.

use super::Method;
use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use crate::value::compare::{equal, same};
use crate::value::iterate::{Cursor, collect};
use crate::value::sequence::{Shown, View};
use crate::value::{Dict, Value};
use std::rc::Rc;

/// Those of `list`; what changes it is hidden.
pub(super) const LIST: &[Method] = &[
    Method::new("count", count),
    Method::new("index", index),
    Method::new("copy", copy),
    Method::hidden("append"),
    Method::hidden("clear"),
    Method::hidden("extend"),
    Method::hidden("insert"),
    Method::hidden("pop"),
    Method::hidden("remove"),
    Method::hidden("reverse"),
    Method::hidden("sort"),
];

/// Those of `tuple` and `range`.
pub(super) const TUPLE: &[Method] = &[Method::new("count", count), Method::new("index", index)];

/// Those of `dict`; what changes it is hidden.
pub(super) const DICT: &[Method] = &[
    Method::new("get", get),
    Method::new("items", |_, dict, args| view(dict, args, Shown::Items)),
    Method::new("keys", |_, dict, args| view(dict, args, Shown::Keys)),
    Method::new("values", |_, dict, args| view(dict, args, Shown::Values)),
    Method::new("copy", copy),
    Method::new("fromkeys", fromkeys),
    Method::hidden("clear"),
    Method::hidden("pop"),
    Method::hidden("popitem"),
    Method::hidden("setdefault"),
    Method::hidden("update"),
];

fn count(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [item] = args.required("count", ["value"])?;
    let mut cursor = Cursor::new(value)?;
    let mut n = 0;
    while let Some(other) = cursor.next(run)? {
        n += i128::from(same(&other, &item) || equal(&other, &item, &run.budget)?);
    }
    Ok(Value::Int(n))
}

fn index(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [item, start, stop] = args.bind("index", ["value", "start", "stop"], 1)?;
    let item = item.unwrap_or(Value::None);
    let len = value.len().unwrap_or(0) as i128;
    let place = |bound: Option<Value>, missing: i128| -> Result<i128> {
        Ok(match bound {
            Some(bound) => match bound.index("index")? {
                index if index < 0 => index.saturating_add(len).max(0),
                index => index,
            },
            None => missing,
        })
    };
    let (start, stop) = (place(start, 0)?, place(stop, len)?);
    let mut cursor = Cursor::new(value)?;
    let mut at = 0;
    while let Some(other) = cursor.next(run)? {
        if (start..stop).contains(&at)
            && (same(&other, &item) || equal(&other, &item, &run.budget)?)
        {
            return Ok(Value::Int(at));
        }
        at += 1;
    }
    fail(format!("value is not in {}", value.type_name()))
}

fn copy(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("copy", [])?;
    match value {
        Value::Dict(dict) => Ok(Value::dict(dict.copied(&run.budget)?)),
        other => Value::list(collect(run, other)?, &run.budget),
    }
}

fn get(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [key, default] = args.bind("get", ["key", "default"], 1)?;
    let found = match value {
        Value::Dict(dict) => dict.get(&key.unwrap_or(Value::None), &run.budget)?.cloned(),
        _ => None,
    };
    Ok(found.or(default).unwrap_or(Value::None))
}

fn view(value: &Value, args: Args, shown: Shown) -> Result<Value> {
    let [] = args.optional("dict method", [])?;
    match value {
        Value::Dict(dict) => Ok(Value::View(Rc::new(View { dict: dict.clone(), shown }))),
        other => fail(format!("expected a dict, found {}", other.type_name())),
    }
}

fn fromkeys(run: &Run<'_>, _value: &Value, args: Args) -> Result<Value> {
    let [keys, value] = args.bind("fromkeys", ["iterable", "value"], 1)?;
    let value = value.unwrap_or(Value::None);
    let mut dict = Dict::default();
    let mut cursor = Cursor::new(&keys.unwrap_or(Value::None))?;
    while let Some(key) = cursor.next(run)? {
        dict.insert(key, value.clone(), &run.budget)?;
    }
    Ok(Value::dict(dict))
}
