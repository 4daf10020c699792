//! One request of a load as it was seen from outside, raw, and what metrics.md makes of its stamps.

use crate::Content;
use serde::{Deserialize, Serialize};

/// One request. Times are nanoseconds since the trial began, all of one monotonic clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// When it was to be sent: `s`.
    pub scheduled_ns: u64,
    /// When it was sent: `t0`. A connection that it had to open is opened after this.
    pub sent_ns: u64,
    /// When it was sent once more: the connection that it was written to had served others, and
    /// closed without a byte of an answer. The new connection is opened after this. `sent_ns`
    /// stays, so that the loss is part of every latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resent_ns: Option<u64>,
    /// When the connection that it opened stood; absent where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_ns: Option<u64>,
    /// When computing began, where the engine itself tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ns: Option<u64>,
    /// When the head of the answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_ns: Option<u64>,
    /// The answer came whole, not as a stream: its one stamp is of its end, and there is no first
    /// token.
    #[serde(default)]
    pub whole: bool,
    /// When each chunk that carries something of the answer came: the first is `f`, the last `l`.
    pub chunks_ns: Vec<u64>,
    /// When the stream, or the failure, ended it: `e`.
    pub end_ns: u64,
    /// Tokens of its prompt as they were made and counted; absent where nothing could count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// Tokens of its prompt by the server's `usage`, with those of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_usage: Option<u64>,
    /// Of those, what the server found in its cache, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Tokens of the answer that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_wanted: Option<u64>,
    /// Tokens of the answer by the server's `usage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_usage: Option<u64>,
    /// Tokens of the answer's text by the model's own tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokenized: Option<u64>,
    /// Why the model stopped, by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Which turn of its conversation it is, from 0.
    #[serde(default)]
    pub turn: u32,
    /// It was due while as many as allowed were in flight, and waited.
    #[serde(default)]
    pub held_back: bool,
    /// Where the engine's own time went, by its account, where it is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases_ns: Vec<(String, u64)>,
    /// Who sent it, where several processes or machines send ([`Sender`](crate::Sender)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Which server it went to, where the target is several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What was asked and answered, where that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Box<Content>>,
    /// Why it has no full answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its kind.
    pub kind: FailureKind,
    /// What was found, in a sentence.
    pub message: String,
}

macro_rules! failure_kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal,)*) => {
        /// Kinds of failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FailureKind { $($(#[$doc])* $kind,)* }

        impl FailureKind {
            /// Every kind.
            pub const ALL: &[FailureKind] = &[$(FailureKind::$kind,)*];

            /// In words.
            pub fn name(self) -> &'static str {
                match self { $(FailureKind::$kind => $name,)* }
            }
        }
    };
}

failure_kinds! {
    /// Nothing listens there.
    Refused "connection refused",
    /// The connection could not be made otherwise.
    Unreachable "cannot connect",
    /// No connection in time.
    ConnectTimeout "timeout: connect",
    /// No TLS with the server: a certificate that is not believed, or no TLS at its port, or only
    /// that.
    Tls "TLS",
    /// The connection broke before the head of an answer.
    Reset "connection broken",
    /// No head of an answer in time.
    FirstByteTimeout "timeout: first byte",
    /// The stream stood still for too long.
    Stalled "timeout: stall",
    /// The whole took too long.
    TotalTimeout "timeout: total",
    /// Status 429.
    TooMany "status 429",
    /// Another status of 400 to 499.
    ClientError "status 4xx",
    /// A status of 500 or more.
    ServerError "status 5xx",
    /// A status that no answer to a POST should have.
    OddStatus "unexpected status",
    /// What came is not HTTP, no event stream or no JSON of the API.
    Garbage "garbage",
    /// The server told of an error within the stream.
    StreamError "error in the stream",
    /// The connection broke within the answer.
    Cut "cut in mid-stream",
    /// The stream ended in order, but without a finish reason and without `[DONE]`.
    Unfinished "ended without [DONE]",
    /// A complete answer without one token.
    Empty "empty answer",
    /// More bytes than an answer may have.
    TooLarge "answer too large",
    /// The client itself could not send it.
    Client "client error",
}

/// Who counted the tokens of answers (metrics.md, rule 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// The server, in `usage`.
    Usage,
    /// The model's own tokenizer, over the answer's text.
    Tokenizer,
    /// Nobody: chunks were counted, which may hold more or less than a token each.
    Chunks,
}

impl TokenSource {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            TokenSource::Usage => "usage",
            TokenSource::Tokenizer => "tokenizer",
            TokenSource::Chunks => "chunks",
        }
    }
}

impl Request {
    /// It was answered in full.
    pub fn is_ok(&self) -> bool {
        self.failure.is_none()
    }

    /// `N` by `source`.
    pub fn n_output(&self, source: TokenSource) -> u64 {
        let chunks = self.chunks_ns.len() as u64;
        match source {
            TokenSource::Usage => self.output_usage.unwrap_or(chunks),
            TokenSource::Tokenizer => self.output_tokenized.unwrap_or(chunks),
            TokenSource::Chunks => chunks,
        }
    }

    /// `f`: absent where nothing came, or all at once.
    fn first_ns(&self) -> Option<u64> {
        self.chunks_ns.first().copied().filter(|_| !self.whole)
    }

    /// `f − t0`.
    pub fn ttft_ns(&self) -> Option<u64> {
        Some(self.first_ns()?.saturating_sub(self.sent_ns))
    }

    /// `f − s`.
    pub fn ttft_scheduled_ns(&self) -> Option<u64> {
        Some(self.first_ns()?.saturating_sub(self.scheduled_ns))
    }

    /// `l − f`.
    pub fn decode_ns(&self) -> Option<u64> {
        Some(self.chunks_ns.last()?.saturating_sub(*self.chunks_ns.first()?))
    }

    /// `(l − f)/(N − 1)`; absent for N < 2, and for an answer that came in one piece.
    pub fn tpot_ns(&self, source: TokenSource) -> Option<f64> {
        let n = self.n_output(source);
        (n >= 2 && self.chunks_ns.len() >= 2)
            .then(|| Some(self.decode_ns()? as f64 / (n - 1) as f64))?
    }

    /// `l − t0`.
    pub fn e2e_ns(&self) -> Option<u64> {
        Some(self.chunks_ns.last()?.saturating_sub(self.sent_ns))
    }

    /// `l − s`.
    pub fn e2e_scheduled_ns(&self) -> Option<u64> {
        Some(self.chunks_ns.last()?.saturating_sub(self.scheduled_ns))
    }

    /// Times between one chunk and the next.
    pub fn gaps_ns(&self) -> impl Iterator<Item = u64> {
        self.chunks_ns.windows(2).map(|pair| pair[1].saturating_sub(pair[0]))
    }
}

/// What the client itself did during a load: whether its figures can be believed (metrics.md, rule
/// 8).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// Processor time of this process.
    pub cpu_ns: u64,
    /// Time from the beginning to the end of the trial.
    pub wall_ns: u64,
    /// Threads that send and receive.
    pub threads: u64,
    /// How late a timer of the receiving thread fired, each time that one was set.
    pub lag_ns: Vec<u64>,
    /// Who stamped what was received: `kernel` or `process`.
    pub stamps: String,
}

impl Client {
    /// Processor time over time: 1 is one processor, all the time.
    pub fn cpu_share(&self) -> f64 {
        self.cpu_ns as f64 / self.wall_ns.max(1) as f64
    }
}
