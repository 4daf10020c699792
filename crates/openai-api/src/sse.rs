//! Server-sent events, decoded from bytes as they come.
//!
//! The grammar is WHATWG HTML's, "Interpreting an event stream" (9.2.6): lines end in LF, CR or
//! CRLF, a line of a colon is a comment, several `data` lines are one event's data with LF between
//! them, an empty line ends the event. Bytes may be split anywhere. What the data means (JSON,
//! `[DONE]`) is left to the caller, and so is reconnecting: `id` and `retry` are skipped.

/// What one stream may make a reader keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseLimits {
    /// Longest line, in bytes.
    pub line_bytes: usize,
    /// Longest data of one event, in bytes.
    pub event_bytes: usize,
}

impl Default for SseLimits {
    /// A mebibyte and four: a whole answer in one event fits.
    fn default() -> SseLimits {
        SseLimits { line_bytes: 1 << 20, event_bytes: 4 << 20 }
    }
}

/// A stream that a reader will not follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// A line did not end in time.
    #[error("event stream: a line is longer than {limit} bytes")]
    LongLine {
        /// [`SseLimits::line_bytes`].
        limit: usize,
    },
    /// An event's data did not end in time.
    #[error("event stream: the data of an event is longer than {limit} bytes")]
    LongEvent {
        /// [`SseLimits::event_bytes`].
        limit: usize,
    },
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// Its type; empty where the stream names none (`message` by the standard).
    pub name: &'a [u8],
    /// Its data.
    pub data: &'a [u8],
}

/// Turns bytes into events.
#[derive(Clone, Debug, Default)]
pub struct SseDecoder {
    limits: SseLimits,
    /// Begin of a line whose end has not come.
    line: Vec<u8>,
    /// Data lines of the event so far, each with its LF.
    data: Vec<u8>,
    name: Vec<u8>,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
    /// A line was read: a byte order mark is one at the start only.
    started: bool,
    failed: Option<SseError>,
}

impl SseDecoder {
    /// For one stream.
    pub fn new(limits: SseLimits) -> SseDecoder {
        SseDecoder { limits, ..SseDecoder::default() }
    }

    /// Takes the next bytes and hands over every event that they complete. After an error it stays
    /// that error.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        mut on_event: impl FnMut(SseEvent<'_>),
    ) -> Result<(), SseError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            let (part, rest) = bytes.split_at(end);
            let cr = rest[0] == b'\r';
            self.end_line(part, &mut on_event)?;
            bytes = &rest[1..];
            if cr {
                self.after_cr = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.keep(bytes)
    }

    /// Bytes of an event came without the empty line that ends it: the stream was cut. Such an
    /// event is never handed over.
    pub fn is_unfinished(&self) -> bool {
        !self.line.is_empty() || !self.data.is_empty()
    }

    fn fail(&mut self, error: SseError) -> Result<(), SseError> {
        self.line = Vec::new();
        self.data = Vec::new();
        self.failed = Some(error.clone());
        Err(error)
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), SseError> {
        let limit = self.limits.line_bytes;
        if part.len() > limit || self.line.len() > limit - part.len() {
            return self.fail(SseError::LongLine { limit });
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(
        &mut self,
        part: &[u8],
        on_event: &mut impl FnMut(SseEvent<'_>),
    ) -> Result<(), SseError> {
        // Most lines come whole and are not copied.
        if self.line.is_empty() {
            if part.len() > self.limits.line_bytes {
                return self.fail(SseError::LongLine { limit: self.limits.line_bytes });
            }
            return self.take_line(part, on_event);
        }
        self.keep(part)?;
        let line = std::mem::take(&mut self.line);
        let taken = self.take_line(&line, on_event);
        if self.failed.is_none() {
            self.line = line;
            self.line.clear(); // its capacity is used again
        }
        taken
    }

    fn take_line(
        &mut self,
        mut line: &[u8],
        on_event: &mut impl FnMut(SseEvent<'_>),
    ) -> Result<(), SseError> {
        if !std::mem::replace(&mut self.started, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            if let Some((_, data)) = self.data.split_last() {
                on_event(SseEvent { name: &self.name, data });
            }
            self.data.clear();
            self.name.clear();
            return Ok(());
        }
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                let limit = self.limits.event_bytes;
                if value.len() > limit || self.data.len() > limit - value.len() {
                    return self.fail(SseError::LongEvent { limit });
                }
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {} // a comment, `id`, `retry`, or a field that there is not
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(parts: &[&[u8]]) -> (Vec<(String, String)>, bool) {
        let mut decoder = SseDecoder::new(SseLimits::default());
        let mut events = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for part in parts {
            decoder.push(part, |event| events.push((text(event.name), text(event.data)))).unwrap();
        }
        (events, decoder.is_unfinished())
    }

    fn data(stream: &str) -> Vec<String> {
        decode(&[stream.as_bytes()]).0.into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn the_standards_examples() {
        // WHATWG HTML, 9.2.6, its four examples.
        assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        let four = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n";
        assert_eq!(data(four), ["first event", "second event"], "the third is not ended");
        assert!(decode(&[four.as_bytes()]).1);
        assert_eq!(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn line_ends_names_and_marks() {
        assert_eq!(data("\u{feff}data: a\r\n\r\ndata: b\r\rdata: c\n\n"), ["a", "b", "c"]);
        assert_eq!(data("data: \u{feff}\n\n"), ["\u{feff}"]);
        let (events, unfinished) =
            decode(&[b"event: error\ndata: x\n\ndata: y\n\nevent: lost\n\n"]);
        assert_eq!(events, [("error".into(), "x".into()), ("".into(), "y".into())]);
        assert!(!unfinished);
    }

    #[test]
    fn a_cr_and_its_lf_may_be_parted() {
        assert_eq!(
            decode(&[b"data: a\r", b"\n\r", b"\n", b"data: b\r", b"", b"\n\r\n"]).0.len(),
            2
        );
    }

    #[test]
    fn lengths_are_bounded_and_the_error_stays() {
        let limits = SseLimits { line_bytes: 10, event_bytes: 8 };
        let mut decoder = SseDecoder::new(limits);
        assert_eq!(
            decoder.push(b"data: 12345678901", |_| {}),
            Err(SseError::LongLine { limit: 10 })
        );
        assert_eq!(
            decoder.push(b"\n\n", |_| panic!("no event")),
            Err(SseError::LongLine { limit: 10 })
        );
        let mut decoder = SseDecoder::new(limits);
        assert_eq!(
            decoder.push(b"data: 1234\ndata: 56789\n", |_| {}),
            Err(SseError::LongLine { limit: 10 })
        );
        let mut decoder = SseDecoder::new(limits);
        assert_eq!(
            decoder.push(b"data:1234\ndata:56789\n", |_| {}),
            Err(SseError::LongEvent { limit: 8 })
        );
        let mut decoder = SseDecoder::new(limits);
        for _ in 0..100 {
            assert_eq!(decoder.push(b"data:12345\n\n", |_| {}), Ok(()));
        }
    }
}
