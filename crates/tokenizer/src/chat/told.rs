//! Tools in words, for templates that have no place for them: what there is to call in a system
//! message, and the calls and results of the conversation so far as text.
//!
//! The tags are those of Hermes' and Qwen's templates, which many models have seen, and which
//! whoever reads the answer knows.

use super::{Content, Message};
use serde_json::{Value, json};

/// Tells the model of `tools`: behind the conversation's own system message, in one before it, or,
/// where the template shows none, in the user's first message.
pub(super) fn tell_tools(messages: &mut Vec<Message>, tools: &Value, shows_system: bool) {
    let text = instructions(tools);
    match messages.first_mut() {
        Some(first) if shows_system && matches!(first.role.as_str(), "system" | "developer") => {
            append(first, &text)
        }
        _ if shows_system => messages.insert(0, Message::new("system", text)),
        _ => match messages.iter_mut().find(|message| message.role == "user") {
            Some(user) => prepend(user, &text),
            None => messages.insert(0, Message::new("user", text)),
        },
    }
}

/// The first tool's name makes the example: small models copy what they see.
fn instructions(tools: &Value) -> String {
    let name = &tools[0]["function"]["name"];
    let lines: String =
        tools.as_array().into_iter().flatten().map(|tool| format!("{tool}\n")).collect();
    format!(
        "You can call functions. Those that there are, each as JSON with a schema of its arguments:\n\n\
         <tools>\n{lines}</tools>\n\n\
         To call one, answer with its name and arguments as JSON between tags, and for several calls with several such pairs:\n\n\
         <tool_call>\n{{\"name\": {name}, \"arguments\": {{}}}}\n</tool_call>\n\n\
         Where no function is needed, answer without tags."
    )
}

/// Writes calls into the text of the assistant that made them, and their results as messages of the
/// user.
pub(super) fn tell_calls(messages: Vec<Message>) -> Vec<Message> {
    let mut told: Vec<Message> = Vec::with_capacity(messages.len());
    // Results that follow each other are one message, and so is what the user says behind them:
    // many templates insist on user and assistant taking turns.
    let mut after_result = false;
    for mut message in messages {
        let is_result = message.role == "tool";
        if is_result {
            message = Message::new(
                "user",
                format!("<tool_response>\n{}\n</tool_response>", message.text()),
            );
        } else if !message.calls().is_empty() {
            message = with_calls_as_text(message);
        }
        match told.last_mut() {
            Some(last) if after_result && message.role == "user" => join(last, message.content),
            _ => told.push(message),
        }
        after_result = is_result;
    }
    told
}

fn with_calls_as_text(mut message: Message) -> Message {
    let said = message.text();
    let calls = message.calls().iter().map(call_as_text);
    let lines: Vec<String> =
        Some(said).filter(|said| !said.is_empty()).into_iter().chain(calls).collect();
    message.content = Some(Content::Text(lines.join("\n")));
    message.extra.shift_remove("tool_calls");
    message
}

fn call_as_text(call: &Value) -> String {
    let function = call.get("function").unwrap_or(call);
    let arguments = match &function["arguments"] {
        // JSON as OpenAI's API has it: kept as it was written.
        Value::String(text) if serde_json::from_str::<Value>(text).is_ok() => text.clone(),
        Value::Null => "{}".into(),
        other => other.to_string(),
    };
    format!(
        "<tool_call>\n{{\"name\": {}, \"arguments\": {arguments}}}\n</tool_call>",
        function["name"]
    )
}

fn append(message: &mut Message, text: &str) {
    match &mut message.content {
        Some(Content::Text(said)) if !said.is_empty() => *said = format!("{said}\n\n{text}"),
        Some(Content::Parts(parts)) => parts.push(part(text)),
        content => *content = Some(Content::Text(text.into())),
    }
}

fn prepend(message: &mut Message, text: &str) {
    match &mut message.content {
        Some(Content::Text(said)) => *said = format!("{text}\n\n{said}"),
        Some(Content::Parts(parts)) => parts.insert(0, part(text)),
        content => *content = Some(Content::Text(text.into())),
    }
}

/// Adds what follows a result, in a line of its own.
fn join(message: &mut Message, more: Option<Content>) {
    message.content = match (message.content.take(), more) {
        (Some(Content::Text(text)), Some(Content::Text(more))) => {
            Some(Content::Text(format!("{text}\n{more}")))
        }
        (Some(Content::Text(text)), Some(Content::Parts(mut parts))) => {
            parts.insert(0, part(&text));
            Some(Content::Parts(parts))
        }
        (said, None) => said,
        (said, Some(more)) => {
            let mut parts = match said {
                Some(Content::Parts(parts)) => parts,
                _ => Vec::new(),
            };
            match more {
                Content::Text(text) => parts.push(part(&text)),
                Content::Parts(more) => parts.extend(more),
            }
            Some(Content::Parts(parts))
        }
    };
}

fn part(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}
