//! What the tests of the event stream decoder and its fuzz target do with bytes.

use pacemark_openai_api::sse::{SseDecoder, SseError, SseLimits};

/// Name and data of every event, whether the last one was cut, and what ended it.
pub(crate) type Decoded = (Vec<(Vec<u8>, Vec<u8>)>, bool, Option<SseError>);

/// Decodes parts that follow each other.
pub(crate) fn decode(parts: &[&[u8]]) -> Decoded {
    let mut decoder = SseDecoder::new(SseLimits { line_bytes: 64, event_bytes: 128 });
    let mut events = Vec::new();
    let mut error = None;
    for part in parts {
        if let Err(found) =
            decoder.push(part, |event| events.push((event.name.to_vec(), event.data.to_vec())))
        {
            error = Some(found);
            break;
        }
    }
    (events, decoder.is_unfinished(), error)
}

/// The first byte says how the rest is split; the events must not depend on it, nor be longer than
/// allowed.
pub(crate) fn sse(bytes: &[u8]) {
    let Some((first, stream)) = bytes.split_first() else { return };
    let whole = decode(&[stream]);
    let parts: Vec<&[u8]> = stream.chunks(usize::from(*first).max(1)).collect();
    assert_eq!(decode(&parts), whole);
    assert!(whole.0.iter().all(|(name, data)| name.len() <= 64 && data.len() <= 256));
}
