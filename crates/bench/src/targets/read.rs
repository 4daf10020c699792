//! A file of targets.
//!
//! ```yaml
//! targets:
//!   gpt2:                          # a model
//!     min_tokens_per_second: 5     # min_ or max_ and a figure
//!     ttft_ms.p95: {max: 500, test: pp512+tg128}
//!   decode_tps:                    # of every model
//!   - {min: 30, where: {n_threads: 4}}
//!   - {min: 20, where: {n_threads: 2}}
//! ```
//!
//! Without the key `targets` the whole file is what would stand below it. With it other keys are
//! left to whoever else reads the file.

use super::{Target, as_text};
use crate::named::Named;
use pacemark_record::Bound;
use pacemark_yaml::{Item, Node, Table, Value, YamlError};

/// The targets of a text. `file` is its name in errors.
pub fn read(file: &str, text: &str) -> Result<Vec<Target>, YamlError> {
    read_tree(file, &pacemark_yaml::parse(file, text)?)
}

/// The same of a tree that was read before.
pub fn read_tree(file: &str, tree: &Node) -> Result<Vec<Target>, YamlError> {
    pacemark_yaml::read_tree(file, tree, |top| {
        let mut targets = Vec::new();
        let below = top.optional("targets");
        let table = match &below {
            Some(targets) => targets.table(),
            None => Some(top.clone()),
        };
        let Some(table) = table else { return targets };
        for (key, item) in table.entries() {
            if is_target(key, &item) {
                figure(None, key, &item, &mut targets);
            } else if let Some(of_model) = item.table() {
                of_model.entries().for_each(|(name, item)| {
                    figure(Some(key), name, &item, &mut targets);
                });
            }
        }
        if targets.is_empty() {
            table.item().wrong("expected at least one target, found none");
        }
        targets
    })
}

/// A key is a figure's and not a model's: its value is a number or says at least or at most.
fn is_target(key: &str, item: &Item<'_>) -> bool {
    let bounds = |value: &Value| match value {
        Value::Map(entries) => {
            entries.iter().any(|entry| ["min", "max"].contains(&entry.key.as_str()))
        }
        Value::Int(_) | Value::Float(_) => true,
        _ => false,
    };
    match &item.node().value {
        Value::List(list) => list.iter().any(|node| bounds(&node.value)),
        value => bounds(value) || side(key).is_some_and(|(_, name)| Named::parse(name).is_ok()),
    }
}

/// Which end `min_NAME` and `max_NAME` bound.
fn side(key: &str) -> Option<(bool, &str)> {
    let min = key.strip_prefix("min_").map(|name| (true, name));
    min.or_else(|| key.strip_prefix("max_").map(|name| (false, name)))
}

/// The targets under a figure's name.
fn figure(model: Option<&str>, key: &str, item: &Item<'_>, targets: &mut Vec<Target>) {
    // A figure whose own name begins so is that figure.
    let (side, name) = match (Named::parse(key), side(key)) {
        (Err(_), Some((is_min, name))) => (Some(is_min), name),
        _ => (None, key),
    };
    let figure = match Named::parse(name) {
        Ok(figure) => figure,
        Err(unknown) => return item.wrong(unknown),
    };
    for item in item.list().into_iter().flatten() {
        let mut target = Target {
            model: model.map(str::to_owned),
            figure: figure.clone(),
            bound: Bound::default(),
            test: None,
            params: Vec::new(),
            line: item.node().line,
        };
        let read = match side {
            Some(is_min) => item.number().map(|number| bound(&mut target.bound, is_min, number)),
            None => item.table().and_then(|table| limits(&table, &mut target)),
        };
        targets.extend(read.map(|()| target));
    }
}

fn bound(bound: &mut Bound, is_min: bool, number: f64) {
    *(if is_min { &mut bound.min } else { &mut bound.max }) = Some(number);
}

/// `{min, max, test, where}`.
fn limits(table: &Table<'_>, target: &mut Target) -> Option<()> {
    target.bound = Bound { min: table.number("min"), max: table.number("max") };
    target.test = table.text("test").map(str::to_owned);
    if let Some(params) = table.table("where") {
        for (name, item) in params.entries() {
            let value = match &item.node().value {
                Value::Int(number) => as_text(&(*number).into()),
                Value::Float(number) => as_text(&(*number).into()),
                Value::Bool(yes) => yes.to_string(),
                Value::Text(text) => text.clone(),
                other => {
                    item.wrong(format!("expected one value, found {}", other.told()));
                    continue;
                }
            };
            target.params.push((name.to_owned(), value));
        }
    }
    table.finish();
    match target.bound {
        Bound { min: None, max: None } => {
            table.item().wrong("expected min or max, found neither");
            None
        }
        Bound { min: Some(min), max: Some(max) } if min > max => {
            table.item().wrong(format!("expected min below max, found {min} above {max}"));
            None
        }
        _ => Some(()),
    }
}
