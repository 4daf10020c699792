//! How much of its input a message repeats.
//!
//! A text that is refused can be as long as a file, and the messages of other libraries repeat it in full (serde_json:
//! `invalid type: string "…"`). Whatever of the input goes into an error goes through here.

use std::borrow::Cow;

/// Characters of a text that is repeated in full.
const WHOLE: usize = 300;
/// Characters of the beginning of a longer one, and of its end: where a message says "at line 7 column 3" last.
const HEAD: usize = 200;
const TAIL: usize = 60;

/// `text` where it is short, else its beginning and its end with the number of bytes between them.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    let Some((head, _)) = text.char_indices().nth(HEAD).filter(|_| text.char_indices().nth(WHOLE).is_some()) else {
        return Cow::Borrowed(text);
    };
    let tail = text.char_indices().rev().nth(TAIL - 1).map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{} … ({} bytes) … {}", &text[..head], tail - head, &text[tail..]))
}

/// The same in quotes, with escapes for what cannot be seen.
pub fn quoted(text: &str) -> String {
    format!("{:?}", excerpt(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_whole_and_long_ones_bounded() {
        assert_eq!(excerpt(""), "");
        let whole = "é".repeat(WHOLE);
        assert_eq!(excerpt(&whole), whole);
        let long = format!("{}END", "é".repeat(1 << 20));
        let shown = excerpt(&long);
        assert!(shown.len() < 700 && shown.starts_with("éé") && shown.ends_with("éEND"), "{shown}");
        assert!(shown.contains(&format!("… ({} bytes) …", long.len() - 2 * HEAD - 2 * TAIL + 3)), "{shown}");
        // Escapes of one byte take up to ten.
        assert!(quoted(&"\u{10ffff}".repeat(1 << 20)).len() < 4000);
        assert_eq!(quoted("a\n"), "\"a\\n\"");
    }
}
