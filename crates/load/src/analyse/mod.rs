//! What the bytes of an answer say: which frames brought something of the answer, what the server
//! counted, and whether the answer is whole. Runs after the request has ended, so that reading JSON
//! delays no stamp.

mod chunk;
mod lenient;

use crate::net::{End, Exchange, Received};
use chunk::Chunk;
use lenient::Other;
use pacemark_openai_api::sse::{SseDecoder, SseLimits};
use pacemark_record::{Failure, FailureKind, Request};
use serde::Deserialize;
use serde_json::Value;

/// Longest message of a failure that is kept.
const MESSAGE_CHARS: usize = 300;

/// An answer that was read.
#[derive(Debug, Default)]
pub(crate) struct Analysed {
    /// Stamps, counts and failure; what only the sender knows is not filled in.
    pub request: Request,
    /// Text of the answer, reasoning left out.
    pub text: String,
    /// What else the model wrote: reasoning, a refusal, calls of tools.
    pub beside: String,
    /// Of each chunk that carries something: the time at which the server says that it sent it.
    pub emitted_ns: Vec<u64>,
}

/// Reads what came back. Stamps become relative to `origin_ns`.
pub(crate) fn analyse(exchange: Exchange, origin_ns: u64) -> Analysed {
    let since = |ns: u64| ns.saturating_sub(origin_ns);
    let mut found = Analysed::default();
    found.request.sent_ns = since(exchange.sent_ns);
    found.request.resent_ns = exchange.resent_ns.map(since);
    found.request.connected_ns = exchange.connected_ns.map(since);
    found.request.head_ns = exchange.head_ns.map(since);
    found.request.end_ns = since(exchange.end_ns);
    let failure = match exchange.answer {
        Err(failure) => Some(failure),
        Ok(received) => {
            found.request.whole = !received.is_stream && received.status.is_success();
            read(&received, &mut found).err()
        }
    };
    found.request.chunks_ns.iter_mut().for_each(|ns| *ns = since(*ns));
    found.request.failure =
        failure.map(|failure| Failure { message: shortened(&failure.message), ..failure });
    found
}

fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: message.into() }
}

