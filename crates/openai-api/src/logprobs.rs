//! Log-probabilities, in the shape of chats and in the older one of text completions.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Log-probabilities of a chat's answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatLogprobs {
    /// One for each token.
    #[serde(default)]
    pub content: Option<Vec<TokenLogprob>>,
}

/// A token, its log-probability and its alternatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// Its text; what is no character is replaced.
    pub token: String,
    /// Natural log-probability.
    pub logprob: f32,
    /// Its bytes.
    #[serde(default)]
    pub bytes: Option<Vec<u8>>,
    /// The most likely tokens, most likely first.
    #[serde(default)]
    pub top_logprobs: Vec<TopLogprob>,
}

/// An alternative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopLogprob {
    /// Its text; what is no character is replaced.
    pub token: String,
    /// Natural log-probability.
    pub logprob: f32,
    /// Its bytes.
    #[serde(default)]
    pub bytes: Option<Vec<u8>>,
}

/// Log-probabilities of a text completion: four arrays of one length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionLogprobs {
    /// Texts.
    #[serde(default)]
    pub tokens: Vec<String>,
    /// Natural log-probabilities.
    #[serde(default)]
    pub token_logprobs: Vec<Option<f32>>,
    /// The most likely tokens of each position.
    #[serde(default)]
    pub top_logprobs: Option<Vec<Option<BTreeMap<String, f32>>>>,
    /// Where each token begins in the text, in characters.
    #[serde(default)]
    pub text_offset: Vec<u64>,
}
