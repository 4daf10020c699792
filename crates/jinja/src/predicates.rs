//! The tests of `is`: a table of names and functions.

use crate::ast::Comparison;
use crate::error::Result;
use crate::interpret::environment::Predicate;
use crate::interpret::{Args, Run};
use crate::methods::case::{is_lower, is_upper};
use crate::value::compare::{equal, same};
use crate::value::dict::Key;
use crate::value::iterate::Cursor;
use crate::value::number::Arithmetic;
use crate::value::repr::to_text;
use crate::value::{Value, operators};

const fn predicate(
    name: &'static str,
    holds: fn(&Run<'_>, &Value, Args) -> Result<bool>,
) -> Predicate {
    Predicate { name, holds }
}

/// All of them: those of jinja2's `tests.py`.
pub(crate) const PREDICATES: &[Predicate] = &[
    predicate("!=", |run, a, args| compared(run, Comparison::NotEqual, a, args)),
    predicate("<", |run, a, args| compared(run, Comparison::Less, a, args)),
    predicate("<=", |run, a, args| compared(run, Comparison::LessOrEqual, a, args)),
    predicate("==", |run, a, args| compared(run, Comparison::Equal, a, args)),
    predicate(">", |run, a, args| compared(run, Comparison::Greater, a, args)),
    predicate(">=", |run, a, args| compared(run, Comparison::GreaterOrEqual, a, args)),
    predicate("boolean", |_, value, args| alone(args, matches!(value, Value::Bool(_)))),
    predicate("callable", |_, value, args| alone(args, value.is_callable())),
    predicate("defined", |_, value, args| alone(args, !matches!(value, Value::Undefined(_)))),
    predicate("divisibleby", |run, value, args| {
        let [divisor] = args.required("divisibleby", ["num"])?;
        remains(run, value, &divisor, 0)
    }),
    predicate("eq", |run, a, args| compared(run, Comparison::Equal, a, args)),
    predicate("equalto", |run, a, args| compared(run, Comparison::Equal, a, args)),
    predicate("escaped", |_, value, args| {
        alone(args, matches!(value, Value::Text(text) if text.is_markup()))
    }),
    predicate("even", |run, value, args| alone(args, remains(run, value, &Value::Int(2), 0)?)),
    predicate("false", |_, value, args| alone(args, matches!(value, Value::Bool(false)))),
    predicate("filter", |run, value, args| {
        named(run, value, args, |name| (run.environment.filter)(name).is_some())
    }),
    predicate("float", |_, value, args| alone(args, matches!(value, Value::Float(_)))),
    predicate("ge", |run, a, args| compared(run, Comparison::GreaterOrEqual, a, args)),
    predicate("greaterthan", |run, a, args| compared(run, Comparison::Greater, a, args)),
    predicate("gt", |run, a, args| compared(run, Comparison::Greater, a, args)),
    predicate("in", |run, a, args| compared(run, Comparison::In, a, args)),
    predicate("integer", |_, value, args| alone(args, matches!(value, Value::Int(_)))),
    predicate("iterable", |_, value, args| alone(args, Cursor::of(value).is_some())),
    predicate("le", |run, a, args| compared(run, Comparison::LessOrEqual, a, args)),
    predicate("lessthan", |run, a, args| compared(run, Comparison::Less, a, args)),
    predicate("lower", |run, value, args| cased(run, value, args, is_lower)),
    predicate("lt", |run, a, args| compared(run, Comparison::Less, a, args)),
    predicate("mapping", |_, value, args| alone(args, matches!(value, Value::Dict(_)))),
    predicate("ne", |run, a, args| compared(run, Comparison::NotEqual, a, args)),
    predicate("none", |_, value, args| alone(args, matches!(value, Value::None))),
    predicate("number", |_, value, args| {
        alone(args, matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_)))
    }),
    predicate("odd", |run, value, args| alone(args, remains(run, value, &Value::Int(2), 1)?)),
    predicate("sameas", |_, value, args| {
        let [other] = args.required("sameas", ["other"])?;
        Ok(same(value, &other))
    }),
    predicate("sequence", |_, value, args| alone(args, is_sequence(value))),
    predicate("string", |_, value, args| alone(args, value.as_str().is_some())),
    predicate("test", |run, value, args| named(run, value, args, |name| find(name).is_some())),
    predicate("true", |_, value, args| alone(args, matches!(value, Value::Bool(true)))),
    predicate("undefined", |_, value, args| alone(args, matches!(value, Value::Undefined(_)))),
    predicate("upper", |run, value, args| cased(run, value, args, is_upper)),
];

/// The test of a name.
pub(crate) fn find(name: &str) -> Option<&'static Predicate> {
    PREDICATES.iter().find(|predicate| predicate.name == name)
}

/// `holds`, of a test that is given nothing.
fn alone(args: Args, holds: bool) -> Result<bool> {
    let [] = args.optional("test", [])?;
    Ok(holds)
}

/// Whether there is something of this name; what cannot be a key is an error, as in a dictionary.
fn named(run: &Run<'_>, value: &Value, args: Args, exists: impl Fn(&str) -> bool) -> Result<bool> {
    Key::new(value, &run.budget)?;
    alone(args, value.as_str().is_some_and(exists))
}

/// Whether the letters of a text have the case that `has_case` looks for.
fn cased(run: &Run<'_>, value: &Value, args: Args, has_case: fn(&str) -> bool) -> Result<bool> {
    let text = to_text(run, value)?;
    run.budget.read(text.len())?;
    alone(args, has_case(&text))
}

fn compared(run: &Run<'_>, comparison: Comparison, value: &Value, args: Args) -> Result<bool> {
    let [other] = args.required("test", ["other"])?;
    run.holds(comparison, value, &other)
}

/// Whether `value % divisor` is `rest`.
fn remains(run: &Run<'_>, value: &Value, divisor: &Value, rest: i128) -> Result<bool> {
    let found = operators::binary(run, Arithmetic::Mod, value, divisor)?;
    equal(&found, &Value::Int(rest), &run.budget)
}

/// What has a length and items by place or key; also an undefined value, as Python sees Jinja2's.
fn is_sequence(value: &Value) -> bool {
    let by_key = matches!(value, Value::Undefined(_) | Value::Dict(_));
    by_key || matches!(value, Value::Text(_) | Value::List(_) | Value::Tuple(_) | Value::Range(_))
}
