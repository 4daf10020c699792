//! Events of a stream, as bytes. What is the same in all chunks of an answer is written once, when the stream begins.

use super::Shape;
use crate::error::ApiError;
use bytes::{BufMut, BytesMut};
use nix::time::{ClockId, clock_gettime};
use pacemark_openai_api::{Delta, FunctionCallDelta, StreamOptions, Timings, ToolCallDelta, Usage};
use serde::Serialize;

/// Writes the chunks of one stream.
pub struct Wire {
    shape: Shape,
    options: StreamOptions,
    /// `data: {"id":…,"choices":[`
    head: Vec<u8>,
    /// The same and `{"index":i,"delta":` or `{"index":i,"text":`, for each answer.
    prefixes: Vec<Vec<u8>>,
}

/// Token counts so far, where each chunk carries them.
pub type SoFar = Option<Usage>;

impl Wire {
    /// For an answer of this name.
    pub fn new(shape: Shape, id: &str, created: u64, model: &str, n_answers: usize, options: StreamOptions) -> Wire {
        let object = match shape {
            Shape::Chat => "chat.completion.chunk",
            Shape::Completion => "text_completion",
        };
        let mut head = b"data: {\"id\":".to_vec();
        json(&mut head, id);
        head.extend_from_slice(format!(",\"object\":\"{object}\",\"created\":{created},\"model\":").as_bytes());
        json(&mut head, model);
        head.extend_from_slice(b",\"choices\":[");
        let field = if shape == Shape::Chat { "delta" } else { "text" };
        let prefix = |i: usize| [&head[..], format!("{{\"index\":{i},\"{field}\":").as_bytes()].concat();
        let prefixes = (0..n_answers).map(prefix).collect();
        Wire { shape, options, head, prefixes }
    }

    /// Whether each chunk carries token counts.
    pub fn counts_in_each(&self) -> bool {
        self.options.continuous_usage_stats && self.options.include_usage
    }

    /// The first chunk of a chat's answer: who speaks. Text completions have none.
    pub fn role(&self, out: &mut BytesMut, answer: usize, so_far: SoFar) {
        if self.shape == Shape::Chat {
            out.put_slice(&self.prefixes[answer]);
            out.put_slice(b"{\"role\":\"assistant\",\"content\":\"\"}");
            self.close(out, None::<&()>, None, so_far);
        }
    }

    /// Text of a token, and its log-probability in the route's shape.
    pub fn text<L: Serialize>(
        &self,
        out: &mut BytesMut,
        answer: usize,
        text: &str,
        logprobs: Option<&L>,
        so_far: SoFar,
    ) {
        out.put_slice(&self.prefixes[answer]);
        if self.shape == Shape::Chat {
            out.put_slice(b"{\"content\":");
            json(&mut out.writer(), text);
            out.put_u8(b'}');
        } else {
            json(&mut out.writer(), text);
        }
        self.close(out, logprobs, None, so_far);
    }

    /// What a chat's answer says and calls.
    pub fn delta<L: Serialize>(
        &self,
        out: &mut BytesMut,
        answer: usize,
        delta: &Delta,
        logprobs: Option<&L>,
        so_far: SoFar,
    ) {
        out.put_slice(&self.prefixes[answer]);
        json(&mut out.writer(), delta);
        self.close(out, logprobs, None, so_far);
    }

    /// The last chunk of an answer: why it ended.
    pub fn finish(&self, out: &mut BytesMut, answer: usize, reason: &'static str, so_far: SoFar) {
        out.put_slice(&self.prefixes[answer]);
        out.put_slice(if self.shape == Shape::Chat { b"{}" } else { b"\"\"" });
        self.close(out, None::<&()>, Some(reason), so_far);
    }

    /// What is the same behind text and deltas.
    fn close<L: Serialize>(
        &self,
        out: &mut BytesMut,
        logprobs: Option<&L>,
        reason: Option<&'static str>,
        so_far: SoFar,
    ) {
        match (logprobs, reason) {
            (None, None) => out.put_slice(b",\"logprobs\":null,\"finish_reason\":null}]"),
            (logprobs, reason) => {
                out.put_slice(b",\"logprobs\":");
                json(&mut out.writer(), &logprobs);
                out.put_slice(b",\"finish_reason\":");
                json(&mut out.writer(), &reason);
                out.put_slice(b"}]");
            }
        }
        match so_far {
            Some(usage) => {
                out.put_slice(b",\"usage\":");
                json(&mut out.writer(), &usage);
            }
            None if self.options.include_usage => out.put_slice(b",\"usage\":null"),
            None => {}
        }
        if self.options.emitted_ns
            && let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC)
        {
            let ns = now.tv_sec() as i128 * 1_000_000_000 + now.tv_nsec() as i128;
            out.put_slice(format!(",\"emitted_ns\":{ns}").as_bytes());
        }
        out.put_slice(b"}\n\n");
    }

    /// The chunk without answers behind all others: token counts and timings, where asked for.
    pub fn totals(&self, out: &mut BytesMut, usage: &Usage, timings: Option<&Timings>) {
        if !self.options.include_usage && timings.is_none() {
            return;
        }
        out.put_slice(&self.head);
        out.put_u8(b']');
        if self.options.include_usage {
            out.put_slice(b",\"usage\":");
            json(&mut out.writer(), usage);
        }
        if let Some(timings) = timings {
            out.put_slice(b",\"timings\":");
            json(&mut out.writer(), timings);
        }
        out.put_slice(b"}\n\n");
    }

    /// Something broke in the middle.
    pub fn error(&self, out: &mut BytesMut, error: &ApiError) {
        out.put_slice(b"data: ");
        json(&mut out.writer(), &error.body());
        out.put_slice(b"\n\n");
    }

    /// The end of the stream.
    pub fn done(&self, out: &mut BytesMut) {
        out.put_slice(b"data: [DONE]\n\n");
    }
}

/// Calls' parts of one token, joined to one delta.
#[derive(Default)]
pub struct CallDeltas(Vec<ToolCallDelta>);

impl CallDeltas {
    /// Call number `index` begins.
    pub fn begin(&mut self, index: usize, id: String, name: String) {
        self.0.push(ToolCallDelta {
            index: index as u64,
            id: Some(id),
            kind: Some("function".into()),
            function: Some(FunctionCallDelta { name: Some(name), arguments: Some(String::new()) }),
        });
    }

    /// More arguments of call number `index`.
    pub fn arguments(&mut self, index: usize, more: &str) {
        if self.0.last().is_none_or(|last| last.index != index as u64) {
            let function = Some(FunctionCallDelta { name: None, arguments: Some(String::new()) });
            self.0.push(ToolCallDelta { index: index as u64, function, ..ToolCallDelta::default() });
        }
        if let Some(arguments) = self.0.last_mut().and_then(|call| call.function.as_mut()?.arguments.as_mut()) {
            arguments.push_str(more);
        }
    }

    /// All of them, if there are any.
    pub fn take(self) -> Option<Vec<ToolCallDelta>> {
        Some(self.0).filter(|calls| !calls.is_empty())
    }
}

/// JSON of `value`; memory takes all of it and these types have no maps with odd keys, so nothing can fail.
fn json<T: Serialize + ?Sized>(out: &mut impl std::io::Write, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}
