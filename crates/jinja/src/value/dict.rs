//! Dictionaries: in the order of insertion, with any key that Python can hash.

use super::sequence::{Shown, deeper};
use super::{Object, Text, Value};
use crate::error::{Result, fail};
use crate::limits::Budget;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Up to this many entries are looked through one by one: most messages have fewer.
const SMALL: usize = 8;

/// What a key is compared by: equal keys of Python are equal here (`1`, `1.0` and `True`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// `None`.
    None,
    /// Integers, and floats that are whole.
    Int(i128),
    /// Other floats, by their bits.
    Float(u64),
    /// Strings.
    Text(Arc<str>),
    /// Tuples.
    Tuple(Vec<Key>),
    /// Ranges: length, start and step.
    Range(usize, i64, i64),
    /// All undefined values are equal.
    Undefined,
    /// What is equal only to itself.
    Address(usize),
}

impl Key {
    /// The key that `value` is.
    pub(crate) fn new(value: &Value, budget: &Budget) -> Result<Key> {
        budget.step()?;
        Ok(match value {
            Value::Undefined(_) => Key::Undefined,
            Value::None => Key::None,
            Value::Bool(value) => Key::Int(i128::from(*value)),
            Value::Int(value) => Key::Int(*value),
            // Whole and small enough to be an integer without loss.
            Value::Float(value) if value.trunc() == *value && value.abs() < 1e38 => {
                Key::Int(*value as i128)
            }
            Value::Float(value) => Key::Float(value.to_bits()),
            Value::Text(text) => {
                budget.read(text.len())?;
                Key::Text(text.chars_shared().clone())
            }
            Value::Tuple(seq) => {
                budget.produce_many(seq.items.len(), size_of::<Key>())?;
                Key::Tuple(
                    seq.items.iter().map(|item| Key::new(item, budget)).collect::<Result<_>>()?,
                )
            }
            Value::Iter(iter) => Key::Address(Rc::as_ptr(iter).addr()),
            Value::Object(object) => Key::Address(address(object)),
            // Equal ranges have equal numbers.
            Value::Range(range) => {
                let length = range.len();
                let start = if length > 0 { range.start } else { 0 };
                let step = if length > 1 { range.step } else { 0 };
                Key::Range(length, start, step)
            }
            Value::View(view) if view.shown == Shown::Values => {
                Key::Address(Rc::as_ptr(view).addr())
            }
            Value::List(_) | Value::Dict(_) | Value::View(_) => {
                return fail(format!("unhashable type: '{}'", value.type_name()));
            }
        })
    }
}

/// Where an object is, which is what makes it itself.
pub(crate) fn address(object: &Rc<dyn Object>) -> usize {
    Rc::as_ptr(object).cast::<()>().addr()
}

/// A dictionary.
#[derive(Default)]
pub(crate) struct Dict {
    entries: Vec<(Value, Value)>,
    /// Where each key is, once there are more than [`SMALL`].
    index: HashMap<Key, usize>,
    /// See [`Value::depth`].
    depth: u16,
}

impl Dict {
    /// A dictionary of these keys, which are different from one another.
    pub(crate) fn of_strings(entries: Vec<(Text, Value)>, budget: &Budget) -> Result<Dict> {
        budget.produce_many(entries.len(), 3 * size_of::<Value>())?;
        let depth = deeper(entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0))?;
        let mut index = HashMap::new();
        if entries.len() > SMALL {
            let numbered = entries.iter().enumerate();
            index
                .extend(numbered.map(|(at, (key, _))| (Key::Text(key.chars_shared().clone()), at)));
        }
        let entries = entries.into_iter().map(|(key, value)| (Value::Text(key), value)).collect();
        Ok(Dict { entries, index, depth })
    }

    /// The entries in order.
    pub(crate) fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// See [`Value::depth`].
    pub(crate) fn depth(&self) -> u16 {
        self.depth.max(1)
    }

    /// The value of a string.
    pub(crate) fn get_str(&self, name: &str) -> Option<&Value> {
        let place = if self.index.is_empty() {
            self.entries.iter().position(|(key, _)| key.as_str() == Some(name))
        } else {
            self.index.get(&Key::Text(name.into())).copied()
        };
        place.map(|at| &self.entries[at].1)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &Value, budget: &Budget) -> Result<Option<&Value>> {
        if let Value::Text(text) = key
            && self.index.is_empty()
        {
            budget.read(text.len())?;
            return Ok(self.get_str(text));
        }
        Ok(self.place(&Key::new(key, budget)?, budget)?.map(|at| &self.entries[at].1))
    }

    fn place(&self, key: &Key, budget: &Budget) -> Result<Option<usize>> {
        if !self.index.is_empty() {
            return Ok(self.index.get(key).copied());
        }
        for (at, (existing, _)) in self.entries.iter().enumerate() {
            let same = match (key, existing) {
                (Key::Text(name), existing) => existing.as_str() == Some(name),
                (_, Value::Text(_)) => false,
                (key, existing) => Key::new(existing, budget)? == *key,
            };
            if same {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Sets the value of a key; a key that was there keeps its place.
    pub(crate) fn insert(&mut self, key: Value, value: Value, budget: &Budget) -> Result<()> {
        let hashed = Key::new(&key, budget)?;
        self.depth = self.depth.max(deeper(value.depth().max(key.depth()))?);
        if let Some(at) = self.place(&hashed, budget)? {
            self.entries[at].1 = value;
            return Ok(());
        }
        budget.produce_many(3, size_of::<Value>())?;
        if self.entries.len() == SMALL {
            for (at, (existing, _)) in self.entries.iter().enumerate() {
                self.index.insert(Key::new(existing, budget)?, at);
            }
        }
        if self.entries.len() >= SMALL {
            self.index.insert(hashed, self.entries.len());
        }
        self.entries.push((key, value));
        Ok(())
    }

    /// [`Dict::insert`] of a string.
    pub(crate) fn insert_str(&mut self, key: &str, value: Value, budget: &Budget) -> Result<()> {
        self.insert(Value::str(key), value, budget)
    }

    /// A copy.
    pub(crate) fn copied(&self, budget: &Budget) -> Result<Dict> {
        let mut copy = Dict::default();
        for (key, value) in &self.entries {
            copy.insert(key.clone(), value.clone(), budget)?;
        }
        Ok(copy)
    }
}
