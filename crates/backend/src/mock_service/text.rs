//! The mock's tokenizer: bytes and words, so that every text has tokens, and they give it back.
//!
//! The words are frequent English ones, each one token, with the space before it, in the
//! vocabularies of models too: a client that counts an answer's tokens with a tokenizer of its own
//! counts what the mock has generated. `tests/corpora` says in which.

use crate::{BackendError, Chat, Text, TokenId};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Words of the vocabulary; token `256 + i` is a space and the `i`th.
static WORDS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("words.txt").split_whitespace().collect());
static NUMBERS: LazyLock<HashMap<&'static str, TokenId>> =
    LazyLock::new(|| WORDS.iter().enumerate().map(|(i, word)| (*word, i as TokenId)).collect());
const N_WORDS: TokenId = 1024;
/// Tokens below this are bytes.
const N_BYTES: TokenId = 256;
/// The end-of-sequence token, the last of the vocabulary.
pub(super) const END: TokenId = N_BYTES + N_WORDS;
/// Tokens in all.
pub(super) const VOCABULARY: TokenId = END + 1;

/// Text in and out of the mock's tokens: an id below 256 is a byte, `256 + i` a space and word `i`
/// of `words.txt`, the last one ends a sequence.
#[derive(Clone, Debug, Default)]
pub struct MockText {
    /// What [`Text::tool_template`] gives.
    pub template: Option<String>,
}

/// The token of a word, counted around.
pub(super) fn word(i: TokenId) -> TokenId {
    N_BYTES + i % N_WORDS
}

/// The word that `text` begins with, if any, and its length in bytes. A word ends where its letters
/// do.
fn leading_word(text: &[u8]) -> Option<(TokenId, usize)> {
    let letters = text.strip_prefix(b" ")?;
    let n = letters.iter().take_while(|b| b.is_ascii_lowercase()).take(32).count();
    let number = NUMBERS.get(std::str::from_utf8(&letters[..n]).ok()?)?;
    Some((N_BYTES + number, 1 + n))
}

impl Text for MockText {
    /// There are no tokens that start a sequence, and none that can be written out: `special`
    /// changes nothing.
    fn encode(&self, text: &str, _special: bool) -> Vec<TokenId> {
        let mut rest = text.as_bytes();
        let mut tokens = Vec::with_capacity(rest.len());
        while let Some(&byte) = rest.first() {
            let (token, n) = leading_word(rest).unwrap_or((byte.into(), 1));
            tokens.push(token);
            rest = &rest[n..];
        }
        tokens
    }

    fn decode(&self, tokens: &[TokenId]) -> Result<String, BackendError> {
        let mut bytes = Vec::with_capacity(tokens.len());
        for &token in tokens {
            let expected = || {
                BackendError::InvalidRequest(format!(
                    "token {token}: expected one of a vocabulary of {VOCABULARY}"
                ))
            };
            bytes.extend(self.token_bytes(token).ok_or_else(expected)?);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn token_bytes(&self, token: TokenId) -> Option<Vec<u8>> {
        match token {
            0..N_BYTES => Some(vec![token as u8]),
            N_BYTES..END => Some(format!(" {}", WORDS[(token - N_BYTES) as usize]).into_bytes()),
            END => Some(Vec::new()),
            _ => None,
        }
    }

    /// A line for each message, one for tools, which says how they are to be told, and
    /// `assistant:`.
    fn render(&self, chat: &Chat) -> Result<String, BackendError> {
        let mut prompt = String::new();
        if let Some(tools) = &chat.tools {
            let how = if chat.tell_tools { "told" } else { "shown" };
            prompt.push_str(&format!("tools {how}: {tools}\n"));
        }
        for message in &chat.messages {
            let role = message["role"].as_str().unwrap_or_default();
            let content = message["content"].as_str().unwrap_or_default();
            prompt.push_str(&format!("{role}: {content}\n"));
        }
        if chat.extra.get("add_generation_prompt") != Some(&Value::Bool(false)) {
            prompt.push_str("assistant:");
        }
        Ok(prompt)
    }

    fn encode_chat(&self, prompt: &str) -> Vec<TokenId> {
        self.encode(prompt, true)
    }

    fn tool_template(&self) -> Option<&str> {
        self.template.as_deref()
    }
}
