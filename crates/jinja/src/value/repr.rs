//! `str` and `repr`.

use super::text::Buffer;
use super::{Text, Value};
use crate::error::Result;
use crate::interpret::Run;
use crate::limits::{MAX_DEPTH, exceeded};
use crate::unicode::is_printable;

/// `str(value)`, or `value` itself if it is markup.
pub(crate) fn to_text(run: &Run<'_>, value: &Value) -> Result<Text> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        other => {
            let mut buffer = Buffer::new(&run.budget);
            write_str(run, other, &mut buffer)?;
            Ok(buffer.into_text(false))
        }
    }
}

/// Writes `value` as `str` does.
pub(crate) fn write_str(run: &Run<'_>, value: &Value, out: &mut Buffer<'_>) -> Result<()> {
    match value {
        Value::Text(text) => out.push_str(text),
        Value::Undefined(_) => Ok(()),
        other => write(run, other, out, 0),
    }
}

/// Writes `value` as `repr` does; `level` counts the containers around it, since a namespace may
/// contain itself.
pub(crate) fn write(run: &Run<'_>, value: &Value, out: &mut Buffer<'_>, level: u16) -> Result<()> {
    if level > MAX_DEPTH {
        return exceeded(u64::from(MAX_DEPTH), "levels of values");
    }
    run.budget.step()?;
    match value {
        Value::Undefined(_) => out.push_str("Undefined"),
        Value::None => out.push_str("None"),
        Value::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Text(text) if text.is_markup() => {
            out.push_str("Markup(")?;
            quoted(text, out)?;
            out.push(')')
        }
        Value::Text(text) => quoted(text, out),
        Value::List(seq) => items(run, &seq.items, ["[", "]"], out, level),
        Value::Tuple(seq) => {
            items(run, &seq.items, ["(", if seq.items.len() == 1 { ",)" } else { ")" }], out, level)
        }
        Value::Dict(dict) => {
            out.push('{')?;
            for (n, (key, value)) in dict.entries().iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" })?;
                write(run, key, out, level + 1)?;
                out.push_str(": ")?;
                write(run, value, out, level + 1)?;
            }
            out.push('}')
        }
        Value::Range(range) if range.step == 1 => {
            out.push_str(&format!("range({}, {})", range.start, range.stop))
        }
        Value::Range(range) => {
            out.push_str(&format!("range({}, {}, {})", range.start, range.stop, range.step))
        }
        Value::View(view) => {
            let shown = super::iterate::collect(run, value)?;
            out.push_str(view.type_name())?;
            items(run, &shown, ["([", "])"], out, level)
        }
        Value::Iter(iter) => out.push_str(&format!("<generator object {}>", iter.name)),
        Value::Object(object) => object.repr(run, out, level),
    }
}

fn items(
    run: &Run<'_>,
    items: &[Value],
    brackets: [&str; 2],
    out: &mut Buffer<'_>,
    level: u16,
) -> Result<()> {
    out.push_str(brackets[0])?;
    for (n, item) in items.iter().enumerate() {
        out.push_str(if n > 0 { ", " } else { "" })?;
        write(run, item, out, level + 1)?;
    }
    out.push_str(brackets[1])
}

/// A string in the quotes that need no escape, if there are any.
pub(crate) fn quoted(text: &str, out: &mut Buffer<'_>) -> Result<()> {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote)?;
    let mut rest = text;
    while let Some(at) = rest.find(|c| c == quote || c == '\\' || !is_printable(c)) {
        out.push_str(&rest[..at])?;
        let c = rest[at..].chars().next().unwrap_or_default();
        match c {
            '\n' => out.push_str("\\n")?,
            '\r' => out.push_str("\\r")?,
            '\t' => out.push_str("\\t")?,
            '\\' | '\'' | '"' => {
                out.push('\\')?;
                out.push(c)?;
            }
            c => out.push_str(&match u32::from(c) {
                code @ 0..=0xff => format!("\\x{code:02x}"),
                code @ 0..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            })?,
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest)?;
    out.push(quote)
}

/// The shortest digits that give the same float, with an exponent below 1e-4 and from 1e16 on.
pub(crate) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        return with_exponent(&format!("{number:e}"));
    }
    let text = number.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

/// Rust's exponent written as C's: a sign and two digits at least.
pub(crate) fn with_exponent(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}
