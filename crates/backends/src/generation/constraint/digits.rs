//! Numbers of JSON that end: a schema bounds a number's value, never its digits, and a weak model
//! writes zeros behind a point until its tokens are spent. After [`MOST`] digits in a row another
//! comes only where nothing else may, as in llama.cpp's grammars.

/// Digits in a row: what a 64-bit float tells apart, and llama.cpp's bound.
const MOST: usize = 16;

/// Where an output of JSON is, as far as its numbers need it.
#[derive(Clone, Debug, Default)]
pub(super) struct Digits {
    in_string: bool,
    escaped: bool,
    run: usize,
}

impl Digits {
    /// More of the text.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.run = if byte.is_ascii_digit() && !self.in_string { self.run + 1 } else { 0 };
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = self.in_string,
                b'"' => self.in_string = !self.in_string,
                _ => {}
            }
        }
    }

    /// There are enough of them.
    pub(super) fn enough(&self) -> bool {
        self.run >= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_numbers_are_counted_and_those_of_strings_are_not() {
        let enough = |text: &str| {
            let mut digits = Digits::default();
            digits.push(text.as_bytes());
            digits.enough()
        };
        assert!(enough("{\"a\": 1234567890123456") && enough("[\"\\\"\", 0.0000000000000000"));
        for text in [
            "{\"a\": 123456789012345",
            "{\"a\": 12345678.12345678",
            "{\"a1234567890123456",
            "[\"\\\"1234567890123456",
        ] {
            assert!(!enough(text), "{text}");
        }
    }
}
