//! Methods of `str` about cases and kinds of characters.

use super::receiver::{like, of};
use crate::error::Result;
use crate::interpret::{Args, Run};
use crate::unicode;
use crate::value::{Text, Value};

/// `text` after `change`, which may lengthen it by a few times at most.
fn changed(run: &Run<'_>, value: &Value, args: Args, change: fn(&str) -> String) -> Result<Value> {
    let [] = args.optional("str method", [])?;
    let text = of(value)?;
    run.budget.read(text.len())?;
    run.budget.produce(text.len())?;
    like(run, text, &change(text))
}

/// `str.lower`
pub(crate) fn lower(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    changed(run, value, args, str::to_lowercase)
}

/// `str.upper`
pub(crate) fn upper(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    changed(run, value, args, str::to_uppercase)
}

/// `str.capitalize`
pub(crate) fn capitalize(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    changed(run, value, args, capitalized)
}

/// `str.casefold`
pub(crate) fn casefold(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    changed(run, value, args, |text| {
        let mut out = String::with_capacity(text.len());
        text.chars().for_each(|c| unicode::push_folded(c, &mut out));
        out
    })
}

/// `str.swapcase`
pub(crate) fn swapcase(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    changed(run, value, args, |text| {
        let mut out = String::with_capacity(text.len());
        let mut before = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c.is_uppercase() {
                push_lower(before, c, chars.peek().copied(), &mut out);
            } else {
                out.extend(c.to_uppercase());
            }
            before = Some(c);
        }
        out
    })
}

/// `str.title`
pub(crate) fn title(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    changed(run, value, args, |text| {
        let mut out = String::with_capacity(text.len());
        let mut before = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if before.is_some_and(unicode::is_cased) {
                push_lower(before, c, chars.peek().copied(), &mut out);
            } else {
                unicode::push_title(c, &mut out);
            }
            before = Some(c);
        }
        out
    })
}

/// The small letter of `c`; a sigma has another form at the end of a word.
fn push_lower(before: Option<char>, c: char, after: Option<char>, out: &mut String) {
    let ends_word = before.is_some_and(unicode::is_cased) && !after.is_some_and(unicode::is_cased);
    if c == 'Σ' && ends_word {
        out.push('ς');
    } else {
        out.extend(c.to_lowercase());
    }
}

/// The first character as a capital, all others small.
pub(crate) fn capitalized(text: &str) -> String {
    let Some(first) = text.chars().next() else { return String::new() };
    let mut out = String::with_capacity(text.len());
    unicode::push_title(first, &mut out);
    // All is made small together, since what a sigma becomes depends on what is before it.
    let small = text.to_lowercase();
    let n_first: usize = first.to_lowercase().map(char::len_utf8).sum();
    out.push_str(small.get(n_first..).unwrap_or_default());
    out
}

fn all(run: &Run<'_>, value: &Value, args: Args, holds: fn(char) -> bool) -> Result<Value> {
    is(run, value, args, |text| !text.is_empty() && text.chars().all(holds))
}

fn is(run: &Run<'_>, value: &Value, args: Args, holds: impl Fn(&str) -> bool) -> Result<Value> {
    let [] = args.optional("str method", [])?;
    let text: &Text = of(value)?;
    run.budget.read(text.len())?;
    Ok(Value::Bool(holds(text)))
}

/// `str.isalnum`
pub(crate) fn isalnum(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    all(run, value, args, unicode::is_alphanumeric)
}

/// `str.isalpha`
pub(crate) fn isalpha(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    all(run, value, args, unicode::is_alphabetic)
}

/// `str.isdecimal`
pub(crate) fn isdecimal(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    all(run, value, args, unicode::is_decimal)
}

/// `str.isdigit`
pub(crate) fn isdigit(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    all(run, value, args, unicode::is_digit)
}

/// `str.isnumeric`
pub(crate) fn isnumeric(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    all(run, value, args, unicode::is_numeric)
}

/// `str.isspace`
pub(crate) fn isspace(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    all(run, value, args, unicode::is_space)
}

/// `str.isascii`
pub(crate) fn isascii(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    is(run, value, args, str::is_ascii)
}

/// `str.isprintable`
pub(crate) fn isprintable(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    is(run, value, args, |text| text.chars().all(unicode::is_printable))
}

/// `str.isidentifier`
pub(crate) fn isidentifier(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    is(run, value, args, unicode::is_identifier)
}

/// `str.islower`
pub(crate) fn islower(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    is(run, value, args, is_lower)
}

/// `str.isupper`
pub(crate) fn isupper(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    is(run, value, args, is_upper)
}

/// Whether there are small letters and no others.
pub(crate) fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase)
        && !text.chars().any(|c| c.is_uppercase() || unicode::is_title(c))
}

/// Whether there are capitals and no other letters with a case.
pub(crate) fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase)
        && !text.chars().any(|c| c.is_lowercase() || unicode::is_title(c))
}

/// `str.istitle`
pub(crate) fn istitle(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    is(run, value, args, |text| {
        let (mut found, mut in_word) = (false, false);
        for c in text.chars() {
            let is_capital = c.is_uppercase() || unicode::is_title(c);
            if is_capital && in_word || c.is_lowercase() && !in_word {
                return false;
            }
            in_word = is_capital || c.is_lowercase();
            found |= in_word;
        }
        found
    })
}
