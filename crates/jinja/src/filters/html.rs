//! Filters that know HTML and URLs.

use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use crate::value::Value;
use crate::value::iterate::{Cursor, collect};
use crate::value::repr::to_text;
use crate::value::text::Buffer;

/// `escape`
pub(super) fn escape(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("escape", [])?;
    Ok(Value::Text(to_text(run, value)?.escaped(&run.budget)?))
}

/// `forceescape`: also what is markup already.
pub(super) fn forceescape(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("forceescape", [])?;
    Ok(Value::Text(to_text(run, value)?.with_markup(false).escaped(&run.budget)?))
}

/// `safe`
pub(super) fn safe(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("safe", [])?;
    Ok(Value::Text(to_text(run, value)?.with_markup(true)))
}

/// `xmlattr(autospace=True)`
pub(super) fn xmlattr(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [autospace] = args.optional("xmlattr", ["autospace"])?;
    let Value::Dict(dict) = value.defined()? else {
        return fail(format!("xmlattr: expected a mapping, found {}", value.type_name()));
    };
    let mut out = Buffer::new(&run.budget);
    let mut is_first = autospace.is_some_and(|autospace| !autospace.is_true());
    for (key, value) in dict.entries() {
        run.budget.step()?;
        if matches!(value, Value::None | Value::Undefined(_)) {
            continue;
        }
        let key = key.text("xmlattr")?;
        if key.contains(|c: char| c.is_ascii_whitespace() || matches!(c, '\x0b' | '/' | '>' | '='))
        {
            return fail("xmlattr: invalid character in attribute name");
        }
        if !std::mem::take(&mut is_first) {
            out.push(' ')?;
        }
        out.push_str(&key.escaped(&run.budget)?)?;
        out.push_str("=\"")?;
        out.push_str(&to_text(run, value)?.escaped(&run.budget)?)?;
        out.push('"')?;
    }
    Ok(Value::Text(out.into_text(run.autoescape.get())))
}

/// `urlencode`: a text as part of a URL, a mapping or pairs as a query.
pub(super) fn urlencode(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("urlencode", [])?;
    let mut out = Buffer::new(&run.budget);
    let pairs = match value {
        Value::Text(_) => None,
        Value::Dict(dict) => Some(dict.entries().to_vec()),
        other => Cursor::of(other).map(|mut cursor| pairs(run, &mut cursor)).transpose()?,
    };
    let Some(pairs) = pairs else {
        quote(run, value, false, &mut out)?;
        return Ok(Value::Text(out.into_text(false)));
    };
    for (n, (key, value)) in pairs.iter().enumerate() {
        out.push_str(if n > 0 { "&" } else { "" })?;
        quote(run, key, true, &mut out)?;
        out.push('=')?;
        quote(run, value, true, &mut out)?;
    }
    Ok(Value::Text(out.into_text(false)))
}

fn pairs(run: &Run<'_>, cursor: &mut Cursor) -> Result<Vec<(Value, Value)>> {
    let mut pairs = Vec::new();
    while let Some(item) = cursor.next(run)? {
        match <[Value; 2]>::try_from(collect(run, &item)?) {
            Ok([key, value]) => pairs.push((key, value)),
            Err(items) => {
                return fail(format!("urlencode: expected pairs, found {} items", items.len()));
            }
        }
    }
    Ok(pairs)
}

/// Writes `value` with percent escapes; in a query a slash has one too and a space is `+`.
fn quote(run: &Run<'_>, value: &Value, in_query: bool, out: &mut Buffer<'_>) -> Result<()> {
    for byte in to_text(run, value)?.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                out.push(char::from(byte))?
            }
            b'/' if !in_query => out.push('/')?,
            b' ' if in_query => out.push('+')?,
            byte => out.push_str(&format!("%{byte:02X}"))?,
        }
    }
    Ok(())
}
