//! The format specification after the colon of `{:…}`, also of the built-in types' `__format__`.

use super::{Align, MAX_PRECISION, Scanner, bounded, digits, float, pad};
use crate::error::{Result, fail};
use crate::interpret::Run;
use crate::value::number::to_float;
use crate::value::text::Buffer;
use crate::value::{Text, Value, repr};

/// `[[fill]align][sign][z][#][0][width][grouping][.precision][type]`
struct Spec {
    fill: char,
    align: Option<Align>,
    /// Whether numbers get zeros after their sign.
    is_zero_padded: bool,
    sign: char,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Spec {
    fn parse(spec: &str) -> Result<Spec> {
        let mut chars = Scanner { rest: spec };
        let mut found = Spec {
            fill: ' ',
            align: None,
            is_zero_padded: false,
            sign: '-',
            alternate: false,
            width: 0,
            grouping: None,
            precision: None,
            kind: None,
        };
        let mut has_fill = false;
        let mut ahead = spec.chars();
        if let (Some(fill), Some(align)) = (ahead.next(), ahead.next().and_then(align)) {
            (found.fill, found.align) = (fill, Some(align));
            has_fill = true;
            chars.next();
            chars.next();
        } else if let Some(c) = chars.next_if(|c| align(c).is_some()) {
            found.align = align(c);
        }
        if let Some(sign) = chars.next_if(|c| "+- ".contains(c)) {
            found.sign = sign;
        }
        found.alternate = chars.skip('#');
        if !has_fill && chars.skip('0') {
            found.fill = '0';
            found.is_zero_padded = found.align.is_none();
        }
        found.width = chars.number()?.unwrap_or(0);
        found.grouping = chars.next_if(|c| ",_".contains(c));
        if chars.skip('.') {
            found.precision = chars.number()?;
            if found.precision.is_none() {
                return fail("Format specifier missing precision");
            }
        }
        found.kind = chars.next();
        if chars.next().is_some() {
            return fail("Invalid format specifier");
        }
        Ok(found)
    }

    fn sign_of(&self, is_negative: bool) -> &'static str {
        match (is_negative, self.sign) {
            (true, _) => "-",
            (false, '+') => "+",
            (false, ' ') => " ",
            _ => "",
        }
    }

    fn write_text(&self, text: &Text, out: &mut Buffer<'_>) -> Result<()> {
        if self.align == Some(Align::Inside) {
            return fail("'=' alignment not allowed in string format specifier");
        }
        let align = self.align.unwrap_or(Align::Left);
        if self.sign != '-'
            || self.alternate
            || self.grouping.is_some()
            || !matches!(self.kind, None | Some('s'))
        {
            return fail("format specifier not allowed for a string");
        }
        pad(
            out,
            "",
            text.slice(0, self.precision.unwrap_or(usize::MAX)),
            self.width,
            self.fill,
            align,
        )
    }

    fn write_integer(&self, value: i128, out: &mut Buffer<'_>) -> Result<()> {
        let (base, prefix) = match self.kind {
            None | Some('d' | 'n') => (10, ""),
            Some('b') => (2, "0b"),
            Some('o') => (8, "0o"),
            Some('x') => (16, "0x"),
            Some('X') => (16, "0X"),
            Some('c') => return self.write_character(value, out),
            Some(kind) => {
                return fail(format!("Unknown format code '{kind}' for object of type 'int'"));
            }
        };
        if self.precision.is_some() {
            return fail("Precision not allowed in integer format specifier");
        }
        let mut text = digits(value.unsigned_abs(), base);
        if self.kind == Some('X') {
            text = text.to_uppercase();
        }
        let prefix = if self.alternate { prefix } else { "" };
        let sign = format!("{}{prefix}", self.sign_of(value < 0));
        self.write_number(&sign, &text, if base == 10 { 3 } else { 4 }, out)
    }

    fn write_character(&self, value: i128, out: &mut Buffer<'_>) -> Result<()> {
        match u32::try_from(value).ok().and_then(char::from_u32) {
            Some(c) => pad(
                out,
                "",
                &c.to_string(),
                self.width,
                self.fill,
                self.align.unwrap_or(Align::Left),
            ),
            None => fail("%c arg not in range(0x110000)"),
        }
    }

