//! `'%s' % values`: printf's formats, as Python's `str` has them.

use super::{Align, Scanner, bounded, digits, float, pad};
use crate::error::{Result, fail};
use crate::interpret::Run;
use crate::value::number::{to_float, truncated};
use crate::value::text::Buffer;
use crate::value::{Text, Value, repr};

/// `format % values`
pub(crate) fn format(run: &Run<'_>, format: &Text, values: &Value) -> Result<Value> {
    let mut out = Buffer::new(&run.budget);
    let mut arguments = Arguments { values, next: 0 };
    let mut rest: &str = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at])?;
        let mut chars = Scanner { rest: &rest[at + 1..] };
        let directive = Directive::parse(run, &mut chars, &mut arguments)?;
        directive.write(run, format.is_markup(), &mut arguments, &mut out)?;
        rest = chars.rest;
        run.budget.step()?;
    }
    out.push_str(rest)?;
    arguments.finish()?;
    Ok(Value::Text(out.into_text(format.is_markup())))
}

/// The values, taken one by one.
struct Arguments<'v> {
    values: &'v Value,
    next: usize,
}

impl Arguments<'_> {
    fn next(&mut self) -> Result<Value> {
        self.next += 1;
        let value = match self.values {
            Value::Tuple(seq) => seq.items.get(self.next - 1).cloned(),
            single => (self.next == 1).then(|| single.clone()),
        };
        match value {
            Some(value) => Ok(value),
            None => fail("not enough arguments for format string"),
        }
    }

    /// Values that are left over are an error, unless they could be meant as a mapping.
    fn finish(&self) -> Result<()> {
        let n_left = match self.values {
            Value::Tuple(seq) => seq.items.len().saturating_sub(self.next),
            Value::Dict(_) | Value::List(_) | Value::Range(_) | Value::Undefined(_) => 0,
            _ => 1 - self.next.min(1),
        };
        if n_left > 0 {
            fail("not all arguments converted during string formatting")
        } else {
            Ok(())
        }
    }
}

/// What stands after a `%`.
#[derive(Default)]
struct Directive {
    /// The value of `(name)`.
    value: Option<Value>,
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    kind: char,
}

impl Directive {
    fn parse(
        run: &Run<'_>,
        chars: &mut Scanner<'_>,
        arguments: &mut Arguments<'_>,
    ) -> Result<Directive> {
        let mut found = Directive::default();
        if chars.skip('(') {
            found.value = Some(named(run, chars, arguments.values)?);
            // A mapping counts as taken.
            arguments.next = arguments.next.max(1);
        }
        while let Some(flag) = chars.next_if(|c| "-+ #0".contains(c)) {
            match flag {
                '-' => found.left = true,
                '+' => found.plus = true,
                ' ' => found.space = true,
                '#' => found.alternate = true,
                _ => found.zero = true,
            }
        }
        if chars.skip('*') {
            let width = arguments.next()?.index("* in a format")?;
            found.left |= width < 0;
            found.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
        } else {
            found.width = chars.number()?.unwrap_or(0);
        }
        if chars.skip('.') {
            found.precision = Some(if chars.skip('*') {
                usize::try_from(arguments.next()?.index("* in a format")?.max(0))
                    .unwrap_or(usize::MAX)
            } else {
                chars.number()?.unwrap_or(0)
            });
        }
        chars.next_if(|c| "hlL".contains(c));
        match chars.next() {
            Some(kind) => found.kind = kind,
            None => return fail("incomplete format"),
        }
        Ok(found)
    }

    fn write(
        self,
        run: &Run<'_>,
        markup: bool,
        arguments: &mut Arguments<'_>,
        out: &mut Buffer<'_>,
    ) -> Result<()> {
        if self.kind == '%' {
            return out.push('%');
        }
        if !"srafFeEgGdiuoxXc".contains(self.kind) {
            return fail(format!("unsupported format character '{}'", self.kind));
        }
        let value = match self.value.clone() {
            Some(value) => value,
            None => arguments.next()?,
        };
        match self.kind {
            's' | 'r' | 'a' => self.text(run, &value, markup, out),
            'c' => self.field("", &character(&value)?, out),
            'd' | 'i' | 'u' => self.integer(&value, 10, out),
            'o' => self.integer(&value, 8, out),
            'x' | 'X' => self.integer(&value, 16, out),
            _ => self.float(run, &value, out),
        }
    }

    fn text(&self, run: &Run<'_>, value: &Value, markup: bool, out: &mut Buffer<'_>) -> Result<()> {
        let mut text = match self.kind {
            's' => repr::to_text(run, value)?,
            kind => represented(run, value, kind == 'a')?,
        };
        if markup {
            text = text.escaped(&run.budget)?;
        }
        let shown = text.slice(0, self.precision.unwrap_or(usize::MAX));
        self.field("", shown, out)
    }

