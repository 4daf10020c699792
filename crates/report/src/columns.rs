//! How many columns of a terminal a text takes: an ideograph takes two. Texts on one line, and on several.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns of a text.
pub(crate) fn wide(text: &str) -> usize {
    text.width()
}

/// A character that is not seen but moves a cursor, ends a line or turns the direction of what follows
/// (Unicode's embeddings, overrides and isolates): text from outside could look like other text by it.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text on one line of a terminal or a table: what comes from outside moves no cursor and ends no row.
pub(crate) fn plain(text: &str) -> String {
    let one = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_hidden(c) => '\u{fffd}',
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

/// Text whose lines are longer than `width`, if there is one, broken between words or ideographs; what
/// continues a line begins with two spaces more. A word that is longer than a line stays whole: it may be a
/// path to copy.
pub(crate) fn folded(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let lines: Vec<String> = text.lines().map(|line| fold(line, width)).collect();
    lines.join("\n")
}

fn fold(line: &str, width: usize) -> String {
    if wide(line) <= width {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start_matches(' ').len();
    let (mut folded, mut column) = (" ".repeat(indent), indent);
    let mut is_first = true;
    for (has_space, word) in words(&line[indent..]) {
        let length = wide(word);
        let space = usize::from(has_space && !is_first);
        if !is_first && column + space + length > width {
            folded += &format!("\n{}", " ".repeat(indent + 2));
            column = indent + 2;
        } else if space == 1 {
            folded.push(' ');
            column += 1;
        }
        folded.push_str(word);
        column += length;
        is_first = false;
    }
    folded
}

/// What a line may be broken between, each with whether a space stands before it: words, and every
/// ideograph with the punctuation behind it.
fn words(line: &str) -> Vec<(bool, &str)> {
    let mut words = Vec::new();
    for (i, word) in line.split(' ').enumerate() {
        let mut begin = 0;
        let mut has_space = i > 0;
        let mut before: Option<char> = None;
        for (at, c) in word.char_indices() {
            let is_between = before.is_some_and(|before| {
                (is_wide(before) || is_wide(c)) && !closes(c) && !opens(before)
            });
            if is_between {
                words.push((std::mem::take(&mut has_space), &word[begin..at]));
                begin = at;
            }
            before = Some(c);
        }
        words.push((has_space, &word[begin..]));
    }
    words
}

fn is_wide(c: char) -> bool {
    UnicodeWidthChar::width(c) == Some(2)
}

/// It does not begin a line.
fn closes(c: char) -> bool {
    "，。：；、）」》！？,.:;)%".contains(c)
}

/// It does not end one.
fn opens(c: char) -> bool {
    "（「《(".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_between_words() {
        let text = "one two three four\nfive";
        assert_eq!(folded(text, None), text);
        assert_eq!(folded(text, Some(18)), text);
        assert_eq!(folded(text, Some(10)), "one two\n  three\n  four\nfive");
        assert_eq!(folded("a-very-long-word b", Some(5)), "a-very-long-word\n  b");
        assert_eq!(folded("  one two", Some(7)), "  one\n    two");
    }

    #[test]
    fn ideographs_are_broken_between_and_punctuation_stays_behind() {
        assert_eq!(folded("中位数，比例 p50。", Some(8)), "中位数，\n  比例\n  p50。");
        let long = "第一个之后每个输出词元的时间".repeat(9);
        assert!(folded(&long, Some(30)).lines().all(|line| wide(line) <= 30));
        assert_eq!(folded(&long, Some(30)).replace("\n  ", ""), long);
    }

    #[test]
    fn what_turns_a_text_around_is_seen() {
        assert_eq!(plain("a\u{202e}b\u{2066}c\n\u{1b}"), "a\u{fffd}b\u{fffd}c \u{fffd}");
    }
}
