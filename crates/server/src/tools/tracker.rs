//! Where a JSON value ends in text that comes in pieces.

/// Follows one value from its first byte.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tracker {
    depth: u32,
    begun: bool,
    in_string: bool,
    escaped: bool,
    /// Neither string nor container: it ends where something else begins.
    scalar: bool,
}

impl Tracker {
    /// A tracker that stands inside one container.
    pub(super) fn inside() -> Tracker {
        Tracker { depth: 1, begun: true, ..Tracker::default() }
    }

    /// Goes on over `text`; the offset behind the value's last byte if it ends there.
    pub(super) fn run(&mut self, text: &str) -> Option<usize> {
        for (i, byte) in text.bytes().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return Some(i + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            if self.scalar {
                if matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace() {
                    return Some(i);
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(i + 1);
                    }
                }
                _ if !self.begun && !byte.is_ascii_whitespace() => self.scalar = true,
                _ => {}
            }
            self.begun |= !byte.is_ascii_whitespace();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_should_however_they_are_cut() {
        for (text, end) in [
            (r#"{"a": "}\"", "b": [1, {}]} rest"#, Some(26)),
            (r#" "a\\" x"#, Some(6)),
            ("12, 3", Some(2)),
            ("true}", Some(4)),
            ("[[]", None),
            ("12", None),
        ] {
            assert_eq!(Tracker::default().run(text), end, "{text}");
            let mut tracker = Tracker::default();
            let found = text
                .char_indices()
                .find_map(|(i, c)| tracker.run(&text[i..i + c.len_utf8()]).map(|n| i + n));
            assert_eq!(found, end, "{text}");
        }
    }
}
