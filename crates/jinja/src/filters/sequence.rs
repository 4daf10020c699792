//! Filters of sequences that keep their order.

use super::given;
use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use crate::value::iterate::{Cursor, collect};
use crate::value::number::Arithmetic;
use crate::value::repr::{to_text, write_str};
use crate::value::sequence::{Shown, View};
use crate::value::text::Buffer;
use crate::value::{Iter, Text, Value, operators};

use super::select::Path;

/// `length`
pub(super) fn length(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("length", [])?;
    run.budget.read(value.as_str().map_or(0, str::len))?;
    match value.len() {
        Some(len) => Ok(Value::Int(len as i128)),
        None => fail(format!("object of type '{}' has no len()", value.type_name())),
    }
}

/// `list`
pub(super) fn list(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("list", [])?;
    Value::list(collect(run, value)?, &run.budget)
}

/// `first`
pub(super) fn first(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("first", [])?;
    let item = Cursor::new(value)?.next(run)?;
    Ok(item.unwrap_or_else(|| Value::undefined("no first item, sequence was empty")))
}

/// `last`
pub(super) fn last(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("last", [])?;
    let none = || Value::undefined("no last item, sequence was empty");
    Ok(match value {
        Value::List(seq) | Value::Tuple(seq) => seq.items.last().cloned().unwrap_or_else(none),
        Value::Text(text) => match text.chars().next_back() {
            Some(c) => Value::Text(
                run.budget.text(c.encode_utf8(&mut [0; 4]))?.with_markup(text.is_markup()),
            ),
            None => none(),
        },
        Value::Undefined(_) | Value::Dict(_) | Value::Range(_) | Value::View(_) => {
            collect(run, value)?.pop().unwrap_or_else(none)
        }
        other => return fail(format!("'{}' object is not reversible", other.type_name())),
    })
}

/// `reverse`
pub(super) fn reverse(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("reverse", [])?;
    match value {
        Value::Text(text) => {
            run.budget.read(text.len())?;
            run.budget.produce(text.len())?;
            let reversed: String = text.chars().rev().collect();
            Ok(Value::Text(Text::from(&reversed[..]).with_markup(text.is_markup())))
        }
        // Without an order of their own these become lists.
        Value::Iter(_) => {
            let mut items = collect(run, value)?;
            items.reverse();
            Value::list(items, &run.budget)
        }
        Value::List(seq) | Value::Tuple(seq) => {
            Iter::over("reversed", seq.depth(), Cursor::Reversed(seq.clone(), seq.items.len()))
        }
        other => {
            let mut items = collect(run, other)?;
            items.reverse();
            let Value::List(seq) = Value::list(items, &run.budget)? else { return fail("reverse") };
            Iter::over("reversed", seq.depth(), Cursor::Seq(seq, 0))
        }
    }
}

/// `join(d='', attribute=None)`
pub(super) fn join(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [separator, attribute] = args.optional("join", ["d", "attribute"])?;
    let path = given(attribute).map(|attribute| Path::new(run, &attribute)).transpose()?;
    let separator = separator.unwrap_or_else(|| Value::str(""));
    let mut items = Vec::new();
    let mut cursor = Cursor::new(value)?;
    if !run.autoescape.get() {
        let separator = to_text(run, &separator)?;
        let mut out = Buffer::new(&run.budget);
        let mut is_first = true;
        while let Some(item) = cursor.next(run)? {
            if !is_first {
                out.push_str(&separator)?;
            }
            is_first = false;
            match &path {
                Some(path) => write_str(run, &path.get(run, &item)?, &mut out)?,
                None => write_str(run, &item, &mut out)?,
            }
        }
        return Ok(Value::Text(out.into_text(false)));
    }
    while let Some(item) = cursor.next(run)? {
        let item = path.as_ref().map_or(Ok(item.clone()), |path| path.get(run, &item))?;
        items.push(to_text(run, &item)?);
    }
    let separator = to_text(run, &separator)?;
    let markup = separator.is_markup() || items.iter().any(Text::is_markup);
    let mut out = Buffer::new(&run.budget);
    for (n, item) in items.iter().enumerate() {
        for part in (n > 0).then_some(&separator).into_iter().chain([item]) {
            out.push_str(&if markup { part.escaped(&run.budget)? } else { part.clone() })?;
        }
    }
    Ok(Value::Text(out.into_text(markup)))
}

