//! The values that a suite runs by, and where each came from: the default, the file, the environment
//! or a flag. The environment and flags are put into the file's tree before it is read, so that one
//! reading serves all.

use pacemark_yaml::{Entry, Item, Mistake, Node, Table, Value, YamlError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::cell::RefCell;
use std::time::Duration;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Origin {
    Default,
    File,
    Environment,
    Flag,
}

/// A value, by the keys that lead to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Setting {
    pub key: String,
    pub value: serde_json::Value,
    pub from: Origin,
}

/// What flags and environment say, and what was read so far.
#[derive(Default)]
pub(super) struct Settings {
    /// Keys that do not come from the file.
    overridden: Vec<(String, Origin)>,
    read: RefCell<Vec<Setting>>,
}

/// Keys of the top; all others are of `benchmark`.
pub(super) const TOP: [&str; 5] = ["models", "backends", "benchmark", "targets", "test_prompts"];

/// What the environment's names of values begin with.
const PREFIX: &str = "PACEMARK_SUITE_";

impl Settings {
    /// Puts `key` (`latency.test_runs`) into the tree, in place of what the file says. `value` is YAML.
    pub(super) fn put(
        &mut self,
        tree: &mut Node,
        key: &str,
        value: &str,
        from: Origin,
    ) -> Result<(), String> {
        let mut path: Vec<&str> = key.split('.').collect();
        if path.iter().any(|part| part.is_empty()) {
            return Err(format!("{key}: expected keys with a dot between them"));
        }
        if !TOP.contains(&path[0]) {
            path.insert(0, "benchmark");
        }
        let value = pacemark_yaml::parse(key, value).map_err(|error| error.to_string())?;
        place(tree, &path, value)?;
        self.overridden.push((path.join("."), from));
        Ok(())
    }

    /// Puts what the environment says into the tree: `PACEMARK_SUITE_LATENCY__TEST_RUNS`.
    pub(super) fn put_environment(
        &mut self,
        tree: &mut Node,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), String> {
        let mut ours: Vec<(String, String)> =
            variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.sort();
        for (name, value) in ours {
            let key = name[PREFIX.len()..].to_lowercase().replace("__", ".");
            let put = self.put(tree, &key, &value, Origin::Environment);
            put.map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }

    /// A key that was put into a part which is not among `parts`, where a file names some.
    pub(super) fn astray(&self, parts: &[&str], all: &[&str]) -> Option<&str> {
        let part = |key: &str| key.strip_prefix("benchmark.")?.split('.').next().map(str::to_owned);
        let is_astray = |key: &str| {
            part(key).is_some_and(|p| all.contains(&p.as_str()) && !parts.contains(&p.as_str()))
        };
        let found = self.overridden.iter().find(|(key, _)| !parts.is_empty() && is_astray(key));
        found.map(|(key, _)| key.as_str())
    }

    /// What is wrong, by who said it: the file, the environment, flags.
    pub(super) fn blamed(&self, error: YamlError) -> Vec<YamlError> {
        let of = |name: &str, from: Origin| {
            let is_his = |mistake: &&Mistake| self.from(&mistake.path) == from;
            let line = |m: &Mistake| if from == Origin::File { m.line } else { 0 };
            let mistakes = error.mistakes.iter().filter(is_his);
            let mistakes = mistakes.map(|m| Mistake { line: line(m), ..m.clone() }).collect();
            YamlError { file: name.to_owned(), mistakes }
        };
        let environment = of("the environment", Origin::Environment);
        let all = [of(&error.file, Origin::File), environment, of("flags", Origin::Flag)];
        all.into_iter().filter(|error| !error.mistakes.is_empty()).collect()
    }

    /// Everything that was read, in order.
    pub(super) fn all(&self) -> Vec<Setting> {
        self.read.borrow().clone()
    }

    fn from(&self, key: &str) -> Origin {
        let after = |over: &str| key.strip_prefix(over).and_then(|rest| rest.chars().next());
        let within = |over: &str| key == over || matches!(after(over), Some('.' | '['));
        let found = self.overridden.iter().rev().find(|(over, _)| within(over));
        found.map_or(Origin::File, |(_, from)| *from)
    }

    /// Notes a value that was read; `None` where the default was taken.
    pub(super) fn note(&self, key: &str, value: serde_json::Value, is_given: bool) {
        let from = if is_given { self.from(key) } else { Origin::Default };
        self.read.borrow_mut().push(Setting { key: key.to_owned(), value, from });
    }
}

/// A tree as JSON has it.
pub(super) fn json_of(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(yes) => json!(yes),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::List(list) => list.iter().map(json_of).collect(),
        Value::Map(entries) => {
            let pair = |entry: &Entry| (entry.key.clone(), json_of(&entry.node));
            serde_json::Value::Object(entries.iter().map(pair).collect())
        }
    }
}

fn place(node: &mut Node, path: &[&str], value: Node) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    if node.value == Value::Null {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else {
        return Err(format!("{key}: there is no table of keys to put it in"));
    };
    let at = entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
        let empty = Node { line: 0, column: 0, value: Value::Null };
        entries.push(Entry { key: (*key).to_owned(), line: 0, column: 0, node: empty });
        entries.len() - 1
    });
    place(&mut entries[at].node, rest, value)
}

/// A table of the file, or its absence: values that are not there are defaults.
pub(super) struct Section<'t> {
    table: Option<Table<'t>>,
    key: String,
    settings: &'t Settings,
}

