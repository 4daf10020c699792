//! How much of its input a message repeats.
//!
//! A text that is refused can be as long as a file, and the messages of other libraries repeat it
//! in full (serde_json: `invalid type: string "…"`). Whatever of the input goes into an error goes
//! through here.

use std::borrow::Cow;

/// Bytes of a piece of input that is repeated in full; of a longer one, those of its beginning and
/// of its end.
const PIECE: Bounds = Bounds { whole: 300, head: 200, tail: 60 };
/// Of a message that has pieces in it. Its end is where others say "at line 7 column 3".
const MESSAGE: Bounds = Bounds { whole: 1000, head: 800, tail: 100 };

struct Bounds {
    whole: usize,
    head: usize,
    tail: usize,
}

/// A piece of the input: whole where it is short, else its beginning and its end with the number of
/// bytes between them.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    cut(text, PIECE)
}

/// The same in quotes, with escapes for what cannot be seen.
pub fn quoted(text: &str) -> String {
    format!("{:?}", excerpt(text))
}

/// A message that was made of the input by others, or by many hands: cut only where it is longer
/// than people read.
pub fn bounded(message: &str) -> Cow<'_, str> {
    cut(message, MESSAGE)
}

fn cut(text: &str, bounds: Bounds) -> Cow<'_, str> {
    if text.len() <= bounds.whole {
        return Cow::Borrowed(text);
    }
    let head = text.floor_char_boundary(bounds.head);
    let tail = text.ceil_char_boundary(text.len() - bounds.tail);
    Cow::Owned(format!("{} … ({} bytes) … {}", &text[..head], tail - head, &text[tail..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_whole_and_long_ones_bounded() {
        for (cut, whole) in
            [(excerpt as fn(&str) -> Cow<'_, str>, PIECE.whole), (bounded, MESSAGE.whole)]
        {
            let text = "é".repeat(whole / 2);
            assert_eq!((cut(""), cut(&text)), ("".into(), text.as_str().into()));
            let long = format!("é{}{}END", text, "é".repeat(1 << 20));
            let shown = cut(&long);
            assert!(
                shown.len() <= whole && shown.starts_with("éé") && shown.ends_with("éEND"),
                "{shown}"
            );
            // Nothing is cut within a character, wherever it lies.
            (0..9).for_each(|n| drop(cut(&format!("{}{long}", "x".repeat(n)))));
        }
        let shown = excerpt(&"x".repeat(1000)).into_owned();
        assert!(shown.contains(" … (740 bytes) … "), "{shown}");
        assert!(quoted(&"\u{1}".repeat(1 << 20)).len() < 2000);
        assert_eq!(quoted("a\n"), "\"a\\n\"");
    }
}
