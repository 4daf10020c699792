//! Filters of texts.

use super::{count, given, is_true};
use crate::error::{Result, fail};
use crate::format::percent;
use crate::interpret::{Args, Run};
use crate::methods;
use crate::methods::pad::centered;
use crate::methods::split::lines;
use crate::methods::text::replaced;
use crate::unicode;
use crate::value::repr::to_text;
use crate::value::text::Buffer;
use crate::value::{Text, Value};

/// Calls a method of `str` on what `soft_str` makes of the value.
fn method(run: &Run<'_>, name: &str, value: &Value, args: Args) -> Result<Value> {
    let text = Value::Text(to_text(run, value)?);
    match methods::find(&text, name) {
        Some(method) => (method.call)(run, &text, args),
        None => fail(format!("str has no method '{name}'")),
    }
}

/// `capitalize`
pub(super) fn capitalize(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    method(run, "capitalize", value, args)
}

/// `lower`
pub(super) fn lower(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    method(run, "lower", value, args)
}

/// `upper`
pub(super) fn upper(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    method(run, "upper", value, args)
}

/// `trim(chars)`
pub(super) fn trim(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    method(run, "strip", value, args)
}

/// `center(width=80)`
pub(super) fn center(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [width] = args.optional("center", ["width"])?;
    let width = width.map_or(Ok(80), |width| width.index("center"))?;
    centered(run, &to_text(run, value)?, usize::try_from(width.max(0)).unwrap_or(usize::MAX), ' ')
}

/// `title`: words begin after white space, `-` and opening brackets.
pub(super) fn title(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("title", [])?;
    let text = to_text(run, value)?;
    run.budget.read(text.len())?;
    let is_border = |c: char| unicode::is_space(c) || "-({[<".contains(c);
    let mut out = Buffer::new(&run.budget);
    let mut rest: &str = &text;
    while let Some(first) = rest.chars().next() {
        run.budget.step()?;
        let end = match is_border(first) {
            true => rest.find(|c| !is_border(c)),
            false => rest.find(is_border),
        };
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        out.push_str(&first.to_uppercase().to_string())?;
        out.push_str(&part[first.len_utf8()..].to_lowercase())?;
        rest = after;
    }
    Ok(Value::Text(out.into_text(false)))
}

/// `replace(old, new, count)`
pub(super) fn replace(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [old, new, count] = args.bind("replace", ["old", "new", "count"], 2)?;
    let count = given(count).map_or(Ok(-1), |count| count.index("replace"))?;
    let text = to_text(run, value)?;
    let (old, new) = (old.unwrap_or(Value::None), new.unwrap_or(Value::None));
    let (old, new) = (to_text(run, &old)?, to_text(run, &new)?);
    if !run.autoescape.get() {
        return Ok(Value::Text(replaced(run, &text, &old, &new, count)?));
    }
    let escapes = old.is_markup() || new.is_markup() && !text.is_markup();
    let text = if escapes { text.escaped(&run.budget)? } else { text };
    let new = if text.is_markup() { new.escaped(&run.budget)? } else { new };
    Ok(Value::Text(replaced(run, &text, &old, &new, count)?.with_markup(text.is_markup())))
}

/// `indent(width=4, first=False, blank=False)`
pub(super) fn indent(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [width, first, blank] = args.optional("indent", ["width", "first", "blank"])?;
    let text = value.text("indent")?;
    let indentation = match &width {
        Some(Value::Text(text)) => text.clone(),
        width => {
            let width = width.as_ref().map_or(Ok(4), |width| width.index("indent"))?;
            let mut spaces = Buffer::new(&run.budget);
            spaces.pad(' ', usize::try_from(width.max(0)).unwrap_or(usize::MAX))?;
            spaces.into_text(false)
        }
    };
    let (first, blank) = (is_true(first), is_true(blank));
    run.budget.read(text.len())?;
    // A line feed more, so that one at the end is a line of its own.
    let ended = format!("{}\n", &text[..]);
    let mut out = Buffer::new(&run.budget);
    for (n, line) in lines(&ended, false).into_iter().enumerate() {
        run.budget.step()?;
        if n > 0 {
            out.push('\n')?;
        }
        if n == 0 && first || n > 0 && (blank || !line.is_empty()) {
            out.push_str(&indentation)?;
        }
        out.push_str(line)?;
    }
    Ok(Value::Text(out.into_text(text.is_markup())))
}

/// `truncate(length=255, killwords=False, end='...', leeway=5)`
pub(super) fn truncate(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [length, kill_words, end, leeway] =
        args.optional("truncate", ["length", "killwords", "end", "leeway"])?;
    let length = length.map_or(Ok(255), |length| count(&length, "truncate"))?;
    let leeway = given(leeway).map_or(Ok(5), |leeway| count(&leeway, "truncate"))?;
    let end = end.unwrap_or_else(|| Value::str("..."));
    let end = end.text("truncate")?;
    let Some(kept) = length.checked_sub(end.n_chars()) else {
        return fail(format!(
            "truncate: expected a length of at least {}, found {length}",
            end.n_chars()
        ));
    };
    run.budget.read(value.as_str().map_or(0, str::len))?;
    // Whatever is short enough stays as it is, of any type that has a length.
    if value.len().is_some_and(|len| len <= length.saturating_add(leeway)) {
        return Ok(value.clone());
    }
    let text = value.text("truncate")?;
    let mut kept = text.slice(0, kept);
    if !is_true(kill_words) {
        kept = kept.rsplit_once(' ').map_or(kept, |(before, _)| before);
    }
    let mut out = Buffer::new(&run.budget);
    out.push_str(kept)?;
    out.push_str(&if text.is_markup() { end.escaped(&run.budget)? } else { end.clone() })?;
    Ok(Value::Text(out.into_text(text.is_markup() || end.is_markup())))
}

/// `wordcount`
pub(super) fn wordcount(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("wordcount", [])?;
    let text = to_text(run, value)?;
    run.budget.read(text.len())?;
    let n = text.split(|c| !unicode::is_word(c)).filter(|word| !word.is_empty()).count();
    Ok(Value::Int(n as i128))
}

/// `format(…)`: `value % …`
pub(super) fn format(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text: Text = to_text(run, value)?;
    if args.keyword.is_empty() {
        return percent::format(run, &text, &Value::tuple(args.positional, &run.budget)?);
    }
    if !args.positional.is_empty() {
        return fail("format: cannot handle positional and keyword arguments at the same time");
    }
    let mut dict = crate::value::Dict::default();
    for (name, value) in args.keyword {
        dict.insert(Value::Text(Text::shared(name)), value, &run.budget)?;
    }
    percent::format(run, &text, &Value::dict(dict))
}
