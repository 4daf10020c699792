//! How many columns of a terminal a text takes: an ideograph takes two.

use unicode_width::UnicodeWidthStr;

/// The columns of a text.
pub(crate) fn wide(text: &str) -> usize {
    text.width()
}

/// A text on one line of a terminal or a table: what comes from outside moves no cursor and ends no row.
pub(crate) fn plain(text: &str) -> String {
    let one = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(one).collect()
}

/// The text with spaces behind it, up to so many columns.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(wide(text))))
}

/// The text with spaces before it.
pub(crate) fn padded_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(wide(text))))
}
