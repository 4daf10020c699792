//! What is said, in both directions: one JSON object a line.
//!
//! Times are nanoseconds of the engine's own monotonic clock, which [`Clock`](crate::Clock) puts into
//! ours. Ids are token ids of the model's vocabulary; text is never sent, for its tokens are made and
//! read by this side, whatever the engine.

use serde::{Deserialize, Serialize};

/// The version of what stands here; an engine of another one is refused.
pub const VERSION: u32 = 1;

/// What the engine is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// The time, to be answered at once.
    Clock {
        /// Comes back with the answer.
        n: u32,
    },
    /// To load a model; first of all, and once.
    Load(Load),
    /// To generate; answered by events with the same `id`, each with the request's index.
    Generate {
        /// Of the whole.
        id: u64,
        /// Computed together where there are several and the engine can.
        requests: Vec<Request>,
    },
    /// To compute no more of it. Events that are under way may still come.
    Abort {
        /// What was given with [`Ask::Generate`] or [`Ask::Predict`].
        id: u64,
        /// Of one request alone; of all where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        index: Option<usize>,
    },
    /// Log-probabilities of a text's tokens, each given all before it.
    Score {
        /// Comes back with the answer.
        id: u64,
        /// The text.
        tokens: Vec<u32>,
        /// The first token that a prediction is wanted after.
        first: usize,
    },
    /// What is predicted after each of a text's tokens but the last, from `first` on; answered row by
    /// row, then by [`Tell::Finished`].
    Predict {
        /// Comes back with the answers.
        id: u64,
        /// The text.
        tokens: Vec<u32>,
        /// The first token that a prediction is wanted after.
        first: usize,
    },
}

/// How a model is loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// A file or directory.
    pub model: String,
    /// As the engine names it, e.g. `CPU`.
    pub device: String,
    /// Threads that compute; the engine's own choice where there is none.
    pub n_threads: Option<usize>,
    /// Tokens of a sequence at most.
    pub n_ctx: Option<usize>,
    /// Sequences at once.
    pub n_seqs: usize,
    /// Types of keys and values, by our names.
    pub kv: [String; 2],
    /// Numbers that are computed with, by our names (`f32`, `bf16`, `f16`, `int8`, `int4`); the engine's
    /// own choice where there is none.
    pub dtype: Option<String>,
    /// Tokens of prompts computed at once, at most.
    pub n_batch: usize,
}

/// One generation. What an engine does not do of it, it refuses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Ids of the prompt, special ones included.
    pub prompt: Vec<u32>,
    /// Tokens to generate at most.
    pub max_tokens: usize,
    /// Go on after an end-of-sequence token.
    pub ignore_eos: bool,
    /// Before so many none that ends the output.
    pub min_tokens: usize,
    /// Further tokens that end it.
    pub stop_tokens: Vec<u32>,
    /// 0 for the most likely token each time.
    pub temperature: f32,
    /// 0 for all.
    pub top_k: usize,
    /// 1 for all.
    pub top_p: f32,
    /// Start of the random sequence.
    pub seed: u64,
    /// Alternatives beside each token; none for no log-probabilities.
    pub top_logprobs: Option<usize>,
}

