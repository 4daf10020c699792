//! Log-probabilities of tokens in both of OpenAI's shapes.

use pacemark_backend::{Text, TokenId};
use pacemark_openai_api::{CompletionLogprobs, TokenLogprob, TopLogprob};
use std::collections::BTreeMap;

/// A token's text, with what is no character replaced, and its bytes.
fn token_text(text: Option<&dyn Text>, id: TokenId) -> (String, Option<Vec<u8>>) {
    match text.and_then(|text| text.token_bytes(id)) {
        Some(bytes) => (String::from_utf8_lossy(&bytes).into_owned(), Some(bytes)),
        None => (format!("token_id:{id}"), None),
    }
}

/// JSON has no infinities: what cannot happen gets what OpenAI gives it.
fn finite(logprob: f32) -> f32 {
    if logprob.is_finite() { logprob } else { -9999.0 }
}

/// A token as the service scored it.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The token.
    pub id: TokenId,
    /// Its natural log-probability.
    pub logprob: f32,
    /// The most likely tokens, most likely first.
    pub top: Vec<(TokenId, f32)>,
    /// Where it begins in the answer's text, in characters.
    pub offset: u64,
}

/// As a chat has it.
pub fn chat(text: Option<&dyn Text>, scored: &Scored) -> TokenLogprob {
    let alternative = |(id, logprob): &(TokenId, f32)| {
        let (token, bytes) = token_text(text, *id);
        TopLogprob { token, logprob: finite(*logprob), bytes }
    };
    let (token, bytes) = token_text(text, scored.id);
    let top_logprobs = scored.top.iter().map(alternative).collect();
    TokenLogprob { token, logprob: finite(scored.logprob), bytes, top_logprobs }
}

/// As a text completion has them.
pub fn completion(text: Option<&dyn Text>, scored: &[Scored]) -> CompletionLogprobs {
    let by_text = |scored: &Scored| {
        let top = scored.top.iter().map(|(id, logprob)| (token_text(text, *id).0, finite(*logprob)));
        Some(top.collect::<BTreeMap<String, f32>>())
    };
    CompletionLogprobs {
        tokens: scored.iter().map(|scored| token_text(text, scored.id).0).collect(),
        token_logprobs: scored.iter().map(|scored| Some(finite(scored.logprob))).collect(),
        top_logprobs: Some(scored.iter().map(by_text).collect()),
        text_offset: scored.iter().map(|scored| scored.offset).collect(),
    }
}
