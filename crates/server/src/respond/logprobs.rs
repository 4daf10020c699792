//! Log-probabilities of tokens in both of OpenAI's shapes.

use pacemark_backend::{Text, TokenId};
use pacemark_openai_api::{CompletionLogprobs, TokenLogprob, TopLogprob};
use std::collections::BTreeMap;

/// What tokens are called.
#[derive(Clone, Copy)]
pub(super) struct TokenNames<'a> {
    /// Where their texts come from.
    pub text: Option<&'a dyn Text>,
    /// By their ids instead (vLLM's `return_tokens_as_token_ids`).
    pub by_id: bool,
}

impl TokenNames<'_> {
    fn bytes(self, id: TokenId) -> Option<Vec<u8>> {
        self.text.and_then(|text| text.token_bytes(id))
    }

    /// A token's text, with what is no character replaced, and its bytes.
    fn text(self, id: TokenId) -> (String, Option<Vec<u8>>) {
        match self.bytes(id) {
            Some(bytes) if !self.by_id => {
                (String::from_utf8_lossy(&bytes).into_owned(), Some(bytes))
            }
            bytes => (by_id(id), bytes),
        }
    }

    /// What a token is called in a dictionary: its text, or, where its bytes are no text, those
    /// bytes in the form of OpenAI's completions.
    fn key(self, id: TokenId) -> String {
        match self.bytes(id).filter(|_| !self.by_id).map(String::from_utf8) {
            Some(Ok(text)) => text,
            Some(Err(error)) => error
                .as_bytes()
                .iter()
                .fold("bytes:".into(), |key, byte| key + &format!("\\x{byte:02x}")),
            None => by_id(id),
        }
    }
}

/// JSON has no infinities: what cannot happen gets what OpenAI gives it.
fn finite(logprob: f32) -> f32 {
    if logprob.is_finite() { logprob } else { -9999.0 }
}

/// A token as the service scored it.
#[derive(Clone, Debug)]
pub(super) struct Scored {
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
pub(super) fn chat(names: TokenNames<'_>, scored: &Scored) -> TokenLogprob {
    let alternative = |(id, logprob): &(TokenId, f32)| {
        let (token, bytes) = names.text(*id);
        TopLogprob { token, logprob: finite(*logprob), bytes }
    };
    let (token, bytes) = names.text(scored.id);
    let top_logprobs = scored.top.iter().map(alternative).collect();
    TokenLogprob { token, logprob: finite(scored.logprob), bytes, top_logprobs }
}

/// As a text completion has them: dictionaries by the tokens' texts. Two tokens may have one text,
/// or bytes that are none; each has a key of its own.
pub(super) fn completion(names: TokenNames<'_>, scored: &[Scored]) -> CompletionLogprobs {
    let places: Vec<(String, BTreeMap<String, f32>)> =
        scored.iter().map(|scored| place(names, scored)).collect();
    let (tokens, top_logprobs) = places.into_iter().map(|(token, top)| (token, Some(top))).unzip();
    CompletionLogprobs {
        tokens,
        token_logprobs: scored.iter().map(|scored| Some(finite(scored.logprob))).collect(),
        top_logprobs: Some(top_logprobs),
        text_offset: scored.iter().map(|scored| scored.offset).collect(),
    }
}

/// The key of a place's token, and its alternatives by theirs. Of several with one text the most
/// likely has it.
fn place(names: TokenNames<'_>, scored: &Scored) -> (String, BTreeMap<String, f32>) {
    let mut top = BTreeMap::new();
    let mut chosen = None;
    for &(id, logprob) in &scored.top {
        let key =
            Some(names.key(id)).filter(|key| !top.contains_key(key)).unwrap_or_else(|| by_id(id));
        if id == scored.id {
            chosen = Some(key.clone());
        }
        top.insert(key, finite(logprob));
    }
    let own = || {
        Some(names.key(scored.id))
            .filter(|key| !top.contains_key(key))
            .unwrap_or_else(|| by_id(scored.id))
    };
    (chosen.unwrap_or_else(own), top)
}

fn by_id(id: TokenId) -> String {
    format!("token_id:{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_backend::{BackendError, Chat};

    /// Two ids for one letter, two halves of a character, and nothing else.
    struct Odd;

    impl Text for Odd {
        fn encode(&self, _: &str, _: bool) -> Vec<TokenId> {
            Vec::new()
        }

        fn decode(&self, _: &[TokenId]) -> Result<String, BackendError> {
            Ok(String::new())
        }

        fn token_bytes(&self, token: TokenId) -> Option<Vec<u8>> {
            [b"a".to_vec(), b"a".to_vec(), vec![0xe6, 0xad], vec![0xe6]]
                .get(token as usize)
                .cloned()
        }

        fn render(&self, _: &Chat) -> Result<String, BackendError> {
            Ok(String::new())
        }

        fn encode_chat(&self, _: &str) -> Vec<TokenId> {
            Vec::new()
        }
        fn tool_template(&self) -> Option<&str> {
            None
        }
    }

    #[test]
    fn every_alternative_has_a_key_of_its_own() {
        let top = vec![(1, -0.5), (0, -1.0), (2, -2.0), (3, -3.0), (7, f32::NEG_INFINITY)];
        let scored = |id| Scored { id, logprob: -1.0, top: top.clone(), offset: 0 };
        let found = completion(
            TokenNames { text: Some(&Odd), by_id: false },
            &[scored(0), scored(3), scored(9)],
        );
        assert_eq!(found.tokens, ["token_id:0", "bytes:\\xe6", "token_id:9"]);
        for place in found.top_logprobs.unwrap().into_iter().flatten() {
            let expected = [
                ("a", -0.5),
                ("bytes:\\xe6", -3.0),
                ("bytes:\\xe6\\xad", -2.0),
                ("token_id:0", -1.0),
                ("token_id:7", -9999.0),
            ];
            assert_eq!(place, expected.map(|(key, value)| (key.to_string(), value)).into());
        }
        let by_id = TokenNames { text: Some(&Odd), by_id: true };
        let found = completion(by_id, &[scored(0)]);
        assert_eq!(
            (&found.tokens[0][..], found.top_logprobs.unwrap()[0].as_ref().unwrap().len()),
            ("token_id:0", 5)
        );
        assert_eq!(
            (chat(by_id, &scored(2)).token, chat(by_id, &scored(2)).bytes),
            ("token_id:2".into(), Some(vec![0xe6, 0xad]))
        );
    }
}
