//! The methods of strings, lists, dictionaries and numbers: tables of names and functions.
//!
//! A name that Python has is in a table even where it does nothing here: it must not be taken for
//! an item, and calling it says why it is refused.

pub(crate) mod case;
mod data;
mod number;
pub(crate) mod pad;
mod receiver;
mod search;
pub(crate) mod split;
pub(crate) mod text;

use crate::error::{Result, fail};
use crate::interpret::environment::{Call, Method};
use crate::interpret::{Args, Run};
use crate::value::Value;

impl Method {
    const fn new(name: &'static str, call: Call) -> Method {
        Method { name, call, is_unsafe: false }
    }

    /// A method that changes a value, which a template may not.
    const fn hidden(name: &'static str) -> Method {
        Method { name, call: refused, is_unsafe: true }
    }

    /// A method whose results there are no values for.
    const fn refused(name: &'static str) -> Method {
        Method { name, call: refused, is_unsafe: false }
    }
}

fn refused(_run: &Run<'_>, value: &Value, _args: Args) -> Result<Value> {
    fail(format!("this method of '{}' is not supported in templates", value.type_name()))
}

/// The method `name` of `value`'s type.
pub(crate) fn find(value: &Value, name: &str) -> Option<&'static Method> {
    let table = match value {
        Value::Text(_) => text::METHODS,
        Value::Dict(_) => data::DICT,
        Value::List(_) => data::LIST,
        Value::Tuple(_) | Value::Range(_) => data::TUPLE,
        Value::Int(_) | Value::Bool(_) => number::INT,
        Value::Float(_) => number::FLOAT,
        _ => return None,
    };
    table.iter().find(|method| method.name == name)
}

/// An attribute that is no method.
pub(crate) fn property(value: &Value, name: &str) -> Option<Value> {
    Some(match (value, name) {
        (Value::Range(range), "start") => Value::Int(i128::from(range.start)),
        (Value::Range(range), "stop") => Value::Int(i128::from(range.stop)),
        (Value::Range(range), "step") => Value::Int(i128::from(range.step)),
        (Value::Float(number), "real") => Value::Float(*number),
        (Value::Float(_), "imag") => Value::Float(0.0),
        (Value::Int(_) | Value::Bool(_), "real" | "numerator") => Value::Int(value.as_index()?),
        (Value::Int(_) | Value::Bool(_), "imag") => Value::Int(0),
        (Value::Int(_) | Value::Bool(_), "denominator") => Value::Int(1),
        _ => return None,
    })
}
