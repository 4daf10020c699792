//! Methods of `str` that take it apart.

use super::receiver::{like, of};
use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use crate::unicode::{is_line_end, is_space};
use crate::value::{Text, Value};
use std::collections::HashSet;

/// `str.split`
pub(crate) fn split(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    parts(run, "split", value, args, |text, separator, n| match separator {
        Some(separator) => text.splitn(n, separator).collect(),
        None => words(text, n, false),
    })
}

/// `str.rsplit`
pub(crate) fn rsplit(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    parts(run, "rsplit", value, args, |text, separator, n| {
        let mut parts = match separator {
            Some(separator) => text.rsplitn(n, separator).collect(),
            None => words(text, n, true),
        };
        parts.reverse();
        parts
    })
}

/// Cuts a text into at most so many parts.
type Cut = for<'t> fn(&'t str, Option<&str>, usize) -> Vec<&'t str>;

fn parts(run: &Run<'_>, name: &str, value: &Value, args: Args, cut: Cut) -> Result<Value> {
    let text = of(value)?;
    let [separator, most] = args.optional(name, ["sep", "maxsplit"])?;
    let most = match most {
        Some(most) => {
            usize::try_from(most.index(name)?).map_or(usize::MAX, |n| n.saturating_add(1))
        }
        None => usize::MAX,
    };
    run.budget.read(text.len())?;
    let parts = match separator {
        None | Some(Value::None) => cut(text, None, most),
        Some(separator) => match &separator.text(name)?[..] {
            "" => return fail("empty separator"),
            separator => cut(text, Some(separator), most),
        },
    };
    list(run, text, parts)
}

fn list(run: &Run<'_>, text: &Text, parts: Vec<&str>) -> Result<Value> {
    run.budget.steps(parts.len())?;
    let parts = parts.into_iter().map(|part| like(run, text, part)).collect::<Result<Vec<_>>>()?;
    Value::list(parts, &run.budget)
}

/// The words of a text; the `n`th takes all that is left. Backwards, they are in reverse.
fn words(text: &str, n: usize, backwards: bool) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest =
        if backwards { text.trim_end_matches(is_space) } else { text.trim_start_matches(is_space) };
    while !rest.is_empty() {
        if words.len() + 1 >= n {
            words.push(rest);
            break;
        }
        let (word, after) = if backwards {
            let start = rest
                .char_indices()
                .rev()
                .find(|(_, c)| is_space(*c))
                .map_or(0, |(at, c)| at + c.len_utf8());
            (&rest[start..], rest[..start].trim_end_matches(is_space))
        } else {
            let end = rest.find(is_space).unwrap_or(rest.len());
            (&rest[..end], rest[end..].trim_start_matches(is_space))
        };
        words.push(word);
        rest = after;
    }
    words
}

/// `str.splitlines`
pub(crate) fn splitlines(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let [keep] = args.optional("splitlines", ["keepends"])?;
    run.budget.read(text.len())?;
    list(run, text, lines(text, keep.is_some_and(|keep| keep.is_true())))
}

/// The lines of a text, with their ends if `keep`.
pub(crate) fn lines(text: &str, keep: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((at, end)) = rest.char_indices().find(|(_, c)| is_line_end(*c)) {
        let next = at + if rest[at..].starts_with("\r\n") { 2 } else { end.len_utf8() };
        lines.push(&rest[..if keep { next } else { at }]);
        rest = &rest[next..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// `str.strip`
pub(crate) fn strip(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    stripped(run, "strip", value, args, [true, true])
}

/// `str.lstrip`
pub(crate) fn lstrip(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    stripped(run, "lstrip", value, args, [true, false])
}

/// `str.rstrip`
pub(crate) fn rstrip(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    stripped(run, "rstrip", value, args, [false, true])
}

fn stripped(
    run: &Run<'_>,
    name: &str,
    value: &Value,
    args: Args,
    [left, right]: [bool; 2],
) -> Result<Value> {
    let text = of(value)?;
    let [chars] = args.optional(name, ["chars"])?;
    let chars = match &chars {
        None | Some(Value::None) => None,
        Some(chars) => Some(chars.text(name)?),
    };
    let chars: Option<HashSet<char>> = match chars {
        Some(chars) => {
            run.budget.steps(chars.len())?;
            Some(chars.chars().collect())
        }
        None => None,
    };
    run.budget.read(text.len())?;
    let is_stripped =
        |c: char| chars.as_ref().map_or_else(|| is_space(c), |chars| chars.contains(&c));
    let mut rest: &str = text;
    if left {
        rest = rest.trim_start_matches(is_stripped);
    }
    if right {
        rest = rest.trim_end_matches(is_stripped);
    }
    if rest.len() == text.len() {
        return Ok(value.clone());
    }
    like(run, text, rest)
}

/// `str.partition`
pub(crate) fn partition(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let (text, separator) = separated(run, "partition", value, args)?;
    match text.split_once(&separator[..]) {
        Some((before, after)) => three(run, text, before, separator, after),
        None => three(run, text, text, Text::from(""), ""),
    }
}

/// `str.rpartition`
pub(crate) fn rpartition(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let (text, separator) = separated(run, "rpartition", value, args)?;
    match text.rsplit_once(&separator[..]) {
        Some((before, after)) => three(run, text, before, separator, after),
        None => three(run, text, "", Text::from(""), text),
    }
}

fn separated<'v>(
    run: &Run<'_>,
    name: &str,
    value: &'v Value,
    args: Args,
) -> Result<(&'v Text, Text)> {
    let text = of(value)?;
    let [separator] = args.required(name, ["sep"])?;
    let separator = separator.text(name)?.clone();
    run.budget.read(text.len())?;
    if separator.is_empty() { fail("empty separator") } else { Ok((text, separator)) }
}

/// The separator stays what it is: markup even in a text that is not.
fn three(run: &Run<'_>, text: &Text, before: &str, separator: Text, after: &str) -> Result<Value> {
    let is_markup = text.is_markup() || separator.is_markup();
    let separator = Value::Text(separator.with_markup(is_markup));
    Value::tuple(vec![like(run, text, before)?, separator, like(run, text, after)?], &run.budget)
}

/// `str.removeprefix`
pub(crate) fn removeprefix(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let [prefix] = args.required("removeprefix", ["prefix"])?;
    like(run, text, text.strip_prefix(&prefix.text("removeprefix")?[..]).unwrap_or(text))
}

/// `str.removesuffix`
pub(crate) fn removesuffix(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let [suffix] = args.required("removesuffix", ["suffix"])?;
    like(run, text, text.strip_suffix(&suffix.text("removesuffix")?[..]).unwrap_or(text))
}
