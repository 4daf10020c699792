//! Text as other programs write it: UTF-8, with a byte-order mark or without, and UTF-16 with one.
//!
//! Editors of Windows begin UTF-8 with a mark, and PowerShell's `>` writes UTF-16. The mark is no
//! part of the text: a JSON document or the first line of a list must not begin with it (The
//! Unicode Standard, 23.8; RFC 8259, section 8.1 lets readers ignore it). Ends of lines are left as
//! they are: `str::lines` and JSON take both kinds.

const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
const UTF16_LITTLE: &[u8] = &[0xff, 0xfe];
const UTF16_BIG: &[u8] = &[0xfe, 0xff];
const UTF32_LITTLE: &[u8] = &[0xff, 0xfe, 0, 0];
const UTF32_BIG: &[u8] = &[0, 0, 0xfe, 0xff];

/// Bytes that are no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct NotText {
    /// What would have been right.
    pub expected: &'static str,
    /// What is there, and where.
    pub found: String,
}

/// The text that `bytes` are, without a byte-order mark.
pub fn decode(mut bytes: Vec<u8>) -> Result<String, NotText> {
    if bytes.starts_with(UTF32_LITTLE) || bytes.starts_with(UTF32_BIG) {
        let found = "UTF-32, by its byte-order mark".into();
        return Err(NotText {
            expected: "text in UTF-8, or in UTF-16 with a byte-order mark",
            found,
        });
    }
    if let Some(rest) = bytes.strip_prefix(UTF16_LITTLE) {
        return utf16(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(UTF16_BIG) {
        return utf16(rest, u16::from_be_bytes);
    }
    let mark = if bytes.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
    bytes.drain(..mark);
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let found = format!("byte 0x{:02x} at offset {}", error.as_bytes()[at], at + mark);
        NotText { expected: "UTF-8 text", found }
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NotText> {
    let broken = |at: usize| NotText {
        expected: "text in UTF-16, as its byte-order mark says",
        found: format!("a broken character at offset {at}"),
    };
    let (pairs, odd) = bytes.as_chunks();
    let mut text = String::with_capacity(pairs.len());
    let mut at = UTF16_LITTLE.len();
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let character = decoded.map_err(|_| broken(at))?;
        at += 2 * character.len_utf16();
        text.push(character);
    }
    if odd.is_empty() { Ok(text) } else { Err(broken(at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16_of(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(unit).collect()
    }

    #[test]
    fn marks_are_no_text() {
        let text = "{\"a\": \"é😀\u{feff}\"}\r\n";
        for bytes in [
            text.as_bytes().to_vec(),
            [UTF8_MARK, text.as_bytes()].concat(),
            utf16_of(text, u16::to_le_bytes),
            utf16_of(text, u16::to_be_bytes),
        ] {
            assert_eq!(decode(bytes).unwrap(), text);
        }
        for empty in [&[][..], UTF8_MARK, UTF16_LITTLE, UTF16_BIG] {
            assert_eq!(decode(empty.to_vec()).unwrap(), "");
        }
        // A second mark is a character of the text.
        assert_eq!(decode([UTF8_MARK, UTF8_MARK].concat()).unwrap(), "\u{feff}");
    }

    #[test]
    fn what_is_no_text_is_located() {
        let error = |bytes: &[u8]| decode(bytes.to_vec()).unwrap_err().to_string();
        assert_eq!(error(b"ab\xffc"), "expected UTF-8 text, found byte 0xff at offset 2");
        assert_eq!(
            error(b"\xef\xbb\xbfab\xff"),
            "expected UTF-8 text, found byte 0xff at offset 5"
        );
        assert!(error(b"\xff\xfea\0\x00\xd8b\0").ends_with("a broken character at offset 4"));
        assert!(error(b"\xfe\xff\0ab").ends_with("a broken character at offset 4"));
        assert!(
            error(b"\xff\xfe\0\0a\0\0\0").contains("UTF-32")
                && error(b"\0\0\xfe\xff").contains("UTF-32")
        );
    }
}
