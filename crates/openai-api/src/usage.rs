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

/// Counts and speeds of an answer so far, under llama-server's names (sent where the request says
/// `"timings_per_token": true`).
///
/// The first token belongs to the prompt, whose computation gives it: times and rates of generated
/// tokens are those of the tokens behind it. (llama-server counts it among them.)
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Speeds {
    /// Tokens of the prompt that a cache had.
    pub cache_n: u64,
    /// Tokens of the prompt that were computed.
    pub prompt_n: u64,
    /// From the request's turn to its first token, in milliseconds.
    pub prompt_ms: f64,
    /// Of each of them; none where there are none.
    pub prompt_per_token_ms: Option<f64>,
    /// Their rate; none where there are none.
    pub prompt_per_second: Option<f64>,
    /// Tokens generated.
    pub predicted_n: u64,
    /// From the first to the last of them, in milliseconds.
    pub predicted_ms: f64,
    /// Of each token behind the first; none where there is none.
    pub predicted_per_token_ms: Option<f64>,
    /// The rate of those; none where there is none.
    pub predicted_per_second: Option<f64>,
}

/// What an answer's `timings` hold: what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Where the time went.
    #[serde(flatten)]
    pub spans: Option<Spans>,
    /// Counts and speeds.
    #[serde(flatten)]
    pub speeds: Option<Speeds>,
}

/// Where a request's time went, in milliseconds (Pacemark; sent where the request says `"timings":
/// true`).
///
/// With several answers, each field is the largest among them, since they are computed at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spans {
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
