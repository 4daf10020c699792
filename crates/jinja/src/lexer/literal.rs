//! Literals: numbers as Python writes them, and strings with the escapes of Python's
//! `unicode-escape` codec.

use super::Kind;

/// The number that `rest` starts with, and its length.
pub(super) fn number(rest: &str, after_point: bool) -> Result<(Kind, usize), String> {
    if !after_point && let Some(length) = float_length(rest) {
        let digits = rest[..length].replace('_', "");
        return match digits.parse() {
            Ok(number) => Ok((Kind::Float(number), length)),
            Err(_) => Err(format!("'{digits}' is no number")),
        };
    }
    let (base, prefix) = match rest.as_bytes() {
        [b'0', b'b' | b'B', ..] => (2, 2),
        [b'0', b'o' | b'O', ..] => (8, 2),
        [b'0', b'x' | b'X', ..] => (16, 2),
        _ => (10, 0),
    };
    // An underscore may follow the prefix.
    let marked = prefix + usize::from(prefix > 0 && rest[prefix..].starts_with('_'));
    let mut length = marked + digits_length(&rest[marked..], |c| c.is_digit(base));
    let (base, prefix) = if length == marked && prefix > 0 { (10, 0) } else { (base, prefix) };
    if prefix == 0 {
        // A zero is followed by zeros only.
        let zero = rest.starts_with('0');
        length = digits_length(rest, |c| if zero { c == '0' } else { c.is_ascii_digit() });
    }
    let digits = rest[prefix..length].replace('_', "");
    match i128::from_str_radix(&digits, base) {
        Ok(number) => Ok((Kind::Int(number), length)),
        Err(_) => Err(format!("'{digits}' is an integer of more than 128 bits")),
    }
}

/// The length of digits with single underscores between them.
fn digits_length(text: &str, is_digit: impl Fn(char) -> bool) -> usize {
    let mut length = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let joins_digits =
            c == '_' && length > 0 && chars.peek().is_some_and(|next| is_digit(*next));
        if !is_digit(c) && !joins_digits {
            break;
        }
        length += 1;
    }
    length
}

/// The length of a number with a fraction or an exponent.
fn float_length(text: &str) -> Option<usize> {
    let digits = |text: &str| digits_length(text, |c| c.is_ascii_digit());
    let mut length = digits(text);
    let mut is_float = false;
    if let Some(fraction) = text[length..].strip_prefix('.') {
        let n = digits(fraction);
        if n > 0 {
            length += 1 + n;
            is_float = true;
        }
    }
    if let Some(exponent) = text[length..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['-', '+']));
        let n = digits(&exponent[sign..]);
        if n > 0 {
            length += 1 + sign + n;
            is_float = true;
        }
    }
    is_float.then_some(length)
}

/// The length of the string literal that `rest` starts with, quotes included.
pub(super) fn string_length(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices();
    let (_, quote) = chars.next()?;
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next()?;
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
}

/// The inside of a string literal with its escapes replaced. Unknown escapes stay.
pub(super) fn unescaped(literal: &str) -> Result<String, String> {
    let mut out = String::with_capacity(literal.len());
    let mut chars = literal.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\n') => {}
            Some(c @ ('\\' | '\'' | '"')) => out.push(c),
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('f') => out.push('\x0c'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\x0b'),
            Some('x') => out.push(code_point(&mut chars, 2)?),
            Some('u') => out.push(code_point(&mut chars, 4)?),
            Some('U') => out.push(code_point(&mut chars, 8)?),
            Some('N') => return Err("'\\N{…}' in a string is not supported".to_owned()),
            Some(c) if c.is_digit(8) => {
                let rest = chars.as_str();
                let n_more =
                    rest.bytes().take(2).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
                let digits = format!("{c}{}", &rest[..n_more]);
                out.extend(u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32));
                chars = rest[n_more..].chars();
            }
            // The codec sees a character beyond ASCII as an escape, whose backslash the one before
            // it escapes.
            Some(c) if !c.is_ascii() => out.push_str(&match u32::from(c) {
                code @ 0..=0xff => format!("\\x{code:02x}"),
                code @ 0..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
            Some(c) => out.extend(['\\', c]),
            None => return Err("'\\' at the end of a string".to_owned()),
        }
    }
    Ok(out)
}

/// The character of `n_digits` hexadecimal digits. Surrogates are refused: no text has them.
fn code_point(chars: &mut std::str::Chars<'_>, n_digits: usize) -> Result<char, String> {
    let digits: String = chars.by_ref().take(n_digits).collect();
    let is_whole =
        digits.len() == n_digits && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let code = if is_whole { u32::from_str_radix(&digits, 16).ok() } else { None };
    code.and_then(char::from_u32)
        .ok_or_else(|| format!("the escape '{digits}' in a string is no character"))
}
