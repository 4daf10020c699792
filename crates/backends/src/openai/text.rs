//! Token ids as text and back, for a server that takes or gives text only.

use super::dialect::PromptAs;
use pacemark_backend::{BackendError, TokenId};
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use serde_json::Value;

/// A prompt as it is sent: ids, or the text that stands for exactly these ids.
///
/// A server that takes text adds the token that starts a sequence itself, where the model wants one.
pub(super) fn prompt(
    tokenizer: &Tokenizer,
    sent_as: PromptAs,
    ids: &[TokenId],
) -> Result<Value, BackendError> {
    if sent_as == PromptAs::Ids {
        return Ok(ids.into());
    }
    let begins = tokenizer.adds_bos() && ids.first().copied() == tokenizer.bos();
    let text = tokenizer
        .decode(if begins { &ids[1..] } else { ids })
        .map_err(|error| BackendError::InvalidRequest(error.to_string()))?;
    let again = tokenizer.encode_prompt(&text);
    if again != ids {
        return Err(BackendError::InvalidRequest(format!(
            "the server takes prompts as text only, and the text of these {} tokens is {} other tokens: \
             give a prompt of text (run), or measure it with `pacemark load`",
            ids.len(),
            again.len()
        )));
    }
    Ok(text.into())
}

/// Ids of a piece of the answer's text.
pub(super) fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<TokenId> {
    tokenizer.encode(text, EncodeOptions { add_special: false, parse_special: true })
}

/// As many ids as the server counted: of more the first, and before them, for tokens that it kept to
/// itself until their text was whole or for good, `hidden`.
pub(super) fn fit(mut ids: Vec<TokenId>, n: usize, hidden: TokenId) -> Vec<TokenId> {
    ids.truncate(n);
    ids.splice(0..0, std::iter::repeat_n(hidden, n - ids.len()));
    ids
}
