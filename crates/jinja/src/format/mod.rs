//! Python's two ways to format: `'%s' % x` and `'{}'.format(x)`.

pub mod braces;
pub mod float;
pub mod percent;
pub mod spec;

use crate::error::{Result, fail};
use crate::limits::Budget;
use crate::value::text::Buffer;

/// Digits after the point that a format may ask for; a float has no more than 1074 that are not zero.
pub const MAX_PRECISION: usize = 1100;

/// A width or precision from the digits that `chars` starts with.
pub fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>> {
    let mut value: Option<usize> = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        let sum = value.unwrap_or(0).checked_mul(10).and_then(|tens| tens.checked_add(digit as usize));
        let Some(sum) = sum else { return fail("format: a width of too many digits") };
        value = Some(sum);
        chars.next();
    }
    Ok(value)
}

/// Where a text stands in its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
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
pub fn pad(out: &mut Buffer<'_>, sign: &str, text: &str, width: usize, fill: char, align: Align) -> Result<()> {
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
pub fn digits(value: u128, base: u32) -> String {
    match base {
        2 => format!("{value:b}"),
        8 => format!("{value:o}"),
        16 => format!("{value:x}"),
        _ => value.to_string(),
    }
}

/// Refuses a precision beyond [`MAX_PRECISION`] before digits are made.
pub fn bounded(precision: usize, budget: &Budget) -> Result<usize> {
    budget.produce(precision)?;
    if precision > MAX_PRECISION {
        return fail(format!("format: expected a precision of at most {MAX_PRECISION}, found {precision}"));
    }
    Ok(precision)
}
