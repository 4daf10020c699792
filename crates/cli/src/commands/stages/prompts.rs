//! Prompts of an exact number of tokens: chats as JSON for the server, and their ids for what lies
//! below it. Their words are made as a load's are.

use anyhow::{Result, bail};
use pacemark_backend::{Chat, Service, TokenId};
use pacemark_load::Lengths;
use pacemark_load::prompt::{
    self, Cache, EncodeError, Encoder, Source, Synthetic, SyntheticOptions,
};
use pacemark_record::rng::SplitMix64;
use serde_json::{Value, json};
use std::sync::Arc;

/// Words beside the shortest chat, so that no two prompts are alike.
const ROOM: usize = 7;

/// One prompt.
pub(super) struct Prompt {
    /// The body of its request, without what says how to generate.
    pub body: Value,
    /// What the model computes.
    pub tokens: Vec<TokenId>,
}

/// Makes prompts for one model.
pub(super) struct Prompts {
    service: Arc<dyn Service>,
    n_tokens: usize,
}

/// A text to the tokens of a chat that holds nothing else.
struct Chats(Arc<dyn Service>);

impl Encoder for Chats {
    fn encode(&self, text: &str, _: bool) -> Result<Vec<u32>, EncodeError> {
        let service = self.0.text().ok_or_else(|| EncodeError("no tokenizer".into()))?;
        let chat = Chat { messages: messages(text).to_vec(), ..Chat::default() };
        let prompt = service.render(&chat).map_err(|error| EncodeError(error.to_string()))?;
        Ok(service.encode_chat(&prompt))
    }
}

impl Prompts {
    /// Prompts of `n_tokens` each, or of as few as the model's chat template allows.
    pub(super) fn new(service: Arc<dyn Service>, n_tokens: usize) -> Result<Prompts> {
        let mut prompts = Prompts { service, n_tokens: n_tokens.max(1) };
        if prompts.has_text() {
            // As short as can be: what the template itself has, and a word.
            let shortest = Prompts { n_tokens: 1, service: prompts.service.clone() };
            let least = shortest.chats(1, 0)?[0].tokens.len();
            prompts.n_tokens = prompts.n_tokens.max(least + ROOM);
        }
        Ok(prompts)
    }

    /// Prompts are chats of words; without a tokenizer they are random ids.
    fn has_text(&self) -> bool {
        self.service.text().is_some()
    }

    /// Tokens of each prompt.
    pub(super) fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// The route that they are for.
    pub(super) fn path(&self) -> &'static str {
        if self.has_text() { "/v1/chat/completions" } else { "/v1/completions" }
    }

    /// `n` prompts that no other seed gives.
    pub(super) fn make(&self, n: usize, seed: u64) -> Result<Vec<Prompt>> {
        if !self.has_text() {
            let mut rng = SplitMix64::new(seed);
            return Ok((0..n).map(|_| self.ids(&mut rng)).collect());
        }
        let made = self.chats(n, seed)?;
        match made.iter().find(|prompt| prompt.tokens.len() != self.n_tokens) {
            None => Ok(made),
            Some(other) => bail!(
                "no chat of exactly {} tokens was found for this model's template: one has {}",
                self.n_tokens,
                other.tokens.len()
            ),
        }
    }

    fn ids(&self, rng: &mut SplitMix64) -> Prompt {
        let n_vocab = self.service.info().vocab_size;
        let tokens: Vec<TokenId> =
            (0..self.n_tokens).map(|_| rng.below(n_vocab) as TokenId).collect();
        Prompt { body: json!({ "prompt": tokens }), tokens }
    }

    fn chats(&self, n: usize, nonce: u64) -> Result<Vec<Prompt>> {
        let chats: Arc<dyn Encoder> = Arc::new(Chats(self.service.clone()));
        let options = SyntheticOptions {
            input: Lengths::Fixed(self.n_tokens as u64),
            output: None,
            cache: Cache::Cold,
            turns: 1,
            ids: false,
            special: true,
            seed: 0,
            nonce,
        };
        let mut source = Synthetic::new(options, Some(chats.clone()))?;
        let mut made = Vec::with_capacity(n);
        for turn in std::iter::from_fn(|| source.next()).flat_map(|session| session.turns).take(n) {
            let text = match turn.prompt {
                prompt::Prompt::Text(text) => text,
                prompt::Prompt::Ids(_) => bail!("expected text, found ids"),
            };
            let tokens = chats.encode(&text, true)?;
            made.push(Prompt { body: json!({ "messages": messages(&text) }), tokens });
        }
        if made.len() < n {
            bail!("only {} of {n} prompts could be made", made.len());
        }
        Ok(made)
    }
}

fn messages(text: &str) -> [Value; 1] {
    [json!({ "role": "user", "content": text })]
}
