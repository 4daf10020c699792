//! The byte alphabet of byte-level BPE: each byte is written as one visible character (GPT-2's
//! `bytes_to_unicode`).
//!
//! Bytes that are visible in Latin-1 stand for themselves; the others, in order, are the characters
//! from U+0100 on. A space is `Ġ`, a newline `Ċ`.

/// Whether Latin-1 shows `byte` as a character of its own.
const fn is_visible(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

const TO_CHAR: [char; 256] = {
    let mut table = ['\0'; 256];
    let mut byte = 0;
    let mut next = 0x100_u32;
    while byte < 256 {
        let code = if is_visible(byte as u8) { byte as u32 } else { next };
        next += !is_visible(byte as u8) as u32;
        table[byte] = match char::from_u32(code) {
            Some(c) => c,
            None => panic!("all codes are below U+0200"),
        };
        byte += 1;
    }
    table
};

/// The character that stands for `byte`.
pub(crate) fn to_char(byte: u8) -> char {
    TO_CHAR[byte as usize]
}

/// The byte that `c` stands for.
pub(crate) fn from_char(c: char) -> Option<u8> {
    const HIDDEN: [u8; 68] = {
        let mut table = [0; 68];
        let mut byte = 0;
        let mut n = 0;
        while byte < 256 {
            if !is_visible(byte as u8) {
                table[n] = byte as u8;
                n += 1;
            }
            byte += 1;
        }
        table
    };
    match u8::try_from(c) {
        Ok(byte) => is_visible(byte).then_some(byte),
        Err(_) => HIDDEN.get(c as usize - 0x100).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        for byte in 0..=255 {
            assert_eq!(from_char(to_char(byte)), Some(byte));
        }
        assert_eq!([b' ', b'\n', b'a', 0xad, 0xff].map(to_char), ['Ġ', 'Ċ', 'a', 'Ń', 'ÿ']);
        for c in [' ', '\u{ad}', '\u{144}', '界'] {
            assert_eq!(from_char(c), None, "{c:?}");
        }
    }
}
