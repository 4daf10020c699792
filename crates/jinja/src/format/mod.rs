//! Python's two ways to format: `'%s' % x` and `'{}'.format(x)`.

pub(crate) mod braces;
pub(crate) mod float;
pub(crate) mod percent;
pub(crate) mod spec;

use crate::error::{Result, fail};
use crate::limits::Budget;
use crate::value::text::Buffer;

/// Digits after the point that a format may ask for; a float has no more than 1074 that are not
/// zero.
pub(crate) const MAX_PRECISION: usize = 1100;

/// A place in a format.
pub(crate) struct Scanner<'t> {
    /// What is left.
    pub rest: &'t str,
}

impl Scanner<'_> {
    /// The next character.
    pub(crate) fn next(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    /// The next character, if it is one that is wanted.
    pub(crate) fn next_if(&mut self, is_wanted: impl Fn(char) -> bool) -> Option<char> {
        let c = self.rest.chars().next().filter(|c| is_wanted(*c))?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Whether `c` is next; it is taken then.
    pub(crate) fn skip(&mut self, c: char) -> bool {
        self.next_if(|next| next == c).is_some()
    }

    /// A width or precision, if there are digits.
    pub(crate) fn number(&mut self) -> Result<Option<usize>> {
        let mut value: Option<usize> = None;
        while let Some(digit) = self.next_if(|c| c.is_ascii_digit()) {
            let tens = value.unwrap_or(0).checked_mul(10);
            let sum = tens.and_then(|tens| tens.checked_add(digit.to_digit(10)? as usize));
            let Some(sum) = sum else { return fail("format: a width of too many digits") };
            value = Some(sum);
        }
        Ok(value)
    }
}

/// Where a text stands in its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// `<`
    Left,
    /// `>`
    Right,
    /// `^`
    Center,
    /// `=`: the fill stands between sign and digits.
    Inside,
}

/// Writes `sign` and `text` in a field of `width` characters.
pub(crate) fn pad(
    out: &mut Buffer<'_>,
    sign: &str,
    text: &str,
    width: usize,
    fill: char,
    align: Align,
) -> Result<()> {
    let missing = width.saturating_sub(sign.len() + text.chars().count());
    let before = match align {
        Align::Left => 0,
        Align::Right => missing,
        Align::Center => missing / 2,
        Align::Inside => {
            out.push_str(sign)?;
            out.pad(fill, missing)?;
            return out.push_str(text);
        }
    };
    out.pad(fill, before)?;
    out.push_str(sign)?;
    out.push_str(text)?;
    out.pad(fill, missing - before)
}

/// An integer's digits in a base of 2, 8, 10 or 16.
pub(crate) fn digits(value: u128, base: u32) -> String {
    match base {
        2 => format!("{value:b}"),
        8 => format!("{value:o}"),
        16 => format!("{value:x}"),
        _ => value.to_string(),
    }
}

/// Refuses a precision beyond [`MAX_PRECISION`] before digits are made.
pub(crate) fn bounded(precision: usize, budget: &Budget) -> Result<usize> {
    budget.produce(precision)?;
    if precision > MAX_PRECISION {
        return fail(format!(
            "format: expected a precision of at most {MAX_PRECISION}, found {precision}"
        ));
    }
    Ok(precision)
}
