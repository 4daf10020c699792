//! One message of a chat, in the shape of OpenAI's API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A message. Fields that are not named here (`tool_calls`, `name`, `reasoning_content`, …) reach the template as they are.
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

impl Message {
    /// A message that is text.
    pub fn new(role: impl Into<String>, text: impl Into<String>) -> Message {
        Message { role: role.into(), content: Some(Content::Text(text.into())), extra: Map::new() }
    }
}
