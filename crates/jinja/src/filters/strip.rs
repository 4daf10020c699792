//! `striptags`: a text without its tags, and with characters for HTML's references.
//!
//! Of the references by name those of HTML 4 are known; HTML 5 has two thousand more, which stay as
//! they are.

use super::entities::{BARE, NAMES};
use crate::error::Result;
use crate::interpret::{Args, Run};
use crate::unicode::is_space;
use crate::value::Value;
use crate::value::repr::to_text;
use crate::value::text::Buffer;

/// What browsers take the codes 0x80 to 0x9f for (Windows-1252).
const WINDOWS: [u32; 32] = [
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039,
    0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc,
    0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
];

/// `striptags`
pub(super) fn striptags(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("striptags", [])?;
    let text = to_text(run, value)?;
    run.budget.read(text.len())?;
    run.budget.produce(2 * text.len())?;
    let text = without_tags(&text);
    let mut out = Buffer::new(&run.budget);
    let words = text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    unescape(&words, &mut out)?;
    Ok(Value::Text(out.into_text(false)))
}

fn without_tags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let end = match rest[start..].strip_prefix("<!--") {
            Some(comment) => comment.find("-->").map(|at| start + 4 + at + 3),
            None => rest[start..].find('>').map(|at| start + at + 1),
        };
        let Some(end) = end else { break };
        out.push_str(&rest[..start]);
        rest = &rest[end..];
    }
    out + rest
}

/// Python's `html.unescape`.
fn unescape(text: &str, out: &mut Buffer<'_>) -> Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at])?;
        out.budget().step()?;
        rest = &rest[at..];
        match reference(&rest[1..]) {
            Some((c, length)) => {
                c.map_or(Ok(()), |c| out.push(c))?;
                rest = &rest[1 + length..];
            }
            None => {
                out.push('&')?;
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest)
}

/// The character of a reference, if it is one that is written, and the length of the reference
/// after its `&`.
fn reference(text: &str) -> Option<(Option<char>, usize)> {
    let Some(number) = text.strip_prefix('#') else { return named(text) };
    let (digits, base) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    let n_digits = digits.find(|c: char| !c.is_digit(base)).unwrap_or(digits.len());
    let length = text.len() - digits.len() + n_digits;
    let length = length + usize::from(text[length..].starts_with(';'));
    if n_digits == 0 {
        return None;
    }
    let code = u32::from_str_radix(&digits[..n_digits], base).unwrap_or(u32::MAX);
    let c = match code {
        0x80..=0x9f => char::from_u32(WINDOWS[(code - 0x80) as usize]),
        0xd => Some('\r'),
        0 | 0xd800..=0xdfff | 0x11_0000.. => Some('\u{fffd}'),
        1..=8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef => None,
        code if code & 0xfffe == 0xfffe => None,
        code => char::from_u32(code),
    };
    Some((c, length))
}

fn named(text: &str) -> Option<(Option<char>, usize)> {
    let end = text.find(['\t', '\n', '\x0c', ' ', '<', '&', '#', ';']).unwrap_or(text.len());
    let name = &text[..end];
    let code = |name: &str| {
        let at = NAMES.binary_search_by_key(&name, |(known, _)| known).ok()?;
        char::from_u32(NAMES[at].1)
    };
    if let (true, Some(c)) = (text[end..].starts_with(';'), code(name)) {
        return Some((Some(c), end + 1));
    }
    // Some names count without a semicolon, even at the start of a longer word.
    let known =
        BARE.iter().filter(|bare| name.starts_with(**bare)).max_by_key(|bare| bare.len())?;
    Some((code(known), known.len()))
}
