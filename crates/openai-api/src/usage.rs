//! Token counts, and where a request's time went.

use serde::{Deserialize, Serialize};

/// Token counts of a request, over all its answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt or prompts.
    pub prompt_tokens: u64,
    /// Tokens generated.
    #[serde(default)]
    pub completion_tokens: u64,
    /// Their sum.
    #[serde(default)]
    pub total_tokens: u64,
    /// What the prompt's count contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_details: Option<PromptTokensDetails>,
}

impl Usage {
    /// Counts with their sum.
    pub fn new(prompt_tokens: u64, completion_tokens: u64, cached_tokens: u64) -> Usage {
        Usage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details: Some(PromptTokensDetails { cached_tokens: Some(cached_tokens) }),
        }
    }
}

/// What the prompt's count contains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptTokensDetails {
    /// Tokens that were not computed, since a cache had them.
    #[serde(default)]
    pub cached_tokens: Option<u64>,
}

/// Where a request's time went, in milliseconds (Pacemark; sent where the request says `"timings": true`).
///
/// With several answers, each field is the largest among them, since they are computed at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Reading the request, applying the chat template, tokenizing.
    pub prepare_ms: f64,
    /// Waiting for its turn.
    pub queue_ms: f64,
    /// Computing the prompt.
    pub prefill_ms: f64,
    /// Computing tokens.
    pub decode_ms: f64,
    /// Choosing tokens.
    pub sample_ms: f64,
    /// Turning ids to text.
    pub detokenize_ms: f64,
    /// From a token being known to its bytes being handed to the connection, a token's mean.
    pub socket_ms: f64,
    /// From the request having arrived to this being written.
    pub total_ms: f64,
}