/// What the engine tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "snake_case")]
pub enum Tell {
    /// First of all.
    Hello {
        /// [`VERSION`].
        protocol: u32,
        /// The engine and its version.
        engine: String,
        /// Its process's number, where what was started may have started another (a script that sets
        /// the environment first).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// The answer to [`Ask::Clock`].
    Clock {
        /// Of the question.
        n: u32,
        /// Its clock.
        ns: u64,
    },
    /// Loading goes on.
    Progress {
        /// So much is done.
        done: u64,
        /// Of so much.
        of: u64,
    },
    /// The answer to [`Ask::Load`].
    Loaded(Loaded),
    /// A request is being computed.
    Started {
        /// Of [`Ask::Generate`].
        id: u64,
        /// Of the request.
        index: usize,
        /// When.
        ns: u64,
        /// Prompt tokens whose keys and values were there.
        cached: usize,
    },
    /// A token was chosen.
    Token {
        /// Of [`Ask::Generate`].
        id: u64,
        /// Of the request.
        index: usize,
        /// When it was known.
        ns: u64,
        /// The token.
        token: u32,
        /// Its natural log-probability, where asked for.
        #[serde(default)]
        logprob: Option<f32>,
        /// The most likely ones.
        #[serde(default)]
        top: Vec<(u32, f32)>,
    },
    /// A request has all its tokens.
    Finished {
        /// Of [`Ask::Generate`].
        id: u64,
        /// Of the request.
        index: usize,
        /// When.
        ns: u64,
        /// Whether the model ended it; else it was long enough.
        stopped: bool,
    },
    /// The answer to [`Ask::Score`].
    Scores {
        /// Of the question.
        id: u64,
        /// Natural log-probabilities.
        logprobs: Vec<f32>,
        /// Whether each was the most likely token; none where the engine does not tell.
        #[serde(default)]
        hits: Vec<bool>,
    },
    /// One answer to [`Ask::Predict`].
    Row {
        /// Of the question.
        id: u64,
        /// What is predicted after the token at this place.
        at: usize,
        /// One logit a token of the vocabulary: 32-bit floats, lowest byte first, in base 64.
        logits: String,
    },
    /// A request, a question or the load failed.
    Failed {
        /// Of the question; 0 for the load.
        id: u64,
        /// Of the request.
        #[serde(default)]
        index: usize,
        /// What kind of error it is.
        kind: Kind,
        /// What is wrong, for people.
        message: String,
    },
}

impl Tell {
    /// Of which question it is; `None` of those that have no number.
    pub fn id(&self) -> Option<u64> {
        match self {
            Tell::Hello { .. } | Tell::Clock { .. } | Tell::Progress { .. } | Tell::Loaded(_) => {
                None
            }
            Tell::Started { id, .. }
            | Tell::Token { id, .. }
            | Tell::Finished { id, .. }
            | Tell::Scores { id, .. }
            | Tell::Row { id, .. }
            | Tell::Failed { id, .. } => Some(*id),
        }
    }
}

/// What a loaded model is and can.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// What computes, as the engine names it.
    pub device: String,
    /// Longest sequence.
    pub n_ctx: usize,
    /// Sequences at once.
    pub n_seqs: usize,
    /// Tokens in the vocabulary.
    pub n_vocab: usize,
    /// Threads that compute.
    pub n_threads: usize,
    /// [`Ask::Score`] is answered.
    pub scores: bool,
    /// [`Ask::Predict`] is answered.
    #[serde(default)]
    pub predicts: bool,
    /// Tokens carry log-probabilities.
    pub logprobs: bool,
    /// Several requests are computed together.
    pub batches: bool,
    /// The types of keys and values that it has, where it tells.
    #[serde(default)]
    pub kv: Option<String>,
    /// The numbers that it computes with, where it tells.
    #[serde(default)]
    pub dtype: Option<String>,
    /// Stages of loading and their time.
    pub load_ns: Vec<(String, u64)>,
    /// What is to be known of it.
    pub warnings: Vec<String>,
}

/// How a caller treats an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request is not one that can be served.
    Invalid,
    /// The engine has no such ability.
    Unsupported,
    /// It does not fit the context.
    TooLong,
    /// Anything else.
    Engine,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_what_is_documented() {
        let ask = Ask::Abort { id: 3, index: None };
        assert_eq!(serde_json::to_string(&ask).unwrap(), r#"{"ask":"abort","id":3}"#);
        let token = r#"{"tell":"token","id":1,"index":0,"ns":5,"token":7}"#;
        let token: Tell = serde_json::from_str(token).unwrap();
        let expected =
            Tell::Token { id: 1, index: 0, ns: 5, token: 7, logprob: None, top: Vec::new() };
        assert_eq!(token, expected);
    }
}
