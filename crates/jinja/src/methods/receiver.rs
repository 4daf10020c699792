//! The string that a method is called on, and results that are like it.

use crate::error::Result;
use crate::interpret::Run;
use crate::value::{Text, Value};

/// The string that the method is of.
pub(super) fn of(value: &Value) -> Result<&Text> {
    value.text("str")
}

/// `text` as the result of a method of `from`.
pub(super) fn like(run: &Run<'_>, from: &Text, text: &str) -> Result<Value> {
    Ok(Value::Text(run.budget.text(text)?.with_markup(from.is_markup())))
}
