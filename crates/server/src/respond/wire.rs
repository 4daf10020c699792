//! Events of a stream, as bytes. What is the same in all chunks of an answer is written once, when
//! the stream begins.

use super::shape::Shape;
use crate::app::{App, unix_time};
use crate::error::ApiError;
use bytes::{BufMut, BytesMut};
use nix::time::{ClockId, clock_gettime};
use pacemark_backend::TokenId;
use pacemark_openai_api::{Delta, FunctionCallDelta, StreamOptions, Timings, ToolCallDelta, Usage};
use serde::Serialize;

/// Writes the chunks of one stream.
pub(super) struct Wire {
    shape: Shape,
    options: StreamOptions,
    /// `data: {"id":…,"choices":[`
    head: Vec<u8>,
    /// The same and `{"index":i,"delta":` or `{"index":i,"text":`, for each answer.
    prefixes: Vec<Vec<u8>>,
}

/// What a chunk carries besides, each where it was asked for.
#[derive(Debug, Default)]
pub(super) struct Besides {
    /// Token counts so far.
    pub so_far: Option<Usage>,
    /// Counts and speeds so far.
    pub timings: Option<Timings>,
    /// Ids of the prompt.
    pub prompt_ids: Option<Vec<TokenId>>,
    /// Ids of the tokens whose text this is.
    pub ids: Option<Vec<TokenId>>,
}

impl Wire {
    /// For an answer of this name.
    pub(super) fn new(
        shape: Shape,
        id: &str,
        app: &App,
        n_answers: usize,
        options: StreamOptions,
    ) -> Wire {
        let created = unix_time();
        let object = match shape {
            Shape::Chat => "chat.completion.chunk",
            Shape::Completion => "text_completion",
        };
        let mut head = b"data: {\"id\":".to_vec();
        json(&mut head, id);
        head.extend_from_slice(
            format!(",\"object\":\"{object}\",\"created\":{created},\"model\":").as_bytes(),
        );
        json(&mut head, app.options.model_name());
        head.extend_from_slice(b",\"system_fingerprint\":");
        json(&mut head, &app.fingerprint);
        head.extend_from_slice(b",\"choices\":[");
        let field = if shape == Shape::Chat { "delta" } else { "text" };
        let prefix =
            |i: usize| [&head[..], format!("{{\"index\":{i},\"{field}\":").as_bytes()].concat();
        let prefixes = (0..n_answers).map(prefix).collect();
        Wire { shape, options, head, prefixes }
    }

    /// Whether each chunk carries token counts.
    pub(super) fn counts_in_each(&self) -> bool {
        self.options.continuous_usage_stats && self.options.include_usage
    }

    /// The first chunk of a chat's answer: who speaks. Text completions have none.
    pub(super) fn role(&self, out: &mut BytesMut, answer: usize, besides: &Besides) {
        if self.shape == Shape::Chat {
            out.put_slice(&self.prefixes[answer]);
            out.put_slice(b"{\"role\":\"assistant\",\"content\":\"\"}");
            self.close(out, None::<&()>, None, besides);
        }
    }

    /// Text of a token, and its log-probability in the route's shape.
    pub(super) fn text<L: Serialize>(
        &self,
        out: &mut BytesMut,
        answer: usize,
        text: &str,
        logprobs: Option<&L>,
        besides: &Besides,
    ) {
        out.put_slice(&self.prefixes[answer]);
        if self.shape == Shape::Chat {
            out.put_slice(b"{\"content\":");
            json(&mut out.writer(), text);
            out.put_u8(b'}');
        } else {
            json(&mut out.writer(), text);
        }
        self.close(out, logprobs, None, besides);
    }

    /// What a chat's answer says and calls.
    pub(super) fn delta<L: Serialize>(
        &self,
        out: &mut BytesMut,
        answer: usize,
        delta: &Delta,
        logprobs: Option<&L>,
        besides: &Besides,
    ) {
        out.put_slice(&self.prefixes[answer]);
        json(&mut out.writer(), delta);
        self.close(out, logprobs, None, besides);
    }

