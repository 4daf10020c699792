//! Methods of `str` that fill a text up to a width.

use super::receiver::of;
use crate::error::{Result, fail};
use crate::format::{Align, pad};
use crate::interpret::{Args, Run};
use crate::value::text::Buffer;
use crate::value::{Text, Value};

/// Width and fill of `center`, `ljust` and `rjust`.
fn field(name: &str, text: &Text, args: Args) -> Result<(usize, char)> {
    let [width, fill] = args.bind(name, ["width", "fillchar"], 1)?;
    let width = width.unwrap_or(Value::None).index(name)?;
    let fill = fill.unwrap_or_else(|| Value::str(" "));
    let mut chars = fill.text(name)?.chars();
    match (chars.next(), chars.next()) {
        // Markup would fill with the five characters of an escape, which is not one character.
        (Some('&' | '<' | '>' | '"' | '\''), None) if text.is_markup() => {
            fail(format!("{name}: the fill character must be exactly one character long"))
        }
        (Some(fill), None) => Ok((usize::try_from(width.max(0)).unwrap_or(usize::MAX), fill)),
        _ => fail(format!("{name}: the fill character must be exactly one character long")),
    }
}

fn padded(run: &Run<'_>, text: &Text, width: usize, fill: char, align: Align) -> Result<Value> {
    let mut out = Buffer::new(&run.budget);
    pad(&mut out, "", text, width, fill, align)?;
    Ok(Value::Text(out.into_text(text.is_markup())))
}

/// `str.ljust`
pub(crate) fn ljust(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let (width, fill) = field("ljust", text, args)?;
    padded(run, text, width, fill, Align::Left)
}

/// `str.rjust`
pub(crate) fn rjust(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let (width, fill) = field("rjust", text, args)?;
    padded(run, text, width, fill, Align::Right)
}

/// `str.center`
pub(crate) fn center(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let (width, fill) = field("center", text, args)?;
    centered(run, text, width, fill)
}

/// `text` in the middle of `width` characters. An odd one goes to the left where the width is odd,
/// as CPython puts it.
pub(crate) fn centered(run: &Run<'_>, text: &Text, width: usize, fill: char) -> Result<Value> {
    let missing = width.saturating_sub(text.n_chars());
    let left = missing / 2 + (missing & width & 1);
    let mut out = Buffer::new(&run.budget);
    out.pad(fill, left)?;
    out.push_str(text)?;
    out.pad(fill, missing - left)?;
    Ok(Value::Text(out.into_text(text.is_markup())))
}

/// `str.zfill`
pub(crate) fn zfill(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let [width] = args.required("zfill", ["width"])?;
    let width = usize::try_from(width.index("zfill")?.max(0)).unwrap_or(usize::MAX);
    let n_sign = usize::from(text.starts_with(['-', '+']));
    let mut out = Buffer::new(&run.budget);
    pad(&mut out, &text[..n_sign], &text[n_sign..], width, '0', Align::Inside)?;
    Ok(Value::Text(out.into_text(text.is_markup())))
}

/// `str.expandtabs`
pub(crate) fn expandtabs(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let text = of(value)?;
    let [size] = args.optional("expandtabs", ["tabsize"])?;
    let size = match size {
        Some(size) => usize::try_from(size.index("expandtabs")?.max(0)).unwrap_or(usize::MAX),
        None => 8,
    };
    let mut out = Buffer::new(&run.budget);
    let mut column = 0;
    run.budget.read(text.len())?;
    for c in text.chars() {
        match c {
            '\t' if size > 0 => {
                out.pad(' ', size - column % size)?;
                column = 0;
            }
            '\t' => {}
            c => {
                out.push(c)?;
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(Value::Text(out.into_text(text.is_markup())))
}