    fn integer(&self, value: &Value, base: u32, out: &mut Buffer<'_>) -> Result<()> {
        let whole = match value {
            Value::Float(number) if base == 10 => truncated(*number)?,
            other => match other.as_index() {
                Some(whole) => whole,
                None => {
                    return fail(format!(
                        "%{} format: a number is required, not {}",
                        self.kind,
                        other.described()
                    ));
                }
            },
        };
        let mut text = digits(whole.unsigned_abs(), base);
        if let Some(precision) = self.precision {
            bounded(precision, out.budget())?;
            text = format!("{text:0>precision$}");
        }
        let prefix = match (self.alternate, base) {
            (true, 8) => "0o",
            (true, 16) => "0x",
            _ => "",
        };
        let mut sign = format!("{}{prefix}", self.sign(whole < 0));
        if self.kind == 'X' {
            (sign, text) = (sign.to_uppercase(), text.to_uppercase());
        }
        self.number_field(&sign, &text, self.zero, out)
    }

    fn float(&self, run: &Run<'_>, value: &Value, out: &mut Buffer<'_>) -> Result<()> {
        if value.as_str().is_some() {
            return fail(format!("must be real number, not {}", value.type_name()));
        }
        let number = to_float(value)?;
        let precision = bounded(self.precision.unwrap_or(6), &run.budget)?;
        let (magnitude, special) = (number.abs(), float::special(number));
        let mut text = match (special, self.kind.to_ascii_lowercase()) {
            (Some(text), _) => text.to_owned(),
            (None, 'f') => float::fixed(magnitude, precision, self.alternate),
            (None, 'e') => float::exponential(magnitude, precision, self.alternate),
            (None, _) => float::general(magnitude, precision, self.alternate, None),
        };
        if self.kind.is_ascii_uppercase() {
            text = text.to_uppercase();
        }
        let is_negative = number.is_sign_negative() && !number.is_nan();
        self.number_field(self.sign(is_negative), &text, self.zero, out)
    }

    fn sign(&self, is_negative: bool) -> &'static str {
        match (is_negative, self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        }
    }

    fn number_field(&self, sign: &str, text: &str, zero: bool, out: &mut Buffer<'_>) -> Result<()> {
        if zero && !self.left {
            return pad(out, sign, text, self.width, '0', Align::Inside);
        }
        self.field(sign, text, out)
    }

    fn field(&self, sign: &str, text: &str, out: &mut Buffer<'_>) -> Result<()> {
        pad(out, sign, text, self.width, ' ', if self.left { Align::Left } else { Align::Right })
    }
}

/// The value of `name)`, parentheses in the name included.
fn named(run: &Run<'_>, chars: &mut Scanner<'_>, values: &Value) -> Result<Value> {
    let mut name = String::new();
    let mut open = 1;
    while let Some(c) = chars.next() {
        open += i32::from(c == '(') - i32::from(c == ')');
        if open == 0 {
            break;
        }
        name.push(c);
    }
    if open > 0 {
        return fail("incomplete format key");
    }
    match values {
        Value::Dict(dict) => match dict.get_str(&name) {
            Some(value) => Ok(value.clone()),
            None => fail(format!("KeyError: '{name}'")),
        },
        Value::Undefined(_) => values.defined().cloned(),
        _ => {
            run.budget.step()?;
            fail("format requires a mapping")
        }
    }
}

/// `repr(value)`, or `ascii(value)`.
pub(crate) fn represented(run: &Run<'_>, value: &Value, ascii: bool) -> Result<Text> {
    let mut buffer = Buffer::new(&run.budget);
    repr::write(run, value, &mut buffer, 0)?;
    let text = buffer.into_text(false);
    if !ascii || text.is_ascii() {
        return Ok(text);
    }
    let mut escaped = Buffer::new(&run.budget);
    for c in text.chars() {
        match u32::from(c) {
            0..=0x7f => escaped.push(c)?,
            code @ 0x80..=0xff => escaped.push_str(&format!("\\x{code:02x}"))?,
            code @ 0..=0xffff => escaped.push_str(&format!("\\u{code:04x}"))?,
            code => escaped.push_str(&format!("\\U{code:08x}"))?,
        }
    }
    Ok(escaped.into_text(false))
}

fn character(value: &Value) -> Result<String> {
    if let Some(text) = value.as_str()
        && text.chars().count() == 1
    {
        return Ok(text.to_owned());
    }
    match value.as_index().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32) {
        Some(c) => Ok(c.to_string()),
        None => fail("%c requires int or char"),
    }
}
