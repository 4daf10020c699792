//! What happens to a request, stamped where it happens.

use crate::{BackendError, KvHeld, TokenId};
use std::time::{Duration, Instant};

/// One event of a request.
#[derive(Clone, Debug)]
pub enum Event {
    /// The request was accepted.
    Queued {
        /// When.
        at: Instant,
    },
    /// Computing begins.
    Started {
        /// When.
        at: Instant,
        /// Prompt tokens whose KV was already there and is not computed again.
        cached_tokens: usize,
    },
    /// A part of a long prompt is computed; never the last part.
    Prefill {
        /// Prompt tokens computed so far, cached ones included.
        computed: usize,
        /// Prompt tokens in all.
        of: usize,
        /// When.
        at: Instant,
    },
    /// A token was sampled.
    Token {
        /// The token.
        id: TokenId,
        /// Text that became certain with it: whole characters only, so it may be empty. The last
        /// token's is all that is left.
        text: String,
        /// Its natural log-probability before sampling changed the distribution, where asked for.
        logprob: Option<f32>,
        /// The most likely tokens with their natural log-probabilities, most likely first.
        top: Vec<(TokenId, f32)>,
        /// Whether the output ends with it.
        last: bool,
        /// When it was known.
        at: Instant,
    },
    /// The request is complete.
    Finished {
        /// Why it ended.
        reason: FinishReason,
        /// Token counts.
        usage: Usage,
        /// Where the backend's own time went.
        phases: Phases,
        /// When.
        at: Instant,
    },
    /// The request ended without a result.
    Failed(BackendError),
}

/// Why generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it (end-of-sequence or a stop token).
    Stop,
    /// `max_tokens` were generated, or the context is full.
    Length,
}

impl FinishReason {
    /// OpenAI's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
        }
    }
}

/// Token counts of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of those, not computed because their KV was there.
    pub cached_tokens: usize,
    /// Tokens generated.
    pub output_tokens: usize,
    /// What of their keys and values is kept at the end, where it can be known.
    pub kv: Option<KvHeld>,
}

/// Time a backend spent on one request, by what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Computing the prompt.
    pub prefill: Duration,
    /// Computing generated tokens.
    pub decode: Duration,
    /// Choosing tokens from logits.
    pub sample: Duration,
    /// Turning ids to text.
    pub detokenize: Duration,
}
