//! Errors as OpenAI words them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// In words.
    pub message: String,
    /// Its class, e.g. `invalid_request_error`.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// The field of the request that it is about.
    #[serde(default)]
    pub param: Option<String>,
    /// For programs; a word here, a number with some servers.
    #[serde(default)]
    pub code: Option<Value>,
}
