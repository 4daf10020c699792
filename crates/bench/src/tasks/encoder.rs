//! Text to tokens, and a context with what follows it.

use pacemark_backend::TokenId;

/// How a model's tokenizer reads text.
#[derive(Clone, Copy)]
pub struct Encoder<'a> {
    /// Tokens of a text, with special tokens where they are written out and none added.
    pub encode: &'a dyn Fn(&str) -> Vec<TokenId>,
    /// The token that begins a text, where the model wants one.
    pub bos: Option<TokenId>,
    /// What stands for an empty context: the token that begins a text, or else the one that ends it.
    pub empty: Option<TokenId>,
}

impl Encoder<'_> {
    /// A text as a model reads it from its beginning.
    pub fn text(&self, text: &str) -> Vec<TokenId> {
        let tokens = (self.encode)(text);
        match self.bos.filter(|bos| tokens.first() != Some(bos)) {
            Some(bos) => [&[bos], &tokens[..]].concat(),
            None => tokens,
        }
    }

    /// What follows other text.
    pub fn rest(&self, text: &str) -> Vec<TokenId> {
        (self.encode)(text)
    }

    /// Tokens of a context and of a continuation, by the rules of lm-eval 0.4.13 (`_encode_pair` and
    /// `loglikelihood` in `api/model.py`): spaces at the context's end go to the continuation, which is
    /// what the whole has beyond as many tokens as the context has by itself. `None` where there is
    /// nothing that could stand for an empty context.
    pub fn pair(&self, context: &str, continuation: &str) -> Option<(Vec<TokenId>, Vec<TokenId>)> {
        let head = context.trim_end();
        let whole = format!("{context}{continuation}");
        let (context, rest) = if context.is_empty() {
            (Vec::new(), self.rest(&whole))
        } else {
            let (context, whole) = (self.text(head), self.text(&whole));
            let rest = whole.get(context.len()..).unwrap_or_default().to_vec();
            (context, rest)
        };
        if !context.is_empty() {
            return Some((context, rest));
        }
        let empty = self.empty?;
        let begins = rest.first() == Some(&empty);
        Some((vec![empty], if begins { rest[1..].to_vec() } else { rest }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::toy;
    use super::*;
    use serde_json::Value;

    /// Cases and expected tokens: lm-eval 0.4.13 itself, run by `tests/data/make_tasks.py` on the toy
    /// tokenizer that `testing::toy` is, too.
    #[test]
    fn pairs_are_lm_evals() {
        let golden: Value =
            serde_json::from_str(include_str!("../../tests/data/tasks.json")).unwrap();
        let cases = golden["pairs"].as_array().unwrap();
        assert!(cases.len() >= 8);
        for case in cases {
            let bos = case["bos"].as_bool().unwrap().then_some(1);
            let encoder = Encoder { encode: &toy, bos, empty: Some(bos.unwrap_or(2)) };
            let text = |name: &str| case[name].as_str().unwrap();
            let found = encoder.pair(text("context"), text("continuation")).unwrap();
            let tokens = |name: &str| -> Vec<TokenId> {
                let list = case[name].as_array().unwrap();
                list.iter().map(|id| id.as_u64().unwrap() as TokenId).collect()
            };
            assert_eq!(found, (tokens("context_enc"), tokens("continuation_enc")), "{case}");
        }
    }

    #[test]
    fn an_empty_context_needs_a_token() {
        let encoder = Encoder { encode: &toy, bos: None, empty: None };
        assert_eq!(encoder.pair("", " a"), None);
        assert_eq!(encoder.pair("  ", "a"), None);
    }
}
