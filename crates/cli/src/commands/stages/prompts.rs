//! Prompts of an exact number of tokens, as JSON for the server and as ids for what lies below it.

use anyhow::{Result, bail};
use pacemark_backend::{Chat, Service, TokenId};
use pacemark_record::rng::SplitMix64;
use serde_json::{Value, json};

/// Short words that are one token of most vocabularies.
const WORDS: &[&str] = &[
    "sky", "blue", "river", "stone", "light", "green", "house", "paper", "winter", "road", "music",
    "garden", "train", "water", "bread", "window", "mountain", "glass", "letter", "summer",
    "forest", "table", "cloud", "silver", "voice",
];
/// Attempts at an exact length.
const ATTEMPTS: usize = 200;

/// One prompt.
pub(super) struct Prompt {
    /// The body of its request, without what says how to generate.
    pub body: Value,
    /// What the model computes.
    pub tokens: Vec<TokenId>,
}

/// Makes prompts for one model.
pub(super) struct Prompts<'a> {
    service: &'a dyn Service,
    n_tokens: usize,
    /// Prompts are chats of words; without a tokenizer they are random ids.
    has_text: bool,
}

impl<'a> Prompts<'a> {
    /// Prompts of `n_tokens` each, or of as few as the model's chat template allows.
    pub(super) fn new(service: &'a dyn Service, n_tokens: usize) -> Result<Prompts<'a>> {
        let has_text = service.text().is_some();
        let mut prompts = Prompts { service, n_tokens: n_tokens.max(1), has_text };
        if has_text {
            // Room for some words, so that no two prompts are alike.
            let least = prompts.encode(&messages("sky"))?.len() + 7;
            prompts.n_tokens = prompts.n_tokens.max(least);
        }
        Ok(prompts)
    }

    /// Tokens of each prompt.
    pub(super) fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// The route that they are for.
    pub(super) fn path(&self) -> &'static str {
        if self.has_text { "/v1/chat/completions" } else { "/v1/completions" }
    }

    /// `n` prompts that no other seed gives.
    pub(super) fn make(&self, n: usize, seed: u64) -> Result<Vec<Prompt>> {
        let mut rng = SplitMix64::new(seed);
        (0..n)
            .map(|_| if self.has_text { self.chat(&mut rng) } else { Ok(self.ids(&mut rng)) })
            .collect()
    }

    fn ids(&self, rng: &mut SplitMix64) -> Prompt {
        let n_vocab = self.service.info().vocab_size;
        let tokens: Vec<TokenId> =
            (0..self.n_tokens).map(|_| rng.below(n_vocab) as TokenId).collect();
        Prompt { body: json!({ "prompt": tokens }), tokens }
    }

    /// Random words, cut until the whole chat has the right length.
    fn chat(&self, rng: &mut SplitMix64) -> Result<Prompt> {
        for _ in 0..ATTEMPTS {
            let mut text = String::new();
            let mut tokens = Vec::new();
            while tokens.len() < self.n_tokens {
                let missing = self.n_tokens - tokens.len();
                for _ in 0..missing.div_ceil(4) {
                    text += WORDS[rng.below(WORDS.len())];
                    text.push(' ');
                }
                tokens = self.encode(&messages(text.trim_end()))?;
            }
            while tokens.len() > self.n_tokens && text.pop().is_some() {
                tokens = self.encode(&messages(text.trim_end()))?;
            }
            if tokens.len() == self.n_tokens {
                return Ok(Prompt {
                    body: json!({ "messages": messages(text.trim_end()) }),
                    tokens,
                });
            }
        }
        bail!("no chat of exactly {} tokens was found for this model's template", self.n_tokens)
    }

    fn encode(&self, messages: &[Value]) -> Result<Vec<TokenId>> {
        let Some(text) = self.service.text() else { bail!("the model has no tokenizer") };
        let prompt = text.render(&Chat { messages: messages.to_vec(), ..Chat::default() })?;
        Ok(text.encode_chat(&prompt))
    }
}

fn messages(text: &str) -> [Value; 1] {
    [json!({ "role": "user", "content": text })]
}
