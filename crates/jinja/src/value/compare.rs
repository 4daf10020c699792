//! Equality, order and membership.

use super::sequence::Shown;
use super::{Text, Value, iterate};
use crate::error::{Result, fail};
use crate::interpret::Run;
use crate::limits::Budget;
use std::cmp::Ordering;
use std::rc::Rc;

/// `a == b`
pub(crate) fn equal(a: &Value, b: &Value, budget: &Budget) -> Result<bool> {
    budget.step()?;
    Ok(match (a, b) {
        (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => true,
        (Value::Text(a), Value::Text(b)) => {
            budget.read(if a.len() == b.len() { a.len() } else { 0 })?;
            a[..] == b[..]
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            a.items.len() == b.items.len() && all_equal(a.items.iter().zip(&b.items), budget)?
        }
        (Value::Dict(a), Value::Dict(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, value) in a.entries() {
                match b.get(key, budget)? {
                    Some(other) if equal(value, other, budget)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Range(a), Value::Range(b)) => {
            let same = a.len() == b.len();
            same && (a.len() == 0 || a.start == b.start && (a.len() == 1 || a.step == b.step))
        }
        (Value::View(a), Value::View(b)) => Rc::ptr_eq(a, b),
        (Value::Iter(a), Value::Iter(b)) => Rc::ptr_eq(a, b),
        (Value::Object(a), Value::Object(b)) => super::dict::address(a) == super::dict::address(b),
        _ => compare_numbers(a, b).is_some_and(|order| order == Some(Ordering::Equal)),
    })
}

fn all_equal<'v>(
    pairs: impl Iterator<Item = (&'v Value, &'v Value)>,
    budget: &Budget,
) -> Result<bool> {
    for (a, b) in pairs {
        if !same(a, b) && !equal(a, b, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The order of two numbers (none with a NaN), if both are numbers.
fn compare_numbers(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    Some(match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Float(a), b) => compare_int(b.as_index()?, *a).map(Ordering::reverse),
        (a, Value::Float(b)) => compare_int(a.as_index()?, *b),
        (a, b) => Some(a.as_index()?.cmp(&b.as_index()?)),
    })
}

/// Exact, also where the integer has more digits than a float.
fn compare_int(a: i128, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        return None;
    }
    let whole = b.trunc();
    // Beyond the range of i128 `as` saturates, which orders rightly except for its own ends.
    if whole.abs() >= 2f64.powi(127) {
        return Some(if b > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let order = a.cmp(&(whole as i128));
    Some(order.then(0.0.partial_cmp(&(b - whole)).unwrap_or(Ordering::Equal)))
}

/// The order of two values, none with a NaN; an error for the operator `sign` if they have none.
pub(crate) fn order(a: &Value, b: &Value, sign: &str, budget: &Budget) -> Result<Option<Ordering>> {
    budget.step()?;
    if let Some(order) = compare_numbers(a, b) {
        return Ok(order);
    }
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => {
            budget.read(a.len().min(b.len()))?;
            Ok(Some(a[..].cmp(&b[..])))
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            for (a, b) in a.items.iter().zip(&b.items) {
                if !same(a, b) && !equal(a, b, budget)? {
                    return order(a, b, sign, budget);
                }
            }
            Ok(Some(a.items.len().cmp(&b.items.len())))
        }
        _ => {
            a.defined()?;
            b.defined()?;
            let (a, b) = (a.type_name(), b.type_name());
            fail(format!("'{sign}' not supported between instances of '{a}' and '{b}'"))
        }
    }
}

/// `a < b`
pub(crate) fn less(a: &Value, b: &Value, budget: &Budget) -> Result<bool> {
    Ok(order(a, b, "<", budget)? == Some(Ordering::Less))
}

/// `a is b`: containers and objects are themselves only; strings and numbers are compared, since
/// Python keeps one of each constant.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Undefined(a), Value::Undefined(b)) => Rc::ptr_eq(a, b),
        (Value::None, Value::None) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Text(a), Value::Text(b)) => same_text(a, b),
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        (Value::View(a), Value::View(b)) => Rc::ptr_eq(a, b),
        (Value::Iter(a), Value::Iter(b)) => Rc::ptr_eq(a, b),
        (Value::Object(a), Value::Object(b)) => super::dict::address(a) == super::dict::address(b),
        _ => false,
    }
}

fn same_text(a: &Text, b: &Text) -> bool {
    std::sync::Arc::ptr_eq(a.chars_shared(), b.chars_shared()) || (a.len() < 64 && a[..] == b[..])
}

/// `item in container`
pub(crate) fn contains(run: &Run<'_>, container: &Value, item: &Value) -> Result<bool> {
    let budget = &run.budget;
    match container {
        Value::Text(text) => {
            item.defined()?;
            let Some(part) = item.as_str() else {
                return fail(format!(
                    "'in <string>' requires string as left operand, not {}",
                    item.type_name()
                ));
            };
            budget.read(text.len() + part.len())?;
            Ok(text.contains(part))
        }
        Value::Dict(dict) => Ok(dict.get(item, budget)?.is_some()),
        Value::View(view) if view.shown == Shown::Keys => {
            Ok(view.dict.get(item, budget)?.is_some())
        }
        Value::Range(range) => Ok(match item {
            Value::Float(number) if number.trunc() == *number => range.contains(*number as i128),
            other => other.as_index().is_some_and(|number| range.contains(number)),
        }),
        Value::List(seq) | Value::Tuple(seq) => {
            for existing in &seq.items {
                if same(existing, item) || equal(existing, item, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        other => {
            let Some(mut cursor) = iterate::Cursor::of(other) else {
                return fail(format!("argument of type '{}' is not iterable", other.type_name()));
            };
            while let Some(existing) = cursor.next(run)? {
                if same(&existing, item) || equal(&existing, item, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// Sorts stably by `before`, which may fail: `slice::sort_by` cannot stop and may panic on an order
/// that is none, as NaNs have.
pub(crate) fn sort<T: Clone>(
    items: &mut Vec<T>,
    before: &mut impl FnMut(&T, &T) -> Result<bool>,
) -> Result<()> {
    let mut width = 1;
    while width < items.len() {
        let mut merged = Vec::with_capacity(items.len());
        for run in items.chunks(2 * width) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let (Some(first), Some(second)) = (left.first(), right.first()) {
                let from_right = before(second, first)?;
                let taken = if from_right { &mut right } else { &mut left };
                merged.push(taken[0].clone());
                *taken = &taken[1..];
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *items = merged;
        width *= 2;
    }
    Ok(())
}