impl<'t> Section<'t> {
    pub(super) fn new(table: Option<Table<'t>>, key: &str, settings: &'t Settings) -> Section<'t> {
        Section { table, key: key.to_owned(), settings }
    }

    /// A value of a key, by `read`; the default where it is not there or wrong, which is told.
    fn get<T: Clone>(
        &self,
        key: &str,
        default: T,
        read: impl Fn(&Item<'t>) -> Option<T>,
        json: impl Fn(&T) -> serde_json::Value,
    ) -> T {
        let item = self.table.as_ref().and_then(|table| table.optional(key));
        let found = item.as_ref().and_then(read);
        let value = found.clone().unwrap_or(default);
        self.settings.note(&self.path(key), json(&value), found.is_some());
        value
    }

    /// A number of at least one.
    pub(super) fn positive(&self, key: &str, default: u64) -> u64 {
        self.get(key, default, at_least_one, |n| json!(n))
    }

    /// A number.
    pub(super) fn count(&self, key: &str, default: u64) -> u64 {
        self.get(key, default, Item::count, |n| json!(n))
    }

    /// Numbers of at least one each.
    pub(super) fn positives(&self, key: &str, default: &[u64]) -> Vec<u64> {
        let read = |item: &Item<'t>| match &item.node().value {
            // An empty list asks for none of it.
            Value::List(list) if list.is_empty() => Some(Vec::new()),
            _ => distinct(item, item.each(at_least_one)?),
        };
        self.get(key, default.to_vec(), read, |n| json!(n))
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        self.get(key, default, Item::flag, |yes| json!(yes))
    }

    pub(super) fn text(&self, key: &str, default: &str) -> String {
        let read = |item: &Item<'t>| item.text().map(str::to_owned);
        self.get(key, default.to_owned(), read, |text| json!(text))
    }

    /// Texts, each one of `known`.
    pub(super) fn choices(&self, key: &str, default: &[&str], known: &[&str]) -> Vec<String> {
        let one = |item: &Item<'t>| {
            let text = item.text()?;
            if !known.contains(&text) {
                let known = known.join(", ");
                item.wrong(format!(
                    "expected one of {known}, found {}",
                    pacemark_files::quoted(text)
                ));
                return None;
            }
            Some(text.to_owned())
        };
        let read = |item: &Item<'t>| match &item.node().value {
            Value::List(list) if list.is_empty() => Some(Vec::new()),
            _ => distinct(item, item.each(one)?),
        };
        let default: Vec<String> = default.iter().map(|text| (*text).to_owned()).collect();
        self.get(key, default, read, |texts| json!(texts))
    }

    pub(super) fn seconds(&self, key: &str, default: u64) -> Duration {
        let read = |item: &Item<'t>| {
            let time = item.duration()?;
            if time.is_zero() {
                item.wrong("expected more than no time, found 0");
                return None;
            }
            Some(time)
        };
        self.get(key, Duration::from_secs(default), read, |time| json!(time.as_secs_f64()))
    }

    /// The value of a key as it stands.
    pub(super) fn item(&self, key: &str) -> Option<Item<'t>> {
        self.table.as_ref()?.optional(key)
    }

    /// A table in it.
    pub(super) fn section(&self, key: &str) -> Section<'t> {
        let item = self.item(key).filter(|item| !item.is_null());
        let table = item.and_then(|item| item.table());
        Section::new(table, &self.path(key), self.settings)
    }

    fn path(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }

    pub(super) fn finish(&self) {
        self.table.iter().for_each(Table::finish);
    }
}

/// Refuses a list that has something twice: it would be measured twice under one name.
fn distinct<T: PartialEq + std::fmt::Display>(item: &Item<'_>, values: Vec<T>) -> Option<Vec<T>> {
    let twice = values.iter().enumerate().find(|(i, value)| values[..*i].contains(value));
    if let Some((_, value)) = twice {
        item.wrong(format!("expected each value once, found {value} twice"));
        return None;
    }
    Some(values)
}

fn at_least_one(item: &Item<'_>) -> Option<u64> {
    let n = item.count()?;
    if n == 0 {
        item.wrong("expected a whole number from 1 on, found 0");
        return None;
    }
    Some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        use Origin::{Default, Environment, File, Flag};
        let text = "benchmark:\n  latency: {test_runs: 1, warmup_runs: 1}\n";
        let mut tree = pacemark_yaml::parse("f", text).unwrap();
        let mut settings = Settings::default();
        let variables = [("PACEMARK_SUITE_LATENCY__TEST_RUNS", "2"), ("HOME", "x")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        settings.put_environment(&mut tree, variables.into_iter()).unwrap();
        settings.put(&mut tree, "memory.test_runs", "3", Flag).unwrap();
        let read = pacemark_yaml::read_tree("f", &tree, |file| {
            let benchmark = Section::new(file.table("benchmark"), "benchmark", &settings);
            let (latency, memory) = (benchmark.section("latency"), benchmark.section("memory"));
            let found = [
                latency.positive("test_runs", 9),
                latency.count("warmup_runs", 9),
                memory.positive("test_runs", 9),
                memory.positive("other", 9),
            ];
            [&benchmark, &latency, &memory].into_iter().for_each(Section::finish);
            found
        });
        assert_eq!(read.unwrap(), [2, 1, 3, 9]);
        let from: Vec<Origin> = settings.all().iter().map(|setting| setting.from).collect();
        assert_eq!(from, [Environment, File, Flag, Default]);
        assert_eq!(settings.all()[0].key, "benchmark.latency.test_runs");
        assert!(settings.put(&mut tree, "latency.test_runs.x", "3", Flag).is_err());
        assert!(settings.put(&mut tree, "latency..x", "3", Flag).is_err());
    }
}
