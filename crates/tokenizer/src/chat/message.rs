//! One message of a chat, in the shape of OpenAI's API, and as a template is given it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The names that a message's reasoning goes by, in the order in which they are looked at.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A message. Fields that are not named here (`tool_calls`, `name`, `reasoning_content`, …) reach
/// the template as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`, `tool`.
    pub role: String,
    /// What is said; may be absent beside tool calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Text.
    Text(String),
    /// Parts such as `{"type": "text", "text": …}`, for templates that know them.
    Parts(Vec<Value>),
}

impl Content {
    /// The text, or that of all parts that have some, a line each.
    pub(super) fn text(&self) -> String {
        match self {
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => {
                parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

impl Message {
    /// A message that is text.
    pub fn new(role: impl Into<String>, text: impl Into<String>) -> Message {
        Message { role: role.into(), content: Some(Content::Text(text.into())), extra: Map::new() }
    }

    /// What is said, as text.
    pub(super) fn text(&self) -> String {
        self.content.as_ref().map(Content::text).unwrap_or_default()
    }

    /// The calls that the message makes.
    pub(super) fn calls(&self) -> &[Value] {
        self.extra.get("tool_calls").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// As `apply_chat_template` of transformers 5 hands it on: without the fields that are null,
    /// and with reasoning under the name that most templates read and under gpt-oss's. Role and
    /// content come first, whatever the order was.
    pub(super) fn for_template(&self) -> Value {
        let reasoning = REASONING
            .iter()
            .filter_map(|name| self.extra.get(*name))
            .find(|value| !value.is_null());
        let mut fields = Map::new();
        if let Some(reasoning) = reasoning {
            fields.insert("thinking".into(), reasoning.clone());
        }
        fields.insert("role".into(), self.role.clone().into());
        if let Some(content) = &self.content {
            fields.insert("content".into(), serde_json::json!(content));
        }
        let extra = self.extra.iter().filter(|(_, value)| !value.is_null());
        fields.extend(extra.map(|(name, value)| (name.clone(), value.clone())));
        if let Some(reasoning) = reasoning {
            fields.insert("reasoning_content".into(), reasoning.clone());
        }
        Value::Object(fields)
    }

    /// Replaces the arguments of all calls, which OpenAI's API has as a text of JSON, by the object
    /// that they are. What is no object stays as it is.
    pub(super) fn parse_arguments(&mut self) {
        let calls =
            self.extra.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten();
        for arguments in calls.filter_map(|call| call.pointer_mut("/function/arguments")) {
            if let Some(Ok(object @ Value::Object(_))) =
                arguments.as_str().map(serde_json::from_str)
            {
                *arguments = object;
            }
        }
    }

    /// The other way: the text of arguments that came as an object.
    pub(super) fn write_arguments(&mut self) {
        let calls =
            self.extra.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten();
        for arguments in calls.filter_map(|call| call.pointer_mut("/function/arguments")) {
            if arguments.is_object() {
                *arguments = Value::String(arguments.to_string());
            }
        }
    }
}
