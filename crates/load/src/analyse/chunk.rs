//! A chunk of a stream, as far as a load generator reads it: borrowed from the bytes where it can
//! be, unlike the full types of `openai-api`, since at thousands of streams this is most of the
//! client's work.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// A chunk of a chat or of a completion; a whole answer has the same shape.
#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub error: Option<Value>,
    /// When the server handed this chunk to the system, on the machine's monotonic clock: asked for
    /// by a self-test.
    #[serde(default)]
    pub emitted_ns: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    /// Of an answer that is not streamed.
    #[serde(borrow, default)]
    message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning: Option<Text<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
    /// What calls of tools were before they were several.
    #[serde(borrow, default)]
    function_call: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    pub prompt_tokens: Option<u64>,
    #[serde(default)]
    pub completion_tokens: Option<u64>,
    #[serde(default)]
    pub prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
pub(super) struct Details {
    #[serde(default)]
    pub cached_tokens: Option<u64>,
}

impl Choice<'_> {
    /// It brings something of the answer: text, reasoning or a piece of a tool call. A role alone
    /// is none.
    pub(super) fn carries_token(&self) -> bool {
        let some = |text: &Option<Text<'_>>| text.as_ref().is_some_and(|text| !text.0.is_empty());
        let in_delta = |delta: &Delta<'_>| {
            let function = |f: &Function<'_>| some(&f.name) || some(&f.arguments);
            let called = |call: &ToolCall<'_>| call.function.as_ref().is_some_and(function);
            [&delta.content, &delta.reasoning_content, &delta.reasoning, &delta.refusal]
                .into_iter()
                .any(some)
                || delta.tool_calls.iter().flatten().any(called)
                || delta.function_call.as_ref().is_some_and(function)
        };
        some(&self.text) || [&self.delta, &self.message].into_iter().flatten().any(in_delta)
    }

    /// What the model wrote besides its text: tokens too, but not what the next turn repeats.
    pub(super) fn beside(&self) -> impl Iterator<Item = &str> {
        let delta = self.delta.as_ref().or(self.message.as_ref());
        let thought = delta.and_then(|delta| {
            // Servers that know both names send the same under both.
            let filled = delta.reasoning_content.as_ref().filter(|text| !text.0.is_empty());
            filled.or(delta.reasoning.as_ref())
        });
        let calls = delta.into_iter().flat_map(|delta| delta.tool_calls.iter().flatten());
        let functions = calls.filter_map(|call| call.function.as_ref());
        let functions = functions.chain(delta.and_then(|delta| delta.function_call.as_ref()));
        let functions = functions.flat_map(|f| [&f.name, &f.arguments]).flatten();
        let refusal = delta.and_then(|delta| delta.refusal.as_ref());
        thought.into_iter().chain(refusal).chain(functions).map(|text| text.0.as_ref())
    }

    /// Its text, as the next turn of a conversation repeats it.
    pub(super) fn content(&self) -> &str {
        let delta = self.delta.as_ref().or(self.message.as_ref());
        let content = delta.and_then(|delta| delta.content.as_ref()).or(self.text.as_ref());
        content.map_or("", |text| text.0.as_ref())
    }
}

/// A string that is copied only where it has escapes.
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Read).map(Text)
    }
}
