//! Chunks that are not as OpenAI writes them, and that its clients read all the same: counts as
//! 5.0, content in parts, null or another kind of value where a field has nothing to say, JSON as
//! Python writes it (NaN, half a surrogate pair).
//!
//! Most chunks never come here: only those that the borrowed types of `chunk` refuse. What is made
//! of them is the plain form, for those types to read; a field that cannot be understood is left
//! out, as a reader leaves out a field that it does not know.

use crate::numbers::whole;
use serde_json::{Map, Value};

/// What a chunk without choices, usage or error is.
pub(super) enum Other {
    /// A sign of life.
    Nothing,
    /// An error that is not in a field of that name.
    Error(String),
    /// Not of this API.
    Unknown,
}

/// The plain form of a chunk; none of what is no JSON object.
pub(super) fn plain(data: &[u8]) -> Option<Value> {
    let Value::Object(chunk) = parse(data)? else { return None };
    let fields = chunk.into_iter().filter_map(|(name, value)| {
        let value = match name.as_str() {
            "choices" => several(value, choice),
            "usage" => usage(value),
            "emitted_ns" => count(&value),
            "error" => value,
            _ => return None,
        };
        Some((name, value))
    });
    Some(Value::Object(fields.collect()))
}

/// What it is that has nothing which a chunk has.
pub(super) fn other(data: &[u8]) -> Other {
    let Some(Value::Object(chunk)) = parse(data) else { return Other::Unknown };
    let says = |name: &str, word: &str| chunk.get(name).and_then(Value::as_str) == Some(word);
    if says("object", "error") || says("type", "error") {
        return Other::Error(
            text(chunk.get("message").unwrap_or(&Value::Null))
                .as_str()
                .unwrap_or("no message")
                .to_owned(),
        );
    }
    let empty = chunk.is_empty()
        || ["choices", "usage", "error"].iter().any(|name| chunk.contains_key(*name));
    if empty || says("type", "ping") { Other::Nothing } else { Other::Unknown }
}

/// An error field that says something: clients in Python and JavaScript ask whether it is true.
pub(super) fn is_error(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(true) => true,
    }
}

fn choice(value: Value) -> Option<Value> {
    let Value::Object(choice) = value else { return None };
    let fields = choice.into_iter().filter_map(|(name, value)| {
        let value = match name.as_str() {
            "delta" | "message" => delta(value),
            "text" | "finish_reason" => text(&value),
            _ => return None,
        };
        Some((name, value))
    });
    Some(Value::Object(fields.collect()))
}

fn delta(value: Value) -> Value {
    // Some send the text itself.
    let Value::Object(delta) = value else {
        return if value.is_null() {
            value
        } else {
            Value::Object(Map::from_iter([("content".to_owned(), text(&value))]))
        };
    };
    let fields = delta.into_iter().filter_map(|(name, value)| {
        let value = match name.as_str() {
            "content" | "reasoning_content" | "reasoning" | "refusal" => text(&value),
            "tool_calls" => several(value, call),
            "function_call" => function(value),
            _ => return None,
        };
        Some((name, value))
    });
    Value::Object(fields.collect())
}

fn call(value: Value) -> Option<Value> {
    let Value::Object(mut call) = value else { return None };
    let function = function(call.remove("function").unwrap_or(Value::Null));
    Some(Value::Object(Map::from_iter([("function".to_owned(), function)])))
}

fn function(value: Value) -> Value {
    let Value::Object(function) = value else { return Value::Null };
    let parts = function.into_iter().filter(|(name, _)| name == "name" || name == "arguments");
    Value::Object(parts.map(|(name, value)| (name, text(&value))).collect())
}

fn usage(value: Value) -> Value {
    let Value::Object(usage) = value else { return Value::Null };
    let fields = usage.into_iter().filter_map(|(name, value)| {
        let value = match name.as_str() {
            "prompt_tokens" | "completion_tokens" | "cached_tokens" => count(&value),
            "prompt_tokens_details" => self::usage(value),
            _ => return None,
        };
        Some((name, value))
    });
    Value::Object(fields.collect())
}

/// Those of a list, or one that is not in a list.
fn several(value: Value, one: impl Fn(Value) -> Option<Value>) -> Value {
    match value {
        Value::Array(items) => items.into_iter().filter_map(one).collect(),
        Value::Object(_) => one(value).into_iter().collect(),
        _ => Value::Null,
    }
}

/// A number of tokens, if it is one.
fn count(value: &Value) -> Value {
    whole(value).map_or(Value::Null, Value::from)
}

/// Text, also of a list of parts (`{"type": "text", "text": …}`), and a value that is none as its
/// JSON.
fn text(value: &Value) -> Value {
    fn write(value: &Value, into: &mut String) {
        match value {
            Value::Null => {}
            Value::String(text) => into.push_str(text),
            Value::Array(parts) => parts.iter().for_each(|part| write(part, into)),
            Value::Object(part) => {
                match ["text", "thinking", "content"].iter().find_map(|name| part.get(*name)) {
                    Some(text) => write(text, into),
                    None if part.contains_key("type") => {} // a part of another kind: a picture, a sound
                    None => into.push_str(&value.to_string()),
                }
            }
            other => into.push_str(&other.to_string()),
        }
    }
    if value.is_null() {
        return Value::Null;
    }
    let mut found = String::new();
    write(value, &mut found);
    Value::String(found)
}

/// JSON, also as Python's `json` writes it and reads it.
fn parse(data: &[u8]) -> Option<Value> {
    serde_json::from_slice(data).ok().or_else(|| {
        serde_json::from_str(&without_pythons_words(&String::from_utf8_lossy(data))).ok()
    })
}

/// `NaN` and the infinities become null, and escapes of half a surrogate pair the character for
/// what cannot be read.
fn without_pythons_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut in_string) = (text, false);
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "Infinity", "-Infinity"]
            .into_iter()
            .find(|word| !in_string && rest.starts_with(word));
        let taken = if let Some(word) = word {
            out.push_str("null");
            word.len()
        } else if in_string && c == '\\' {
            escape(rest, &mut out)
        } else {
            in_string ^= c == '"';
            out.push(c);
            c.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

/// Copies the escape at the beginning; gives its length.
fn escape(rest: &str, out: &mut String) -> usize {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let length = match unit(rest) {
        Some(0xd800..=0xdbff)
            if rest.get(6..).and_then(unit).is_some_and(|low| (0xdc00..=0xdfff).contains(&low)) =>
        {
            12
        }
        Some(0xd800..=0xdfff) => {
            out.push('\u{fffd}');
            return 6;
        }
        Some(_) => 6,
        None => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
    };
    out.push_str(&rest[..length]);
    length
}