/// To one line of bounded length.
fn shortened(message: &str) -> String {
    let line: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn read(received: &Received, found: &mut Analysed) -> Result<(), Failure> {
    let status = received.status.as_u16();
    if !received.status.is_success() {
        let kind = match status {
            429 => FailureKind::TooMany,
            400..=499 => FailureKind::ClientError,
            500.. => FailureKind::ServerError,
            _ => FailureKind::OddStatus,
        };
        let body = String::from_utf8_lossy(&received.bytes[..received.bytes.len().min(1 << 16)]);
        return Err(failure(kind, format!("{status}: {}", error_message(&body))));
    }
    let mut seen = Seen::default();
    // What came before a break is kept: it was measured.
    let read = if received.is_stream {
        events(received, found, &mut seen)
    } else {
        whole(received, found, &mut seen)
    };
    match &received.end {
        End::Complete | End::Done => {}
        End::Broken(why) => return Err(failure(FailureKind::Cut, why.as_str())),
        End::Stalled => return Err(failure(FailureKind::Stalled, "nothing came for too long")),
        End::TotalTimeout => {
            return Err(failure(FailureKind::TotalTimeout, "the whole request took too long"));
        }
        End::TooLarge => {
            return Err(failure(FailureKind::TooLarge, "the answer is longer than allowed"));
        }
    }
    read?;
    if received.is_stream && !seen.done && found.request.finish_reason.is_none() {
        return Err(failure(
            FailureKind::Unfinished,
            "the stream ended without a finish reason and without [DONE]",
        ));
    }
    // Tokens without text (special tokens, say) are an answer if the server counted them.
    if found.request.chunks_ns.is_empty() && found.request.output_usage.unwrap_or(0) == 0 {
        return Err(failure(FailureKind::Empty, "a complete answer without a token"));
    }
    Ok(())
}

/// The message of OpenAI's error object, else the body itself.
fn error_message(body: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let error = parsed.as_ref().map(|value| value.get("error").unwrap_or(value));
    let message =
        error.and_then(|error| error.get("message").or(Some(error))).and_then(Value::as_str);
    message.unwrap_or(body).to_owned()
}

#[derive(Default)]
struct Seen {
    done: bool,
}

/// An event stream, frame by frame: an event has arrived with the frame that completes it.
fn events(received: &Received, found: &mut Analysed, seen: &mut Seen) -> Result<(), Failure> {
    let mut decoder = SseDecoder::new(SseLimits::default());
    let mut wrong = None;
    let mut from = 0;
    for &(to, at) in &received.frames {
        let decoded = decoder.push(&received.bytes[from..to], |event| {
            let data = event.data.trim_ascii();
            if data == b"[DONE]" {
                seen.done = true;
            } else if data.is_empty() {
                // A sign of life.
            } else if event.name == b"error" && wrong.is_none() {
                wrong = Some(failure(
                    FailureKind::StreamError,
                    error_message(&String::from_utf8_lossy(data)),
                ));
            } else if wrong.is_none() {
                wrong = take(event.data, at, found).err();
            }
        });
        decoded.map_err(|error| failure(FailureKind::Garbage, error.to_string()))?;
        from = to;
    }
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    if decoder.is_unfinished() && !seen.done {
        return Err(failure(FailureKind::Unfinished, "the stream ended within an event"));
    }
    Ok(())
}

/// An answer that is one JSON object: all of it came with its last frame.
fn whole(received: &Received, found: &mut Analysed, seen: &mut Seen) -> Result<(), Failure> {
    seen.done = true;
    let at = received.frames.last().map_or(0, |(_, at)| *at);
    take(&received.bytes, at, found)
}

/// One chunk of the API.
fn take(data: &[u8], at: u64, found: &mut Analysed) -> Result<(), Failure> {
    let garbage = |why: &dyn std::fmt::Display| {
        let shown = String::from_utf8_lossy(&data[..data.len().min(200)]);
        failure(FailureKind::Garbage, format!("{why}, found: {shown}"))
    };
    let plain;
    let chunk: Chunk<'_> = match serde_json::from_slice(data) {
        Ok(chunk) => chunk,
        Err(error) => {
            plain = lenient::plain(data).ok_or_else(|| garbage(&error))?;
            Chunk::deserialize(&plain).map_err(|error| garbage(&error))?
        }
    };
    if let Some(error) = chunk.error.filter(lenient::is_error) {
        let message = error_message(&error.to_string());
        return Err(failure(FailureKind::StreamError, message));
    }
    if chunk.choices.is_none() && chunk.usage.is_none() {
        return match lenient::other(data) {
            Other::Nothing => Ok(()),
            Other::Error(message) => Err(failure(FailureKind::StreamError, message)),
            Other::Unknown => Err(garbage(&"expected choices or usage")),
        };
    }
    let mut carries = false;
    for choice in chunk.choices.iter().flatten() {
        carries |= choice.carries_token();
        found.text.push_str(choice.content());
        choice.beside().for_each(|text| found.beside.push_str(text));
        // Some say that there is none in a word of their own.
        if let Some(reason) =
            choice.finish_reason.as_ref().filter(|reason| !matches!(&*reason.0, "" | "null"))
        {
            found.request.finish_reason = Some(reason.0.as_ref().chars().take(64).collect());
        }
    }
    if carries {
        found.request.chunks_ns.push(at);
        found.emitted_ns.extend(chunk.emitted_ns);
    }
    if let Some(usage) = chunk.usage {
        // What it leaves out was not counted, which is not 0.
        let request = &mut found.request;
        request.prompt_usage = usage.prompt_tokens.or(request.prompt_usage);
        request.output_usage = usage.completion_tokens.or(request.output_usage);
        request.cached_tokens = usage
            .prompt_tokens_details
            .and_then(|details| details.cached_tokens)
            .or(request.cached_tokens);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
