//! Going through a value, and generators, which are gone through once and compute as they go.

use super::sequence::deeper;
use super::{Range, Seq, Text, Value, View};
use crate::error::{Result, fail};
use crate::interpret::Run;
use std::cell::RefCell;
use std::rc::Rc;

/// A place in an iterable value.
pub(crate) enum Cursor {
    /// In a list or tuple.
    Seq(Rc<Seq>, usize),
    /// In a list or tuple, backwards.
    Reversed(Rc<Seq>, usize),
    /// In a string, by bytes.
    Text(Text, usize),
    /// In a range.
    Range(Range, usize),
    /// In a dictionary's keys, values or items.
    View(View, usize),
    /// In a generator.
    Iter(Rc<Iter>),
    /// Over nothing.
    Empty,
}

impl Cursor {
    /// At the start of `value`; an error if it cannot be gone through.
    pub(crate) fn new(value: &Value) -> Result<Cursor> {
        match Cursor::of(value) {
            Some(cursor) => Ok(cursor),
            None => fail(format!("'{}' object is not iterable", value.type_name())),
        }
    }

    /// At the start of `value`, if it can be gone through.
    pub(crate) fn of(value: &Value) -> Option<Cursor> {
        Some(match value {
            Value::Undefined(_) => Cursor::Empty,
            Value::List(seq) | Value::Tuple(seq) => Cursor::Seq(seq.clone(), 0),
            Value::Text(text) => Cursor::Text(text.clone(), 0),
            Value::Range(range) => Cursor::Range(*range, 0),
            Value::Dict(dict) => {
                let keys = View { dict: dict.clone(), shown: super::sequence::Shown::Keys };
                Cursor::View(keys, 0)
            }
            Value::View(view) => {
                Cursor::View(View { dict: view.dict.clone(), shown: view.shown }, 0)
            }
            Value::Iter(iter) => Cursor::Iter(iter.clone()),
            _ => return None,
        })
    }

    /// The next item.
    pub(crate) fn next(&mut self, run: &Run<'_>) -> Result<Option<Value>> {
        run.budget.step()?;
        match self {
            Cursor::Empty => Ok(None),
            Cursor::Seq(seq, at) => {
                *at += 1;
                Ok(seq.items.get(*at - 1).cloned())
            }
            Cursor::Reversed(seq, left) => {
                *left = left.saturating_sub(1);
                let item = seq.items.get(*left).cloned();
                if *left == 0 {
                    *self = Cursor::Empty;
                }
                Ok(item)
            }
            Cursor::Text(text, at) => match text.get(*at..).and_then(|rest| rest.chars().next()) {
                Some(c) => {
                    *at += c.len_utf8();
                    Ok(Some(Value::Text(run.budget.text(c.encode_utf8(&mut [0; 4]))?)))
                }
                None => Ok(None),
            },
            Cursor::Range(range, at) => {
                *at += 1;
                Ok((*at <= range.len()).then(|| Value::Int(range.at(*at - 1))))
            }
            Cursor::View(view, at) => {
                *at += 1;
                view.at(*at - 1, &run.budget)
            }
            Cursor::Iter(iter) => iter.clone().next(run),
        }
    }
}

/// What a generator does to give the next item.
pub(crate) type Step = Box<dyn FnMut(&Run<'_>) -> Result<Option<Value>>>;

/// A generator.
pub(crate) struct Iter {
    /// The name of Python's function, which is all that printing it shows.
    pub name: &'static str,
    depth: u16,
    step: RefCell<Step>,
}

impl Iter {
    /// A generator over what is in values of this depth.
    pub(crate) fn value(name: &'static str, depth: u16, step: Step) -> Result<Value> {
        Ok(Value::Iter(Rc::new(Iter { name, depth: deeper(depth)?, step: RefCell::new(step) })))
    }

    /// A generator of the items of `cursor`.
    pub(crate) fn over(name: &'static str, depth: u16, mut cursor: Cursor) -> Result<Value> {
        Iter::value(name, depth, Box::new(move |run| cursor.next(run)))
    }

    /// See [`Value::depth`].
    pub(crate) fn depth(&self) -> u16 {
        self.depth
    }

    /// The next item.
    fn next(&self, run: &Run<'_>) -> Result<Option<Value>> {
        let Ok(mut step) = self.step.try_borrow_mut() else {
            return fail("generator already executing");
        };
        run.budget.enter(1)?;
        let item = step(run);
        run.budget.leave(1);
        item
    }
}

/// All items of `value`.
pub(crate) fn collect(run: &Run<'_>, value: &Value) -> Result<Vec<Value>> {
    if let Some(items) = value.as_items() {
        run.budget.produce_many(items.len(), size_of::<Value>())?;
        return Ok(items.to_vec());
    }
    let mut cursor = Cursor::new(value)?;
    let mut items = Vec::new();
    while let Some(item) = cursor.next(run)? {
        items.push(item);
    }
    Ok(items)
}
