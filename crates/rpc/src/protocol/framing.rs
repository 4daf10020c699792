//! Where messages begin and end in a stream of bytes, however it is cut: of commands (a byte, a
//! length, a body) or of answers (a length, a body). It keeps a header and counts a body, so a
//! hostile length costs nothing. What a message means is not looked at.

/// Where a stream of messages is.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    /// Bytes before a body: 9 with the command's byte, 8 without.
    header_bytes: usize,
    header: [u8; 9],
    /// Of the header; nothing between two messages.
    filled: usize,
    body_left: u64,
    length: u64,
}

/// What a stream has come to. The byte of a command stands for all of an answer's as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A message's first byte.
    Started(u8),
    /// The last byte of its header, which says how long its body is.
    Sized(u8, u64),
    /// Its last byte, with the length of its body again.
    Ended(u8, u64),
}

impl Framing {
    /// A stream of commands, from its beginning.
    pub fn of_commands() -> Framing {
        Framing { header_bytes: 9, header: [0; 9], filled: 0, body_left: 0, length: 0 }
    }

    /// A stream of answers, from its beginning.
    pub fn of_answers() -> Framing {
        Framing { header_bytes: 8, ..Framing::of_commands() }
    }

    /// Whether a message has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.filled > 0
    }

    /// The byte of the command that has begun.
    pub fn command(&self) -> Option<u8> {
        (self.header_bytes == 9 && self.filled > 0).then_some(self.header[0])
    }

    /// The next bytes of the stream: `on` is told what they come to, in order.
    ///
    /// # Errors
    /// The first of `on`; the stream is then not to be followed any further.
    pub fn feed<E>(
        &mut self,
        mut bytes: &[u8],
        mut on: impl FnMut(Mark) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(first) = bytes.first() {
            if self.filled < self.header_bytes {
                if self.filled == 0 {
                    self.header[0] = *first;
                    on(Mark::Started(self.byte()))?;
                }
                let n = bytes.len().min(self.header_bytes - self.filled);
                self.header[self.filled..self.filled + n].copy_from_slice(&bytes[..n]);
                self.filled += n;
                bytes = &bytes[n..];
                if self.filled < self.header_bytes {
                    return Ok(());
                }
                let mut length = [0; 8];
                length.copy_from_slice(&self.header[self.header_bytes - 8..self.header_bytes]);
                self.length = u64::from_le_bytes(length);
                self.body_left = self.length;
                on(Mark::Sized(self.byte(), self.length))?;
            } else {
                // What is left of a body may exceed what a length in memory can be.
                let n = usize::try_from(self.body_left).unwrap_or(usize::MAX).min(bytes.len());
                self.body_left -= n as u64;
                bytes = &bytes[n..];
            }
            if self.body_left == 0 {
                self.filled = 0;
                on(Mark::Ended(self.byte(), self.length))?;
            }
        }
        Ok(())
    }

    fn byte(&self) -> u8 {
        if self.header_bytes == 9 { self.header[0] } else { 0 }
    }
}
