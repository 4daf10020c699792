//! What a trial measured, raw: one variant for each kind of measurement.

use crate::{
    Began, Client, Cold, Contender, Distances, Fit, Items, Quantized, Request, Sender, ServerSide,
    Texts, Tuned,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The raw result of a trial, by its kind. In JSON the kind is the field `measured`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "measured", rename_all = "snake_case")]
pub enum Measured {
    /// The same test, again and again.
    Repetitions {
        /// Each repetition, in order.
        samples: Vec<Sample>,
    },
    /// A load of requests.
    Requests(Requests),
    /// A text, token by token.
    Scores(Scores),
    /// A text, token by token, beside a reference.
    Distances(Distances),
    /// A type of weights.
    Quantized(Quantized),
    /// An engine beside others.
    Contender(Box<Contender>),
    /// A setting of a search.
    Tuned(Tuned),
    /// Texts, each as one sequence of which a part is kept.
    Texts(Texts),
    /// Items of a task.
    Items(Items),
    /// A stage of the serving stack.
    Ladder {
        /// Its number.
        stage: u64,
        /// What it adds.
        name: String,
        /// Each round, in order; those of all stages were taken in turn.
        samples: Vec<Sample>,
        /// Calls through each layer in the last round, from the lowest.
        calls: Vec<u64>,
    },
    /// Starts of fresh processes.
    Cold(Cold),
    /// What a model will take, and what that is reckoned from.
    Fit(Box<Fit>),
    /// What was found out once: values by name.
    Facts {
        /// The values, with their units in their names.
        facts: Map<String, Value>,
    },
}

impl Default for Measured {
    fn default() -> Measured {
        Measured::Repetitions { samples: Vec::new() }
    }
}

impl From<Vec<Sample>> for Measured {
    fn from(samples: Vec<Sample>) -> Measured {
        Measured::Repetitions { samples }
    }
}

impl From<Vec<Request>> for Measured {
    fn from(requests: Vec<Request>) -> Measured {
        Measured::Requests(Requests { requests, ..Requests::default() })
    }
}

impl Measured {
    /// Its name in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Measured::Repetitions { .. } => "repetitions",
            Measured::Requests(_) => "requests",
            Measured::Scores(_) => "scores",
            Measured::Distances(_) => "distances",
            Measured::Quantized(_) => "quantized",
            Measured::Contender(_) => "contender",
            Measured::Tuned(_) => "tuned",
            Measured::Texts(_) => "texts",
            Measured::Items(_) => "items",
            Measured::Ladder { .. } => "ladder",
            Measured::Cold(_) => "cold",
            Measured::Fit(_) => "fit",
            Measured::Facts { .. } => "facts",
        }
    }

    /// Nothing was measured.
    pub fn is_empty(&self) -> bool {
        match self {
            Measured::Repetitions { samples } | Measured::Ladder { samples, .. } => {
                samples.is_empty()
            }
            Measured::Requests(load) => load.requests.is_empty(),
            Measured::Scores(scores) => scores.chunks.is_empty(),
            Measured::Distances(distances) => distances.apart.is_empty(),
            Measured::Quantized(of) => of.runs.is_empty() && of.distances.is_none(),
            Measured::Contender(of) => {
                of.runs.is_empty() && of.scores.is_none() && of.failure.is_none()
            }
            Measured::Tuned(of) => of.samples.is_empty() && of.distances.is_none(),
            Measured::Texts(texts) => texts.texts.is_empty(),
            Measured::Items(items) => items.items.is_empty(),
            Measured::Cold(cold) => cold.starts.is_empty(),
            Measured::Fit(fit) => **fit == Fit::default(),
            Measured::Facts { facts } => facts.is_empty(),
        }
    }

    /// Whether anything succeeded, so that there is something to make figures of: a load of which no
    /// request was answered has counts, but nothing was measured.
    pub fn has_result(&self) -> bool {
        match self {
            Measured::Requests(load) => load.requests.iter().any(Request::is_ok),
            Measured::Contender(of) => !of.runs.is_empty(),
            other => !other.is_empty(),
        }
    }
}

/// One repetition, raw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// From the start of computing to the last token.
    pub elapsed_ns: u64,
    /// From the start of computing to the first token (metrics.md: TTFT; nothing is queued here).
    /// Absent where no token was generated.
    pub ttft_ns: Option<u64>,
    /// Times between one token and the next, in order.
    pub gaps_ns: Vec<u64>,
    /// Prompt tokens that were not computed, because their KV was there.
    pub cached_tokens: u64,
    /// Of a batch: tokens after a sequence's first that came before every sequence had its first.
    #[serde(default)]
    pub early_tokens: u64,
}

/// What a load measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Requests {
    /// In the order in which they ended.
    pub requests: Vec<Request>,
    /// In flight when the load was interrupted: neither answered nor failed, and not in `requests`.
    #[serde(default)]
    pub cut_requests: u64,
    /// Due before the load's end and held back until after it, so never sent: not in `requests`,
    /// but no limit was kept for them.
    #[serde(default)]
    pub unsent_requests: u64,
    /// For each request, when the server says that it wrote each chunk, in nanoseconds since the
    /// trial began, by the clock of all stamps; empty where it does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emitted_ns: Vec<Vec<u64>>,
    /// What the client did meanwhile; of several, the busiest one's share of a processor and the
    /// timers of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// When it began, on the clocks of the machine that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Began>,
    /// Who sent it, where several processes or machines did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<Sender>,
    /// What the servers counted of themselves meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerSide>,
}

/// How well a model predicted a text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Tokens of a chunk.
    pub n_ctx: u64,
    /// Tokens of the whole text.
    pub n_tokens: u64,
    /// Chunks that were to be scored; `chunks` has fewer after an interrupt.
    pub n_chunks: u64,
    /// Each chunk, in order.
    pub chunks: Vec<Chunk>,
}

/// The scored half of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Natural log-probability of each scored token, given all before it in the chunk.
    pub logprobs: Vec<f32>,
    /// Bytes of text of the scored tokens.
    pub n_bytes: u64,
    /// Tokens that went through the model: the last predicts nothing and is not computed.
    pub n_computed: u64,
    /// Time within the backend.
    pub elapsed_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, FailureKind};

    #[test]
    fn what_failed_altogether_has_no_result() {
        let failure = Failure { kind: FailureKind::ALL[0], message: "refused".into() };
        let failed = || Request { failure: Some(failure.clone()), ..Request::default() };
        let load = |requests: Vec<Request>| Measured::from(requests);
        assert!(!load(vec![failed(), failed()]).has_result());
        assert!(load(vec![failed(), Request::default()]).has_result());
        assert!(!Measured::default().has_result());
        assert!(Measured::from(vec![Sample::default()]).has_result());
    }
}
