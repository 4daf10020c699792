//! What is sent: sessions of one or more turns, made to a number of tokens or taken from files.
//!
//! Token counts are what an [`Encoder`] finds, over the very text that is sent; who has none gets
//! words that are a token each in most vocabularies, and counts that say that nobody verified them.

mod encoder;
mod json;
mod listed;
mod replay;
mod synthetic;
mod talks;
mod trace;
mod words;

pub use encoder::{EncodeError, Encoder};
pub use listed::{Listed, ListedOptions};
use pacemark_files::bounded;
pub use replay::Replay;
pub use synthetic::{Synthetic, SyntheticOptions};
pub use talks::{Answer, Asked, Talk, Talks, lines, share_gpt};
pub use trace::{Arrived, trace};

/// One conversation: its turns follow each other, each with the answers before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// What the user says in each.
    pub turns: Vec<Turn>,
}

impl Session {
    /// Memory of its prompts.
    pub(crate) fn bytes(&self) -> usize {
        let of = |turn: &Turn| match &turn.prompt {
            Prompt::Text(text) => text.len(),
            Prompt::Ids(ids) => ids.len() * size_of::<u32>(),
        };
        self.turns.iter().map(of).sum()
    }
}

/// One request of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// What is sent.
    pub prompt: Prompt,
    /// Its tokens, where they are known: of the text for a chat, with those that start a sequence
    /// for a completion.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer that are asked for; the server's own limit where that is not said.
    pub output_tokens: Option<u64>,
}

/// The content of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// Text.
    Text(String),
    /// Tokens, for `/v1/completions`.
    Ids(Vec<u32>),
}

impl Default for Prompt {
    fn default() -> Prompt {
        Prompt::Text(String::new())
    }
}

/// Whether the server may have seen prompts before (metrics.md, rule 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// Every prompt begins differently.
    #[default]
    Cold,
    /// Every prompt is the same.
    Warm,
    /// Prompts begin with this many tokens that they share with others of their group.
    Shared {
        /// Tokens that are shared.
        prefix: u64,
        /// Different prefixes.
        groups: u64,
    },
}

/// Where sessions come from.
pub trait Source: Send {
    /// The next session; `None` when there are no more.
    fn next(&mut self) -> Option<Session>;

    /// What is known of the lengths of the prompts that were made so far.
    fn lengths(&self) -> Verified;
}

/// How sure the lengths of prompts are (metrics.md, rule 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Somebody counted: the tokens of each prompt are known before it is sent.
    pub counted: bool,
    /// Prompts that were encoded again.
    pub checked: u64,
    /// Those of them that have another number of tokens than they were made to.
    pub wrong: u64,
}

/// Prompts that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// Counting tokens failed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A length that no text has.
    #[error("no prompt of {wanted} tokens can be made: the shortest has {least}")]
    TooShort {
        /// Tokens asked for.
        wanted: u64,
        /// Tokens of the shortest.
        least: u64,
    },
    /// A file without a prompt.
    #[error("{0}: there is no prompt in it")]
    Nothing(String),
    /// A file that is not what it should be.
    #[error("{file}: line {line}: {}", bounded(why))]
    Line {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What was expected and found.
        why: String,
    },
    /// A file that is not what it should be, as a whole.
    #[error("{file}: {}", bounded(why))]
    File {
        /// The file.
        file: String,
        /// What was expected and found.
        why: String,
    },
}

/// Prompts that are encoded where each costs a request: enough to know what the server adds, and
/// whether lengths are right.
const REMOTE_CHECKS: u64 = 64;

/// What is wrong with a number of tokens in a file.
fn expected_count(field: &str, found: &serde_json::Value) -> String {
    let found: String = found.to_string().chars().take(60).collect();
    format!("{field}: expected 1 to {}, found {found}", crate::lengths::MAX_TOKENS)
}
