//! Filters that compare items: sorting, grouping, the least and the greatest.

use super::select::Path;
use super::{given, is_true};
use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use crate::value::compare::{equal, less, sort as merge_sort};
use crate::value::dict::Key;
use crate::value::iterate::{Cursor, collect};
use crate::value::{Iter, Seq, Value};
use std::collections::HashSet;

/// What an item is compared by: strings without their case, unless that counts.
fn folded(run: &Run<'_>, value: Value, case_sensitive: bool) -> Result<Value> {
    match &value {
        Value::Text(text) if !case_sensitive => {
            run.budget.read(text.len())?;
            Ok(Value::Text(run.budget.text(&text.to_lowercase())?))
        }
        _ => Ok(value),
    }
}

/// The items sorted by their keys.
fn sorted(run: &Run<'_>, items: Vec<(Value, Value)>, reverse: bool) -> Result<Vec<(Value, Value)>> {
    run.budget.produce_many(items.len(), 2 * size_of::<Value>())?;
    let mut items = items;
    // Reversed, items that are equal keep their order too.
    merge_sort(&mut items, &mut |a, b| match reverse {
        true => less(&b.0, &a.0, &run.budget),
        false => less(&a.0, &b.0, &run.budget),
    })?;
    Ok(items)
}

/// `sort(reverse=False, case_sensitive=False, attribute=None)`
pub(super) fn sort(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [reverse, case_sensitive, attribute] =
        args.optional("sort", ["reverse", "case_sensitive", "attribute"])?;
    let (reverse, case_sensitive) = (is_true(reverse), is_true(case_sensitive));
    // Several attributes may be given, with commas between them.
    let paths = match &attribute {
        Some(Value::Text(text)) => text
            .split(',')
            .map(|path| Path::new(run, &Value::str(path)))
            .collect::<Result<Vec<_>>>()?,
        other => vec![Path::new(run, other.as_ref().unwrap_or(&Value::None))?],
    };
    let mut items = Vec::new();
    for item in collect(run, value)? {
        let mut keys = Vec::with_capacity(paths.len());
        for path in &paths {
            keys.push(folded(run, path.get(run, &item)?, case_sensitive)?);
        }
        items.push((Value::list(keys, &run.budget)?, item));
    }
    let items = sorted(run, items, reverse)?;
    Value::list(items.into_iter().map(|(_, item)| item).collect(), &run.budget)
}

/// `dictsort(case_sensitive=False, by='key', reverse=False)`
pub(super) fn dictsort(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [case_sensitive, by, reverse] =
        args.optional("dictsort", ["case_sensitive", "by", "reverse"])?;
    let by_value = match by.as_ref().map(Value::as_str) {
        None | Some(Some("key")) => false,
        Some(Some("value")) => true,
        _ => return fail("you can only sort by either \"key\" or \"value\""),
    };
    let (case_sensitive, reverse) = (is_true(case_sensitive), is_true(reverse));
    let Value::Dict(dict) = value.defined()? else {
        return fail(format!("dictsort: expected a mapping, found {}", value.type_name()));
    };
    let mut items = Vec::new();
    for (key, value) in dict.entries() {
        let sorted_by = folded(run, if by_value { value } else { key }.clone(), case_sensitive)?;
        items.push((sorted_by, Value::tuple(vec![key.clone(), value.clone()], &run.budget)?));
    }
    let items = sorted(run, items, reverse)?;
    Value::list(items.into_iter().map(|(_, item)| item).collect(), &run.budget)
}

/// `min(case_sensitive=False, attribute=None)`
pub(super) fn min(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    extreme(run, "min", value, args)
}

/// `max(case_sensitive=False, attribute=None)`
pub(super) fn max(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    extreme(run, "max", value, args)
}

/// The first of the least or greatest items.
fn extreme(run: &Run<'_>, name: &str, value: &Value, args: Args) -> Result<Value> {
    let [case_sensitive, attribute] = args.optional(name, ["case_sensitive", "attribute"])?;
    let case_sensitive = is_true(case_sensitive);
    let path = Path::new(run, &attribute.unwrap_or(Value::None))?;
    let mut best: Option<(Value, Value)> = None;
    let mut cursor = Cursor::new(value)?;
    while let Some(item) = cursor.next(run)? {
        let key = folded(run, path.get(run, &item)?, case_sensitive)?;
        let is_better = match &best {
            None => true,
            Some((best, _)) if name == "min" => less(&key, best, &run.budget)?,
            Some((best, _)) => less(best, &key, &run.budget)?,
        };
        if is_better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(
        || Value::undefined("no aggregated item, sequence was empty"),
        |(_, item)| item,
    ))
}

/// `unique(case_sensitive=False, attribute=None)`
pub(super) fn unique(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [case_sensitive, attribute] = args.optional("unique", ["case_sensitive", "attribute"])?;
    let case_sensitive = is_true(case_sensitive);
    let path = Path::new(run, &attribute.unwrap_or(Value::None))?;
    let mut cursor = Cursor::new(value)?;
    let mut seen = HashSet::new();
    let step = move |run: &Run<'_>| {
        while let Some(item) = cursor.next(run)? {
            let key = folded(run, path.get(run, &item)?, case_sensitive)?;
            run.budget.produce(size_of::<Key>())?;
            if seen.insert(Key::new(&key, &run.budget)?) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    };
    Iter::value("sync_do_unique", value.depth(), Box::new(step))
}

/// `groupby(attribute, default=None, case_sensitive=False)`
pub(super) fn groupby(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [attribute, default, case_sensitive] =
        args.bind("groupby", ["attribute", "default", "case_sensitive"], 1)?;
    let path = Path::new(run, &attribute.unwrap_or(Value::None))?.or(given(default));
    let case_sensitive = is_true(case_sensitive);
    let mut items = Vec::new();
    for item in collect(run, value)? {
        items.push((folded(run, path.get(run, &item)?, case_sensitive)?, item));
    }
    let mut groups: Vec<Value> = Vec::new();
    let mut group: Option<(Value, Vec<Value>)> = None;
    for (key, item) in sorted(run, items, false)? {
        match &mut group {
            Some((of, items)) if equal(of, &key, &run.budget)? => items.push(item),
            _ => {
                if let Some(done) = group.replace((key, vec![item])) {
                    groups.push(grouped(run, &path, done, case_sensitive)?);
                }
            }
        }
    }
    if let Some(done) = group {
        groups.push(grouped(run, &path, done, case_sensitive)?);
    }
    Value::list(groups, &run.budget)
}

/// The named tuple of a group; its name has the case that it has in the first item.
fn grouped(
    run: &Run<'_>,
    path: &Path,
    group: (Value, Vec<Value>),
    case_sensitive: bool,
) -> Result<Value> {
    let (key, items) = group;
    let key = match items.first() {
        Some(first) if !case_sensitive => path.get(run, first)?,
        _ => key,
    };
    let items = vec![key, Value::list(items, &run.budget)?];
    Ok(Value::Tuple(Seq::named(items, &["grouper", "list"], &run.budget)?))
}
