//! Scanners: hand-written forms of the pre-tokenizers' regexes, about fifty times as fast as a
//! backtracking engine.
//!
//! Each takes a text that is not empty and gives the length in bytes of its first piece: the match
//! at its start, or the gap before the next match. A test in `pre` holds every scanner to its
//! regex.

use crate::unicode::{Class, class, is_punctuation};

/// Bytes of the characters at the start of `text` for which `keep` holds.
fn run(text: &str, keep: impl Fn(char) -> bool) -> usize {
    text.find(|c| !keep(c)).unwrap_or(text.len())
}

/// The run that `keep` holds for, or the gap before it.
fn run_or_gap(text: &str, keep: impl Fn(char) -> bool + Copy) -> usize {
    match run(text, keep) {
        0 => run(text, |c| !keep(c)),
        length => length,
    }
}

fn is_number(c: char) -> bool {
    class(c) == Class::Number
}

/// `\p{N}`
pub(crate) fn number(text: &str) -> usize {
    match text.chars().next() {
        Some(c) if is_number(c) => c.len_utf8(),
        _ => run(text, |c| !is_number(c)),
    }
}

/// `\p{N}+`
pub(crate) fn numbers(text: &str) -> usize {
    run_or_gap(text, is_number)
}

/// `[0-9][0-9][0-9]`
pub(crate) fn three_digits(text: &str) -> usize {
    let digits = |three: &[u8]| three.iter().all(u8::is_ascii_digit);
    match text.as_bytes().windows(3).position(digits) {
        Some(0) => 3,
        Some(gap) => gap,
        None => text.len(),
    }
}

/// `[\p{P}\$\+<=>\^~\|]+`
pub(crate) fn punctuation(text: &str) -> usize {
    run_or_gap(text, |c| {
        is_punctuation(c) || matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '~' | '|')
    })
}

/// As [`punctuation`] with a backtick in the set.
pub(crate) fn falcon_punctuation(text: &str) -> usize {
    run_or_gap(text, |c| {
        is_punctuation(c) || matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '~' | '|' | '`')
    })
}

/// `[\r\n]`
pub(crate) fn line_end(text: &str) -> usize {
    match text.find(['\r', '\n']) {
        Some(0) => 1,
        Some(gap) => gap,
        None => text.len(),
    }
}

/// `\s?\p{L}+`
pub(crate) fn spaced_letters(text: &str) -> usize {
    spaced_run_or_gap(text, |c| class(c) == Class::Letter)
}

/// `\s?\p{P}+`
pub(crate) fn spaced_punctuation(text: &str) -> usize {
    spaced_run_or_gap(text, is_punctuation)
}

/// `[一-龥ࠀ-一가-퟿]+`
pub(crate) fn east_asian(text: &str) -> usize {
    run_or_gap(text, |c| matches!(c, '\u{800}'..='\u{9fa5}' | '\u{ac00}'..='\u{d7ff}'))
}

/// The run that `keep`, which holds for no space, holds for, with one space before it; or the gap
/// before that.
fn spaced_run_or_gap(text: &str, keep: impl Fn(char) -> bool + Copy) -> usize {
    let first = text.chars().next().filter(|&c| class(c) == Class::Space).map_or(0, char::len_utf8);
    match run(&text[first..], keep) {
        0 => {}
        length => return first + length,
    }
    // The gap ends at the first kept character, or at the space before it.
    let Some(at) = text.find(keep) else { return text.len() };
    let space = text[..at]
        .chars()
        .next_back()
        .filter(|&c| class(c) == Class::Space)
        .map_or(0, char::len_utf8);
    at - space
}

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`
pub(crate) fn gpt2(text: &str) -> usize {
    if let Some(length) = contraction(text, |byte| byte) {
        return length;
    }
    let space = usize::from(text.starts_with(' '));
    match text[space..].chars().next().map(class) {
        None | Some(Class::Space) => spaces(text),
        Some(kind) => space + run(&text[space..], |c| class(c) == kind),
    }
}

/// As [`llama3`] with single digits: `\p{N}` in place of `\p{N}{1,3}`.
pub(crate) fn qwen2(text: &str) -> usize {
    words_and_numbers(text, 1)
}

/// `'[sS]|'[tT]|'[rR][eE]|…|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
/// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
pub(crate) fn llama3(text: &str) -> usize {
    words_and_numbers(text, 3)
}

fn words_and_numbers(text: &str, max_digits: usize) -> usize {
    if let Some(length) = contraction(text, |byte| byte.to_ascii_lowercase()) {
        return length;
    }
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    let rest = chars.as_str();
    let letters = |text| run(text, |c| class(c) == Class::Letter);
    let kind = class(first);
    if kind == Class::Number {
        return text
            .chars()
            .take(max_digits)
            .take_while(|&c| is_number(c))
            .map(char::len_utf8)
            .sum();
    }
    if kind == Class::Letter || !matches!(first, '\r' | '\n') && letters(rest) > 0 {
        return first.len_utf8() + letters(rest);
    }
    let space = usize::from(first == ' ');
    match run(&text[space..], |c| class(c) == Class::Other) {
        0 => lines_or_spaces(text),
        symbols => {
            let end = space + symbols;
            end + run(&text[end..], |c| matches!(c, '\r' | '\n'))
        }
    }
}

/// `'s|'t|'re|'ve|'m|'ll|'d`, after `fold` was applied to the letters.
fn contraction(text: &str, fold: impl Fn(u8) -> u8) -> Option<usize> {
    let letters = text.as_bytes().strip_prefix(b"'")?;
    match letters.first().map(|&byte| fold(byte))? {
        b's' | b't' | b'm' | b'd' => Some(2),
        first => match (first, letters.get(1).map(|&byte| fold(byte))?) {
            (b'r' | b'v', b'e') | (b'l', b'l') => Some(3),
            _ => None,
        },
    }
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+` where a space stands.
fn lines_or_spaces(text: &str) -> usize {
    let spaces_run = &text[..run(text, |c| class(c) == Class::Space)];
    match spaces_run.rfind(['\r', '\n']) {
        Some(line_end) => line_end + 1,
        None => spaces(text),
    }
}

/// `\s+(?!\S)|\s+` where a space stands: the last space before a word is left to the word.
fn spaces(text: &str) -> usize {
    let length = run(text, |c| class(c) == Class::Space);
    if length == text.len() {
        return length;
    }
    match text[..length].char_indices().next_back() {
        Some((last, _)) if last > 0 => last,
        _ => length,
    }
}
