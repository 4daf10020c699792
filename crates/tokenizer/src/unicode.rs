//! The character classes that the pre-tokenizers know: `\s`, `\p{L}`, `\p{N}`, `\p{P}`.
//!
//! `std` has no general categories, and a regex engine looks each character up through an
//! automaton; here ASCII is one `match`, the rest a binary search in a sorted list of borders.
//! Unicode 16; a test compares every character with the regex engine's own classes and prints the
//! table to paste when they differ.

use crate::unicode_tables::{LETTERS, NUMBERS, PUNCTUATION};

/// What a character is to a pre-tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `\s`: the White_Space property.
    Space,
    /// `\p{L}`.
    Letter,
    /// `\p{N}`.
    Number,
    /// All else, unassigned characters included.
    Other,
}

/// The class of `c`.
pub(crate) fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        ' ' | '\t'..='\r' => Class::Space,
        '0'..='9' => Class::Number,
        '\0'..='\x7f' => Class::Other,
        _ if contains(LETTERS, c) => Class::Letter,
        _ if contains(NUMBERS, c) => Class::Number,
        _ if c.is_whitespace() => Class::Space,
        _ => Class::Other,
    }
}

/// Whether `c` is `\p{P}`.
pub(crate) fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c)
    } else {
        contains(PUNCTUATION, c)
    }
}

/// Whether `c` lies in the set whose members begin at the even borders and end before the odd ones.
fn contains(borders: &[u32], c: char) -> bool {
    borders.partition_point(|&border| border <= c as u32) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The borders of `pattern` beyond ASCII, by the regex engine.
    fn borders(pattern: &str) -> Vec<u32> {
        let regex = fancy_regex::Regex::new(pattern).unwrap();
        let mut inside = false;
        let mut borders = Vec::new();
        for c in '\u{80}'..=char::MAX {
            let now = regex.is_match(c.encode_utf8(&mut [0; 4])).unwrap();
            if now != inside {
                borders.push(c as u32);
            }
            inside = now;
        }
        borders
    }

    #[test]
    fn tables_are_the_regex_classes() {
        for (name, table, pattern) in [
            ("LETTERS", LETTERS, r"\p{L}"),
            ("NUMBERS", NUMBERS, r"\p{N}"),
            ("PUNCTUATION", PUNCTUATION, r"\p{P}"),
        ] {
            let borders = borders(pattern);
            let list = borders.iter().map(|b| format!("0x{b:x}, ")).collect::<String>();
            assert!(borders == table, "pub const {name}: &[u32] = &[{list}];");
        }
    }

    #[test]
    fn ascii_and_spaces_are_the_regex_classes() {
        let regex = |pattern| fancy_regex::Regex::new(pattern).unwrap();
        let (letter, number, punctuation, space) =
            (regex(r"\p{L}"), regex(r"\p{N}"), regex(r"\p{P}"), regex(r"\s"));
        for c in '\0'..='\u{ffff}' {
            let is =
                |regex: &fancy_regex::Regex| regex.is_match(c.encode_utf8(&mut [0; 4])).unwrap();
            assert_eq!(is_punctuation(c), is(&punctuation), "{c:?}");
            let expected = match (is(&space), is(&letter), is(&number)) {
                (true, false, false) => Class::Space,
                (false, true, false) => Class::Letter,
                (false, false, true) => Class::Number,
                _ => Class::Other,
            };
            assert_eq!(class(c), expected, "{c:?}");
        }
    }
}
