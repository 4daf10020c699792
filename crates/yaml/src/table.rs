//! Typed reading of a tree: what is not as it should be is kept, and reading goes on.
//!
//! A getter gives `None` for what is not there and for what is wrong; the second is told when all
//! has been read, so nobody has to tell them apart.

use crate::mistakes::{joined, unknown_key};
use crate::{Entry, Mistake, Node, Value, YamlError, parse};
use std::cell::RefCell;
use std::time::Duration;

/// The largest count: what a double-precision number still counts exactly.
const MOST: i64 = 1 << 53;

/// Reads a text: `of` takes from its table what it knows, and is told all that is wrong with it.
pub fn read<T>(file: &str, text: &str, of: impl FnOnce(&Table<'_>) -> T) -> Result<T, YamlError> {
    read_tree(file, &parse(file, text)?, of)
}

/// The same of a tree that was read before.
pub fn read_tree<T>(
    file: &str,
    node: &Node,
    of: impl FnOnce(&Table<'_>) -> T,
) -> Result<T, YamlError> {
    let mistakes = RefCell::default();
    let top = Item { node, path: String::new(), mistakes: &mistakes };
    let found = top.table().map(|table| of(&table));
    let mut mistakes = mistakes.into_inner();
    mistakes.sort_by_key(|mistake| mistake.line);
    match found {
        Some(found) if mistakes.is_empty() => Ok(found),
        _ => Err(YamlError { file: file.to_owned(), mistakes }),
    }
}

/// A value under the keys that lead to it.
#[derive(Clone)]
pub struct Item<'t> {
    node: &'t Node,
    path: String,
    mistakes: &'t RefCell<Vec<Mistake>>,
}

impl<'t> Item<'t> {
    /// The value itself.
    pub fn node(&self) -> &'t Node {
        self.node
    }

    /// The keys that lead to it, e.g. `latency.lengths[2]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Nothing, which may mean something: `quantization: null`.
    pub fn is_null(&self) -> bool {
        self.node.value == Value::Null
    }

    /// Keeps a mistake: `what` says what was expected and what is there.
    pub fn wrong(&self, what: impl Into<String>) {
        let mistake = Mistake { line: self.node.line, path: self.path.clone(), what: what.into() };
        self.mistakes.borrow_mut().push(mistake);
    }

    fn expected<T>(&self, expected: &str) -> Option<T> {
        self.wrong(format!("expected {expected}, found {}", self.node.value.told()));
        None
    }

    /// A whole number from 0 on.
    pub fn count(&self) -> Option<u64> {
        match self.node.value {
            Value::Int(number @ 0..=MOST) => Some(number as u64),
            Value::Int(0..) | Value::Float(1e15..) => {
                self.expected("a whole number of at most 2^53")
            }
            _ => self.expected("a whole number from 0 on"),
        }
    }

    /// A number.
    pub fn number(&self) -> Option<f64> {
        match self.node.value {
            Value::Int(number) => Some(number as f64),
            Value::Float(number) if number.is_finite() => Some(number),
            _ => self.expected("a number"),
        }
    }

    /// Yes or no.
    pub fn flag(&self) -> Option<bool> {
        match self.node.value {
            Value::Bool(yes) => Some(yes),
            _ => self.expected("true or false"),
        }
    }

    /// Text.
    pub fn text(&self) -> Option<&'t str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            _ => self.expected("text"),
        }
    }

    /// A time: a number of seconds, or one with a unit, e.g. `90`, `500ms`, `2m`, `1h`.
    pub fn duration(&self) -> Option<Duration> {
        let seconds = match &self.node.value {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Text(text) => seconds(text),
            _ => None,
        };
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        time.or_else(|| self.expected("a time, e.g. 90, 500ms, 90s, 2m or 1h"))
    }

    /// The values of a list, or the one that stands in its place; an empty list is a mistake.
    pub fn list(&self) -> Option<Vec<Item<'t>>> {
        match &self.node.value {
            Value::List(list) if list.is_empty() => self.expected("a value or a list of some"),
            Value::List(list) => {
                let item = |(i, node)| {
                    let path = format!("{}[{i}]", self.path);
                    Item { node, path, mistakes: self.mistakes }
                };
                Some(list.iter().enumerate().map(item).collect())
            }
            _ => Some(vec![self.clone()]),
        }
    }

    /// The values of a list, or the one that stands in its place, each read as `of` does.
    pub fn each<T>(&self, of: impl Fn(&Item<'t>) -> Option<T>) -> Option<Vec<T>> {
        // All of them are read, for their mistakes.
        let found: Vec<Option<T>> = self.list()?.iter().map(of).collect();
        found.into_iter().collect()
    }

    /// A table of keys.
    pub fn table(&self) -> Option<Table<'t>> {
        match &self.node.value {
            Value::Map(entries) => {
                let asked = RefCell::default();
                Some(Table { item: self.clone(), entries, asked })
            }
            _ => self.expected("a table of keys"),
        }
    }
}