    fn write_float(&self, value: f64, out: &mut Buffer<'_>) -> Result<()> {
        if let Some(precision) = self.precision {
            bounded(precision, out.budget())?;
        }
        let (magnitude, precision) = (value.abs(), self.precision.unwrap_or(6).min(MAX_PRECISION));
        let alternate = self.alternate;
        let mut text =
            match (float::special(value), self.kind.map(|kind| kind.to_ascii_lowercase())) {
                (Some(text), Some('%')) => format!("{text}%"),
                (Some(text), _) => text.to_owned(),
                (_, Some('f')) => float::fixed(magnitude, precision, alternate),
                (_, Some('e')) => float::exponential(magnitude, precision, alternate),
                (_, Some('g' | 'n')) => float::general(magnitude, precision, alternate, None),
                (_, Some('%')) => float::fixed(magnitude * 100.0, precision, alternate) + "%",
                (_, None) => match self.precision {
                    None => repr::float(magnitude),
                    Some(precision) => with_point(float::general(
                        magnitude,
                        precision,
                        alternate,
                        Some(precision as i64 - 1),
                    )),
                },
                (_, Some(kind)) => {
                    return fail(format!(
                        "Unknown format code '{kind}' for object of type 'float'"
                    ));
                }
            };
        if self.kind.is_some_and(|kind| kind.is_ascii_uppercase()) {
            text = text.to_uppercase();
        }
        let is_negative = value.is_sign_negative() && !value.is_nan();
        self.write_number(self.sign_of(is_negative), &text, 3, out)
    }

    fn write_number(
        &self,
        sign: &str,
        text: &str,
        group: usize,
        out: &mut Buffer<'_>,
    ) -> Result<()> {
        let align =
            self.align.unwrap_or(if self.is_zero_padded { Align::Inside } else { Align::Right });
        let Some(separator) = self.grouping else {
            return pad(out, sign, text, self.width, self.fill, align);
        };
        if group == 4 && separator == ',' || self.kind == Some('n') {
            return fail(format!("Cannot specify '{separator}' with this format"));
        }
        let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        let end = if group == 3 { text[..end].find('e').unwrap_or(end) } else { end };
        let (whole, rest) = text.split_at(end);
        // Zeros before the digits are grouped too.
        let zeros = if self.fill == '0' && align == Align::Inside { self.width } else { 0 };
        out.budget().produce(zeros)?;
        let grouped =
            grouped(whole, separator, group, zeros.saturating_sub(sign.len() + rest.len()));
        pad(out, sign, &(grouped + rest), self.width, self.fill, align)
    }
}

/// `repr` has a point or an exponent in every float.
fn with_point(text: String) -> String {
    if text.contains(['.', 'e']) { text } else { text + ".0" }
}

/// Digits with a separator between groups, and zeros before them up to a width.
fn grouped(digits: &str, separator: char, group: usize, width: usize) -> String {
    let mut reversed = String::new();
    let mut n = 0;
    let mut left = digits.chars().rev();
    loop {
        let digit = match left.next() {
            Some(digit) => digit,
            None if reversed.len() < width => '0',
            None => break,
        };
        if n > 0 && n % group == 0 {
            reversed.push(separator);
        }
        reversed.push(digit);
        n += 1;
    }
    reversed.chars().rev().collect()
}

fn align(c: char) -> Option<Align> {
    Some(match c {
        '<' => Align::Left,
        '>' => Align::Right,
        '^' => Align::Center,
        '=' => Align::Inside,
        _ => return None,
    })
}

/// `format(value, spec)`
pub(crate) fn format(run: &Run<'_>, value: &Value, spec: &str, out: &mut Buffer<'_>) -> Result<()> {
    if spec.is_empty() {
        return repr::write_str(run, value, out);
    }
    let found = Spec::parse(spec)?;
    match value {
        Value::Text(text) => found.write_text(text, out),
        Value::Float(number) => found.write_float(*number, out),
        Value::Int(_) | Value::Bool(_)
            if matches!(found.kind, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) =>
        {
            found.write_float(to_float(value)?, out)
        }
        Value::Int(_) | Value::Bool(_) => found.write_integer(value.as_index().unwrap_or(0), out),
        other => {
            fail(format!("unsupported format string passed to {}.__format__", other.type_name()))
        }
    }
}