/// `sum(attribute=None, start=0)`
pub(super) fn sum(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [attribute, start] = args.optional("sum", ["attribute", "start"])?;
    let path = given(attribute).map(|attribute| Path::new(run, &attribute)).transpose()?;
    let mut sum = start.unwrap_or(Value::Int(0));
    if sum.as_str().is_some() {
        return fail("sum() can't sum strings [use ''.join(seq) instead]");
    }
    let mut cursor = Cursor::new(value)?;
    while let Some(item) = cursor.next(run)? {
        let item = path.as_ref().map_or(Ok(item.clone()), |path| path.get(run, &item))?;
        sum = operators::binary(run, Arithmetic::Add, &sum, &item)?;
    }
    Ok(sum)
}

/// `items`
pub(super) fn items(_run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("items", [])?;
    match value {
        Value::Undefined(_) => Iter::over("do_items", 0, Cursor::Empty),
        Value::Dict(dict) => {
            let view = View { dict: dict.clone(), shown: Shown::Items };
            Iter::over("do_items", dict.depth().saturating_add(1), Cursor::View(view, 0))
        }
        _ => fail("can only get item pairs from a mapping"),
    }
}

/// `batch(linecount, fill_with=None)`
pub(super) fn batch(_run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [size, fill] = args.bind("batch", ["linecount", "fill_with"], 1)?;
    let size = size.unwrap_or(Value::None).index("batch")?;
    let fill = given(fill);
    let depth = value.depth().max(fill.as_ref().map_or(0, Value::depth)).saturating_add(1);
    let mut cursor = Cursor::new(value)?;
    let mut waiting: Vec<Value> = Vec::new();
    let mut ended = false;
    let step = move |run: &Run<'_>| {
        while !ended {
            let Some(item) = cursor.next(run)? else {
                ended = true;
                let missing = size - waiting.len() as i128;
                if waiting.is_empty() {
                    return Ok(None);
                }
                if let Some(fill) = &fill
                    && missing > 0
                {
                    let missing = usize::try_from(missing).unwrap_or(usize::MAX);
                    run.budget.produce_many(missing, size_of::<Value>())?;
                    waiting.extend(std::iter::repeat_n(fill.clone(), missing));
                }
                return Value::list(std::mem::take(&mut waiting), &run.budget).map(Some);
            };
            let is_full = waiting.len() as i128 == size;
            let full = if is_full { Some(std::mem::take(&mut waiting)) } else { None };
            waiting.push(item);
            if let Some(full) = full {
                return Value::list(full, &run.budget).map(Some);
            }
        }
        Ok(None)
    };
    Iter::value("do_batch", depth, Box::new(step))
}

/// `slice(slices, fill_with=None)`
pub(super) fn slice(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [slices, fill] = args.bind("slice", ["slices", "fill_with"], 1)?;
    let slices = slices.unwrap_or(Value::None).index("slice")?;
    let fill = given(fill);
    let items = collect(run, value)?;
    if slices == 0 {
        return fail("integer division or modulo by zero");
    }
    let slices = usize::try_from(slices.max(0)).unwrap_or(usize::MAX);
    let (per_slice, n_longer) = (items.len() / slices.max(1), items.len() % slices.max(1));
    let depth = value.depth().max(fill.as_ref().map_or(0, Value::depth)).saturating_add(1);
    let mut number = 0;
    let mut start = 0;
    let step = move |run: &Run<'_>| {
        if number == slices {
            return Ok(None);
        }
        let end = start + per_slice + usize::from(number < n_longer);
        let mut part: Vec<Value> = items.get(start..end).unwrap_or_default().to_vec();
        if number >= n_longer {
            part.extend(fill.clone());
        }
        (number, start) = (number + 1, end);
        run.budget.step()?;
        Value::list(part, &run.budget).map(Some)
    };
    Iter::value("sync_do_slice", depth, Box::new(step))
}