/// Keys and values, and which keys were asked for.
#[derive(Clone)]
pub struct Table<'t> {
    item: Item<'t>,
    entries: &'t [Entry],
    asked: RefCell<Vec<String>>,
}

impl<'t> Table<'t> {
    /// Where the table itself stands.
    pub fn item(&self) -> &Item<'t> {
        &self.item
    }

    /// The value of a key, whatever it is.
    pub fn optional(&self, key: &str) -> Option<Item<'t>> {
        self.asked.borrow_mut().push(key.to_owned());
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(self.entry(entry))
    }

    /// The value of a key that must be there.
    pub fn required(&self, key: &str) -> Option<Item<'t>> {
        let found = self.optional(key);
        if found.is_none() {
            self.item.wrong(format!("expected the key {key}, found none"));
        }
        found
    }

    /// All keys and values, in order: of a table whose keys are names that people choose.
    pub fn entries(&self) -> impl Iterator<Item = (&'t str, Item<'t>)> {
        self.asked.borrow_mut().extend(self.entries.iter().map(|entry| entry.key.clone()));
        self.entries.iter().map(|entry| (entry.key.as_str(), self.entry(entry)))
    }

    fn entry(&self, entry: &'t Entry) -> Item<'t> {
        let path = joined(&self.item.path, &entry.key);
        Item { node: &entry.node, path, mistakes: self.item.mistakes }
    }

    /// [`Item::count`] of a key.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.optional(key)?.count()
    }

    /// Counts of a key: a list of them, or one.
    pub fn counts(&self, key: &str) -> Option<Vec<u64>> {
        self.optional(key)?.each(Item::count)
    }

    /// [`Item::number`] of a key.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.optional(key)?.number()
    }

    /// [`Item::flag`] of a key.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.optional(key)?.flag()
    }

    /// [`Item::text`] of a key.
    pub fn text(&self, key: &str) -> Option<&'t str> {
        self.optional(key)?.text()
    }

    /// Texts of a key: a list of them, or one.
    pub fn texts(&self, key: &str) -> Option<Vec<&'t str>> {
        self.optional(key)?.each(Item::text)
    }

    /// [`Item::duration`] of a key.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        self.optional(key)?.duration()
    }

    /// [`Item::table`] of a key.
    pub fn table(&self, key: &str) -> Option<Table<'t>> {
        self.optional(key)?.table()
    }

    /// Refuses keys that nobody asked for, which would otherwise say something to nobody.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        // In the order in which they were asked for, each once.
        let is_first = |(i, key): &(usize, &String)| !asked[..*i].contains(key);
        let known = asked.iter().enumerate().filter(is_first).map(|(_, key)| key.as_str());
        for entry in self.entries.iter().filter(|entry| !asked.contains(&entry.key)) {
            let path = joined(&self.item.path, &entry.key);
            let what = unknown_key(&entry.key, known.clone());
            self.item.mistakes.borrow_mut().push(Mistake { line: entry.line, path, what });
        }
    }
}

/// A number with a unit of time.
fn seconds(text: &str) -> Option<f64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let scale = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Some(number.trim().parse::<f64>().ok()? * scale)
}
