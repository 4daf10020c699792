//! Models; text to tokens and back in vLLM's shapes.

use crate::{Message, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Answer of `GET /v1/models`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelList {
    /// Always `list`.
    pub object: String,
    /// The models.
    pub data: Vec<Model>,
}

/// A model that is served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// What requests call it.
    pub id: String,
    /// Always `model`.
    #[serde(default)]
    pub object: String,
    /// When the server was started, in seconds since 1970.
    #[serde(default)]
    pub created: u64,
    /// Who serves it.
    #[serde(default)]
    pub owned_by: String,
    /// Tokens of the longest sequence (vLLM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_model_len: Option<u64>,
}

/// Body of `POST /tokenize`: a text or a chat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenizeRequest {
    /// Which model's tokens; may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// Tools of the chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Begin as the model's sequences do, and take special tokens written out as such; on for both
    /// by default. A chat has the special tokens that its template writes, and begins as the
    /// model's sequences do only where this is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_special_tokens: Option<bool>,
    /// End a chat with the start of the assistant's turn; on by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_generation_prompt: Option<bool>,
    /// Further variables of the template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_template_kwargs: Option<Map<String, Value>>,
    /// Give each token's text too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_token_strs: Option<bool>,
    /// What else was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Tokens of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenizeResponse {
    /// How many.
    pub count: u64,
    /// Tokens of the longest sequence.
    pub max_model_len: u64,
    /// The ids.
    pub tokens: Vec<u32>,
    /// Their texts, where asked for.
    #[serde(default)]
    pub token_strs: Option<Vec<String>>,
}

/// Body of `POST /detokenize`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DetokenizeRequest {
    /// Which model's tokens; may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The ids.
    pub tokens: Vec<u32>,
    /// What else was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Text of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetokenizeResponse {
    /// The text.
    pub prompt: String,
}
