//! What the tests of the framing and its fuzz target do with bytes.

use pacemark_rpc::protocol::{Framing, Mark};

/// What a stream comes to, of parts that follow each other, and whether it ends within a message.
pub(crate) fn marks(mut framing: Framing, parts: &[&[u8]]) -> (Vec<Mark>, bool) {
    let mut marks = Vec::new();
    for part in parts {
        let fed = framing.feed(part, |mark| {
            marks.push(mark);
            Ok::<(), std::convert::Infallible>(())
        });
        let Ok(()) = fed;
    }
    (marks, framing.is_within())
}

/// The same of all bytes at once, as the protocol's text says it.
fn expected(header_bytes: usize, mut bytes: &[u8]) -> (Vec<Mark>, bool) {
    let mut marks = Vec::new();
    while let Some(first) = bytes.first() {
        let byte = if header_bytes == 9 { *first } else { 0 };
        marks.push(Mark::Started(byte));
        let Some((header, rest)) = bytes.split_at_checked(header_bytes) else {
            return (marks, true);
        };
        let length = u64::from_le_bytes(header[header_bytes - 8..].try_into().unwrap());
        marks.push(Mark::Sized(byte, length));
        if length > rest.len() as u64 {
            return (marks, true);
        }
        marks.push(Mark::Ended(byte, length));
        bytes = &rest[length as usize..];
    }
    (marks, false)
}

/// The first byte says what the rest is and how it is split; messages must not depend on it.
pub(crate) fn framing(bytes: &[u8]) {
    let Some((first, stream)) = bytes.split_first() else { return };
    let (framing, header_bytes) = match first % 2 {
        0 => (Framing::of_commands(), 9),
        _ => (Framing::of_answers(), 8),
    };
    let parts: Vec<&[u8]> = stream.chunks(usize::from(first / 2).max(1)).collect();
    let wanted = expected(header_bytes, stream);
    assert_eq!(marks(framing, &parts), wanted);
    assert_eq!(marks(framing, &[stream]), wanted);
}
