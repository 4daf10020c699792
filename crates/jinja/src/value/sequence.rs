//! Lists, tuples, ranges and the views of a dictionary.

use super::{Dict, Value};
use crate::error::{Result, fail};
use crate::limits::{Budget, MAX_DEPTH, MAX_RANGE, exceeded};
use std::rc::Rc;

/// The items of a list or a tuple.
pub(crate) struct Seq {
    /// The items.
    pub items: Vec<Value>,
    /// Names of the items, if it is a named tuple.
    pub names: &'static [&'static str],
    depth: u16,
}

impl Seq {
    /// Counts the items, and how deep they are.
    pub(crate) fn new(items: Vec<Value>, budget: &Budget) -> Result<Rc<Seq>> {
        Seq::named(items, &[], budget)
    }

    /// A named tuple.
    pub(crate) fn named(
        items: Vec<Value>,
        names: &'static [&'static str],
        budget: &Budget,
    ) -> Result<Rc<Seq>> {
        budget.produce_many(items.len() + 1, size_of::<Value>())?;
        budget.steps(items.len() / 8)?;
        let depth = deeper(items.iter().map(Value::depth).max().unwrap_or(0))?;
        Ok(Rc::new(Seq { items, names, depth }))
    }

    /// See [`Value::depth`].
    pub(crate) fn depth(&self) -> u16 {
        self.depth
    }
}

/// The depth of what contains something of this depth.
pub(crate) fn deeper(depth: u16) -> Result<u16> {
    if depth >= MAX_DEPTH {
        return exceeded(u64::from(MAX_DEPTH), "levels of values");
    }
    Ok(depth + 1)
}

/// A `range`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    /// The first number.
    pub start: i64,
    /// The end, which is not in it.
    pub stop: i64,
    /// The distance, which is not 0.
    pub step: i64,
}

impl Range {
    /// Refuses what the sandbox refuses.
    pub(crate) fn new(start: i128, stop: i128, step: i128) -> Result<Range> {
        let [Ok(from), Ok(to), Ok(by)] = [start, stop, step].map(i64::try_from) else {
            return fail("range: expected numbers of 64 bits");
        };
        if by == 0 {
            return fail("range: the third argument must not be zero");
        }
        let range = Range { start: from, stop: to, step: by };
        if range.length() > MAX_RANGE {
            return fail(format!(
                "range: expected at most {MAX_RANGE} items, found {}",
                range.length()
            ));
        }
        Ok(range)
    }

    fn length(&self) -> i128 {
        let distance = i128::from(self.stop) - i128::from(self.start);
        let step = i128::from(self.step);
        if (distance > 0) != (step > 0) { 0 } else { (distance + step - step.signum()) / step }
    }

    /// How many numbers it has.
    pub(crate) fn len(&self) -> usize {
        self.length() as usize
    }

    /// The number at `at`, which must be less than the length.
    pub(crate) fn at(&self, at: usize) -> i128 {
        i128::from(self.start) + i128::from(self.step) * at as i128
    }

    /// Whether `number` is one of its numbers.
    pub(crate) fn contains(&self, number: i128) -> bool {
        let (step, length) = (i128::from(self.step), self.length());
        // What is too far away to be subtracted or divided is none of them.
        let Some(distance) = number.checked_sub(i128::from(self.start)) else { return false };
        let at = distance.checked_div(step).filter(|at| at.checked_mul(step) == Some(distance));
        at.is_some_and(|at| (0..length).contains(&at))
    }
}

/// What a view shows of its dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// `keys()`
    Keys,
    /// `values()`
    Values,
    /// `items()`
    Items,
}

/// `keys()`, `values()` or `items()`.
pub(crate) struct View {
    /// Of this dictionary.
    pub dict: Rc<Dict>,
    /// What of it.
    pub shown: Shown,
}

impl View {
    /// Python's name for it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.shown {
            Shown::Keys => "dict_keys",
            Shown::Values => "dict_values",
            Shown::Items => "dict_items",
        }
    }

    /// What it shows at a place.
    pub(crate) fn at(&self, at: usize, budget: &Budget) -> Result<Option<Value>> {
        let Some((key, value)) = self.dict.entries().get(at) else { return Ok(None) };
        Ok(Some(match self.shown {
            Shown::Keys => key.clone(),
            Shown::Values => value.clone(),
            Shown::Items => Value::tuple(vec![key.clone(), value.clone()], budget)?,
        }))
    }
}

/// Where `start:stop:step` starts and stops over `len` items, and its step, as Python's
/// `slice.indices` gives them.
pub(crate) fn slice_bounds(len: usize, bounds: [Option<i128>; 3]) -> Result<[i128; 3]> {
    let [start, stop, step] = bounds;
    let (len, step) = (len as i128, step.unwrap_or(1));
    if step == 0 {
        return fail("slice step cannot be zero");
    }
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp =
        |bound: i128| (if bound < 0 { bound.saturating_add(len) } else { bound }).clamp(low, high);
    let start = start.map_or(if step > 0 { low } else { high }, clamp);
    let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
    Ok([start, stop, step])
}

/// The places that [`slice_bounds`] takes, in order.
pub(crate) fn slice_places(
    len: usize,
    bounds: [Option<i128>; 3],
) -> Result<impl ExactSizeIterator<Item = usize>> {
    let [start, stop, step] = slice_bounds(len, bounds)?;
    let distance = if step > 0 { stop - start } else { start - stop };
    let size = i128::try_from(step.unsigned_abs()).unwrap_or(i128::MAX);
    let count = if distance <= 0 { 0 } else { (distance - 1) / size + 1 };
    Ok((0..count as usize).map(move |n| (start + step * n as i128) as usize))
}
