//! Characters as Python's `str` methods see them.
//!
//! `std` knows cases and white space; the classes that it has not, or has otherwise, are in
//! `unicode_tables`.

use crate::unicode_tables::{
    ALPHABETIC, DECIMAL, DIGIT, FOLDED, NUMERIC, PRINTABLE, TITLE, TITLED,
};

/// `str.isspace`, and what `\s` matches: four separators more than White_Space.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// What `str.splitlines` splits at.
pub(crate) fn is_line_end(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// `str.isprintable`: what `repr` does not escape.
pub(crate) fn is_printable(c: char) -> bool {
    if c.is_ascii() { matches!(c, ' '..='~') } else { contains(PRINTABLE, c) }
}

/// `str.isalpha`.
pub(crate) fn is_alphabetic(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { contains(ALPHABETIC, c) }
}

/// `str.isdecimal`.
pub(crate) fn is_decimal(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { contains(DECIMAL, c) }
}

/// `str.isdigit`.
pub(crate) fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { contains(DIGIT, c) }
}

/// `str.isnumeric`.
pub(crate) fn is_numeric(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { contains(NUMERIC, c) }
}

/// `str.isalnum`.
pub(crate) fn is_alphanumeric(c: char) -> bool {
    is_alphabetic(c) || is_numeric(c)
}

/// Whether `c` may be in a name, and matches `\w`.
pub(crate) fn is_word(c: char) -> bool {
    c == '_' || is_alphanumeric(c)
}

/// A letter such as `ǅ`, capital and small at once.
pub(crate) fn is_title(c: char) -> bool {
    TITLE.binary_search(&u32::from(c)).is_ok()
}

/// Whether `c` has a case.
pub(crate) fn is_cased(c: char) -> bool {
    c.is_uppercase() || c.is_lowercase() || is_title(c)
}

/// Appends the capital of `c` at the start of a word.
pub(crate) fn push_title(c: char, out: &mut String) {
    match TITLED.binary_search_by_key(&c, |(from, _)| *from) {
        Ok(at) => out.push_str(TITLED[at].1),
        Err(_) => out.extend(c.to_uppercase()),
    }
}

/// Appends `c` as `str.casefold` writes it.
pub(crate) fn push_folded(c: char, out: &mut String) {
    match FOLDED.binary_search_by_key(&c, |(from, _)| *from) {
        Ok(at) => out.push_str(FOLDED[at].1),
        Err(_) => out.extend(c.to_lowercase()),
    }
}

/// `str.isidentifier`.
pub(crate) fn is_identifier(text: &str) -> bool {
    let starts = text.chars().next().is_some_and(|c| c == '_' || is_alphabetic(c));
    starts && text.chars().all(is_word)
}

/// Whether `c` is between the 1st and 2nd, 3rd and 4th, … border.
fn contains(borders: &[u32], c: char) -> bool {
    borders.partition_point(|border| *border <= u32::from(c)) % 2 == 1
}
