//! The methods of `str`. What makes a string of markup gives markup, as markupsafe's do.

use super::receiver::of;
use super::{Method, case, pad, search, split};
use crate::error::{Result, fail};
use crate::format::braces;
use crate::interpret::{Args, Run};
use crate::value::iterate::Cursor;
use crate::value::text::Buffer;
use crate::value::{Text, Value};

/// All of them.
pub(crate) const METHODS: &[Method] = &[
    Method::new("capitalize", case::capitalize),
    Method::new("casefold", case::casefold),
    Method::new("center", pad::center),
    Method::new("count", search::count),
    Method::refused("encode"),
    Method::new("endswith", search::endswith),
    Method::new("expandtabs", pad::expandtabs),
    Method::new("find", search::find),
    Method::new("format", |run, value, args| braces::format(run, of(value)?, &args)),
    Method::new("format_map", format_map),
    Method::new("index", search::index),
    Method::new("isalnum", case::isalnum),
    Method::new("isalpha", case::isalpha),
    Method::new("isascii", case::isascii),
    Method::new("isdecimal", case::isdecimal),
    Method::new("isdigit", case::isdigit),
    Method::new("isidentifier", case::isidentifier),
    Method::new("islower", case::islower),
    Method::new("isnumeric", case::isnumeric),
    Method::new("isprintable", case::isprintable),
    Method::new("isspace", case::isspace),
    Method::new("istitle", case::istitle),
    Method::new("isupper", case::isupper),
    Method::new("join", join),
    Method::new("ljust", pad::ljust),
    Method::new("lower", case::lower),
    Method::new("lstrip", split::lstrip),
    Method::refused("maketrans"),
    Method::new("partition", split::partition),
    Method::new("removeprefix", split::removeprefix),
    Method::new("removesuffix", split::removesuffix),
    Method::new("replace", replace),
    Method::new("rfind", search::rfind),
    Method::new("rindex", search::rindex),
    Method::new("rjust", pad::rjust),
    Method::new("rpartition", split::rpartition),
    Method::new("rsplit", split::rsplit),
    Method::new("rstrip", split::rstrip),
    Method::new("split", split::split),
    Method::new("splitlines", split::splitlines),
    Method::new("startswith", search::startswith),
    Method::new("strip", split::strip),
    Method::new("swapcase", case::swapcase),
    Method::new("title", case::title),
    Method::refused("translate"),
    Method::new("upper", case::upper),
    Method::new("zfill", pad::zfill),
];

fn format_map(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [mapping] = args.required("format_map", ["mapping"])?;
    let Value::Dict(dict) = &mapping else {
        return fail(format!("format_map: expected a mapping, found {}", mapping.described()));
    };
    let mut keyword = Vec::new();
    for (key, value) in dict.entries() {
        run.budget.step()?;
        if let Value::Text(name) = key {
            keyword.push((name.chars_shared().clone(), value.clone()));
        }
    }
    braces::format(run, of(value)?, &Args { positional: Vec::new(), keyword })
}

fn join(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let separator = of(value)?;
    let [items] = args.required("join", ["iterable"])?;
    let mut out = Buffer::new(&run.budget);
    let mut cursor = Cursor::new(&items)?;
    let mut n = 0;
    while let Some(item) = cursor.next(run)? {
        if n > 0 {
            out.push_str(separator)?;
        }
        match &item {
            Value::Text(text) if separator.is_markup() => {
                out.push_str(&text.escaped(&run.budget)?)?
            }
            Value::Text(text) => out.push_str(text)?,
            other if separator.is_markup() => {
                out.push_escaped(&crate::value::repr::to_text(run, other)?)?;
            }
            other => {
                return fail(format!(
                    "sequence item {n}: expected str instance, {} found",
                    other.type_name()
                ));
            }
        }
        n += 1;
    }
    Ok(Value::Text(out.into_text(separator.is_markup())))
}

fn replace(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let [old, new, count] = args.bind("replace", ["old", "new", "count"], 2)?;
    let (old, new) = (old.unwrap_or(Value::None), new.unwrap_or(Value::None));
    let count = match count {
        Some(count) => count.index("replace")?,
        None => -1,
    };
    let new = new.text("replace")?;
    let new = if text.is_markup() { new.escaped(&run.budget)? } else { new.clone() };
    Ok(Value::Text(
        replaced(run, text, old.text("replace")?, &new, count)?.with_markup(text.is_markup()),
    ))
}

/// `text` with the first `count` of `old` replaced, or all if that is negative.
pub(crate) fn replaced(
    run: &Run<'_>,
    text: &str,
    old: &str,
    new: &str,
    count: i128,
) -> Result<Text> {
    run.budget.read(text.len())?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut out = Buffer::new(&run.budget);
    let mut at = 0;
    // An empty text is found before each character and at the end, as Python finds it.
    for (found, _) in text.match_indices(old).take(count) {
        run.budget.steps(usize::from(new.len() < 64))?;
        out.push_str(&text[at..found])?;
        out.push_str(new)?;
        at = found + old.len();
    }
    out.push_str(&text[at..])?;
    Ok(out.into_text(false))
}
