//! Text completions. A stream's chunks have the shape of whole answers.

use crate::{CompletionLogprobs, Sampling, Timings, Usage, lenient};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of `POST /v1/completions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompletionRequest {
    /// Which model; the only one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What to go on from.
    pub prompt: Prompt,
    /// How many alternatives are told for each token; with it, log-probabilities are.
    #[serde(
        default,
        deserialize_with = "lenient::count_or_flag",
        skip_serializing_if = "Option::is_none"
    )]
    pub logprobs: Option<u64>,
    /// Begin as the model's sequences do (vLLM); on by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_special_tokens: Option<bool>,
    /// How to choose tokens.
    #[serde(flatten)]
    pub sampling: Sampling,
    /// What else was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One prompt or several, as text or as token ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a string, an array of strings, an array of token ids or an array of such arrays"
)]
pub enum Prompt {
    /// A text.
    Text(String),
    /// Token ids.
    Tokens(Vec<u32>),
    /// Texts.
    Texts(Vec<String>),
    /// Several arrays of token ids.
    TokenArrays(Vec<Vec<u32>>),
}

/// A whole answer, or a chunk of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionResponse {
    /// Name of this answer.
    pub id: String,
    /// Always `text_completion`.
    #[serde(default)]
    pub object: String,
    /// When it was made, in seconds since 1970.
    #[serde(default)]
    pub created: u64,
    /// The model.
    #[serde(default)]
    pub model: String,
    /// What computes: the same as long as engine, model and settings are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_fingerprint: Option<String>,
    /// The answers, or parts of them.
    #[serde(default)]
    pub choices: Vec<CompletionChoice>,
    /// Token counts; in a stream, in the last chunk where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Where the time went, where asked for (Pacemark).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
}

/// An answer, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionChoice {
    /// Its text.
    pub text: String,
    /// Which answer.
    #[serde(default)]
    pub index: u64,
    /// Log-probabilities, where asked for.
    #[serde(default)]
    pub logprobs: Option<CompletionLogprobs>,
    /// Why it ended; none until it does.
    #[serde(default)]
    pub finish_reason: Option<String>,
    /// Token ids of the prompt, where asked for (vLLM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_token_ids: Option<Vec<u32>>,
    /// Token ids of the text, where asked for (vLLM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_ids: Option<Vec<u32>>,
}
