//! `value.name`, `value[key]` and slices, as the sandbox of Jinja2 reads them.
//!
//! `a.b` is the attribute, and if there is none the item; `a['b']` the item, and if there is none
//! the attribute. So `message.items` is the method even where the message has such a key.

use super::{Args, Run};
use crate::error::{Error, Result, fail};
use crate::value::object::function;
use crate::value::sequence::{slice_bounds, slice_places};
use crate::value::text::Buffer;
use crate::value::{Missing, Range, Value, repr};
use std::rc::Rc;

/// `value.name`
pub(crate) fn attribute(run: &Run<'_>, value: &Value, name: &str) -> Result<Value> {
    value.defined()?;
    if let Some(found) = own_attribute(run, value, name)? {
        return Ok(found);
    }
    if let Value::Dict(dict) = value
        && let Some(found) = dict.get_str(name)
    {
        return Ok(found.clone());
    }
    run.budget.produce(name.len())?;
    Ok(missing(value, format!("'{name}'"), true))
}

/// `value[key]`
pub(crate) fn item(run: &Run<'_>, value: &Value, key: &Value) -> Result<Value> {
    value.defined()?;
    if let Some(found) = own_item(run, value, key)? {
        return Ok(found);
    }
    if let Some(name) = key.as_str() {
        run.budget.produce(name.len())?;
        return Ok(match own_attribute(run, value, name)? {
            Some(found) => found,
            None => missing(value, format!("'{name}'"), true),
        });
    }
    let mut text = Buffer::new(&run.budget);
    repr::write(run, key, &mut text, 0)?;
    Ok(missing(value, text.into_string(), false))
}

/// An attribute that the value's type has, or none.
pub(crate) fn own_attribute(run: &Run<'_>, value: &Value, name: &str) -> Result<Option<Value>> {
    if let Some(method) = (run.environment.method)(value, name) {
        if method.is_unsafe {
            return Ok(Some(refused(value, name)));
        }
        let (receiver, depth) = (value.clone(), value.depth());
        return Ok(Some(function(method.name, depth, move |run, args: Args| {
            (method.call)(run, &receiver, args)
        })));
    }
    let found = match value {
        Value::Object(object) => object.attribute(run, name)?,
        Value::Tuple(seq) => {
            seq.names.iter().position(|own| *own == name).and_then(|at| seq.items.get(at).cloned())
        }
        other => (run.environment.property)(other, name),
    };
    // Names with an underscore are private; so are those that Python gives to every value.
    let is_private = name.starts_with('_') && (found.is_some() || is_of_every_value(name));
    Ok(if is_private { Some(refused(value, name)) } else { found })
}

fn is_of_every_value(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "class",
        "init",
        "doc",
        "dir",
        "delattr",
        "setattr",
        "getattribute",
        "getattr",
        "getitem",
        "setitem",
        "len",
        "iter",
        "next",
        "contains",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "hash",
        "str",
        "repr",
        "format",
        "new",
        "reduce",
        "reduce_ex",
        "sizeof",
        "subclasshook",
        "init_subclass",
        "call",
        "module",
        "dict",
        "self",
        "func",
        "code",
        "globals",
        "closure",
        "defaults",
        "kwdefaults",
        "name",
        "qualname",
        "mro",
        "base",
        "bases",
        "subclasses",
        "add",
        "mul",
        "mod",
        "bool",
        "int",
        "float",
        "index",
        "reversed",
        "html",
    ];
    name.strip_prefix("__")
        .and_then(|rest| rest.strip_suffix("__"))
        .is_some_and(|inner| NAMES.contains(&inner))
}

fn refused(value: &Value, name: &str) -> Value {
    Value::undefined(format!(
        "access to attribute '{name}' of '{}' object is unsafe",
        value.type_name()
    ))
}

fn missing(value: &Value, name: String, is_attribute: bool) -> Value {
    Value::Undefined(Rc::new(Missing::Member { of: value.type_name(), name, is_attribute }))
}

/// The item of a key, if the value has it.
fn own_item(run: &Run<'_>, value: &Value, key: &Value) -> Result<Option<Value>> {
    let place = |len: usize| {
        let index = key.as_index()?;
        usize::try_from(if index < 0 { index + len as i128 } else { index })
            .ok()
            .filter(|place| *place < len)
    };
    Ok(match value {
        Value::List(seq) | Value::Tuple(seq) => {
            place(seq.items.len()).and_then(|place| seq.items.get(place).cloned())
        }
        Value::Dict(dict) => match dict.get(key, &run.budget) {
            Ok(found) => found.cloned(),
            // A key that cannot be hashed is one that is not there.
            Err(error) if matches!(*error, Error::Render { .. }) => None,
            Err(limit) => return Err(limit),
        },
        Value::Range(range) => place(range.len()).map(|place| Value::Int(range.at(place))),
        Value::Text(text) if key.as_index().is_some() => {
            run.budget.read(text.len())?;
            match place(text.n_chars()) {
                Some(place) => {
                    let c = run.budget.text(text.slice(place, place + 1))?;
                    Some(Value::Text(c.with_markup(text.is_markup())))
                }
                None => None,
            }
        }
        _ => None,
    })
}

/// `value[start:stop:step]`
pub(crate) fn slice(run: &Run<'_>, value: &Value, bounds: &[Option<Value>; 3]) -> Result<Value> {
    value.defined()?;
    let mut found = [None; 3];
    for (place, bound) in found.iter_mut().zip(bounds) {
        *place = match bound {
            None | Some(Value::None) => None,
            Some(bound) => match bound.as_index() {
                Some(index) => Some(index),
                None => {
                    return fail(format!(
                        "slice indices must be integers or None, found {}",
                        bound.described()
                    ));
                }
            },
        };
    }
    let step = found[2].unwrap_or(1);
    match value {
        Value::Text(text) => {
            run.budget.read(text.len())?;
            let mut places = slice_places(text.n_chars(), found)?;
            let n = places.len();
            let mut out = Buffer::new(&run.budget);
            if step == 1 {
                if let Some(start) = places.next() {
                    out.push_str(text.slice(start, start + n))?;
                }
            } else {
                run.budget.produce_many(text.len(), size_of::<char>())?;
                let chars: Vec<char> = text.chars().collect();
                for place in places {
                    run.budget.step()?;
                    out.push(chars.get(place).copied().unwrap_or_default())?;
                }
            }
            Ok(Value::Text(out.into_text(text.is_markup())))
        }
        Value::List(seq) | Value::Tuple(seq) => {
            let places = slice_places(seq.items.len(), found)?;
            run.budget.produce_many(places.len(), size_of::<Value>())?;
            let items = places.filter_map(|place| seq.items.get(place).cloned()).collect();
            match value {
                Value::Tuple(_) => Value::tuple(items, &run.budget),
                _ => Value::list(items, &run.budget),
            }
        }
        Value::Range(range) => {
            let [start, stop, step] = slice_bounds(range.len(), found)?;
            let by = i128::from(range.step);
            let at = |place: i128| i128::from(range.start) + by * place;
            Range::new(at(start), at(stop), by.saturating_mul(step)).map(Value::Range)
        }
        other => fail(format!("'{}' object cannot be sliced", other.type_name())),
    }
}