    /// The last chunk of an answer: why it ended.
    pub(super) fn finish(
        &self,
        out: &mut BytesMut,
        answer: usize,
        reason: &'static str,
        besides: &Besides,
    ) {
        out.put_slice(&self.prefixes[answer]);
        out.put_slice(if self.shape == Shape::Chat { b"{}" } else { b"\"\"" });
        self.close(out, None::<&()>, Some(reason), besides);
    }

    /// What is the same behind text and deltas.
    fn close<L: Serialize>(
        &self,
        out: &mut BytesMut,
        logprobs: Option<&L>,
        reason: Option<&'static str>,
        besides: &Besides,
    ) {
        match (logprobs, reason) {
            (None, None) => out.put_slice(b",\"logprobs\":null,\"finish_reason\":null"),
            (logprobs, reason) => {
                field(out, "logprobs", &logprobs);
                field(out, "finish_reason", &reason);
            }
        }
        if let Some(ids) = &besides.ids {
            field(out, "token_ids", ids);
        }
        if self.shape == Shape::Completion && besides.prompt_ids.is_some() {
            field(out, "prompt_token_ids", &besides.prompt_ids);
        }
        out.put_slice(b"}]");
        if self.shape == Shape::Chat && besides.prompt_ids.is_some() {
            field(out, "prompt_token_ids", &besides.prompt_ids);
        }
        if let Some(timings) = &besides.timings {
            field(out, "timings", timings);
        }
        match &besides.so_far {
            Some(usage) => field(out, "usage", usage),
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
    pub(super) fn totals(&self, out: &mut BytesMut, usage: &Usage, timings: Option<&Timings>) {
        if !self.options.include_usage && timings.is_none() {
            return;
        }
        out.put_slice(&self.head);
        out.put_u8(b']');
        if self.options.include_usage {
            field(out, "usage", usage);
        }
        if let Some(timings) = timings {
            field(out, "timings", timings);
        }
        out.put_slice(b"}\n\n");
    }

    /// Something broke in the middle.
    pub(super) fn error(&self, out: &mut BytesMut, error: &ApiError) {
        out.put_slice(b"data: ");
        json(&mut out.writer(), &error.body());
        out.put_slice(b"\n\n");
    }

    /// The end of the stream.
    pub(super) fn done(&self, out: &mut BytesMut) {
        out.put_slice(b"data: [DONE]\n\n");
    }
}

/// Calls' parts of one token, joined to one delta.
#[derive(Default)]
pub(super) struct CallDeltas(Vec<ToolCallDelta>);

impl CallDeltas {
    /// Call number `index` begins.
    pub(super) fn begin(&mut self, index: usize, id: String, name: String) {
        self.0.push(ToolCallDelta {
            index: index as u64,
            id: Some(id),
            kind: Some("function".into()),
            function: Some(FunctionCallDelta { name: Some(name), arguments: Some(String::new()) }),
        });
    }

    /// More arguments of call number `index`.
    pub(super) fn arguments(&mut self, index: usize, more: &str) {
        if self.0.last().is_none_or(|last| last.index != index as u64) {
            let function = Some(FunctionCallDelta { name: None, arguments: Some(String::new()) });
            self.0.push(ToolCallDelta {
                index: index as u64,
                function,
                ..ToolCallDelta::default()
            });
        }
        if let Some(arguments) =
            self.0.last_mut().and_then(|call| call.function.as_mut()?.arguments.as_mut())
        {
            arguments.push_str(more);
        }
    }

    /// All of them, if there are any.
    pub(super) fn take(self) -> Option<Vec<ToolCallDelta>> {
        Some(self.0).filter(|calls| !calls.is_empty())
    }
}

/// `,"name":` and the JSON of `value`.
fn field<T: Serialize + ?Sized>(out: &mut BytesMut, name: &str, value: &T) {
    out.put_slice(b",\"");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\":");
    json(&mut out.writer(), value);
}

/// JSON of `value`; memory takes all of it and these types have no maps with odd keys, so nothing
/// can fail.
fn json<T: Serialize + ?Sized>(out: &mut impl std::io::Write, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}
