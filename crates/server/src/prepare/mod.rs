//! From a request's bytes to what the service is asked: parsed, checked, rendered, tokenized.
//!
//! All of this can take long (a prompt of megabytes, a template), so callers run it off the
//! reactor. Nothing here waits, and nothing here is a fault of the server's unless the tokenizer
//! is.

mod chat;
mod completion;
mod embedding;
mod form;
mod sampling;
mod tools;

pub(crate) use chat::{chat, conversation};
pub(crate) use completion::completion;
pub(crate) use embedding::embedding;
pub(crate) use tools::taught;

use crate::error::{ApiError, Result};
use crate::options::Options;
use crate::tools::ToolParsing;
use pacemark_backend::layer::{self, StackLayer};
use pacemark_backend::{BackendError, BackendInfo, GenerateRequest, Service, Text, TokenId};
use pacemark_openai_api::{Prompt, Sampling, StreamOptions};

/// Answers that one request may ask for.
pub(crate) const MAX_ANSWERS: usize = 128;

/// A request that is ready to be submitted.
#[derive(Debug)]
pub(crate) struct Job {
    /// One for each answer, answers of a prompt side by side.
    pub requests: Vec<GenerateRequest>,
    /// Answers of each prompt.
    pub n: usize,
    /// Send events as they come.
    pub stream: bool,
    /// What a stream carries besides.
    pub stream_options: StreamOptions,
    /// What answers carry besides.
    pub wanted: Wanted,
    /// How calls of tools are found in the text.
    pub tools: Option<ToolParsing>,
    /// What the log says of how the prompt was made, once.
    pub note: Option<&'static str>,
    /// What the answer says of how the request was taken: a header and a line of the log.
    pub taken: Option<String>,
    /// What was asked, for a log that may tell.
    pub prompt_text: Option<String>,
}

/// What a request wants besides text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// Log-probabilities.
    pub logprobs: bool,
    /// Tokens in them by their ids.
    pub named_by_id: bool,
    /// Ids of prompt and answer.
    pub ids: bool,
    /// Where the time went.
    pub spans: bool,
    /// Counts and speeds.
    pub speeds: bool,
    /// Each chunk of a stream carries some of it.
    pub in_chunks: bool,
}

impl Wanted {
    fn of(sampling: &Sampling, logprobs: bool) -> Wanted {
        let asked = |field: Option<bool>| field.unwrap_or(false);
        let (ids, speeds) = (asked(sampling.return_token_ids), asked(sampling.timings_per_token));
        Wanted {
            logprobs,
            named_by_id: asked(sampling.return_tokens_as_token_ids),
            ids,
            spans: asked(sampling.timings),
            speeds,
            in_chunks: ids || speeds,
        }
    }
}

impl Job {
    /// Tokens of all prompts, each counted once.
    pub(crate) fn prompt_tokens(&self) -> usize {
        self.requests.iter().step_by(self.n.max(1)).map(|request| request.prompt.len()).sum()
    }
}

/// What preparing looks things up in.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Who computes.
    pub service: &'a dyn Service,
    /// What computes.
    pub info: &'a BackendInfo,
    /// Names and limits.
    pub options: &'a Options,
}

impl<'a> Context<'a> {
    /// The model's tokenizer.
    pub(crate) fn text(&self) -> Result<&'a dyn Text> {
        self.service
            .text()
            .ok_or_else(|| ApiError::invalid("this model has no tokenizer: send token ids"))
    }

    /// Refuses a model that is not served here.
    pub(crate) fn check_model(&self, model: Option<&str>) -> Result<()> {
        match model {
            Some(name) if !self.options.model_names.iter().any(|served| served == name) => {
                let message = format!(
                    "the model {name:?} is not served here; found: {:?}",
                    self.options.model_names
                );
                Err(ApiError::not_found("model_not_found", message).about("model"))
            }
            _ => Ok(()),
        }
    }

    /// The prompts as token ids, each checked for its length and ids.
    pub(crate) fn tokens(
        &self,
        field: &str,
        prompt: Prompt,
        special: bool,
        kv: Option<&str>,
    ) -> Result<Vec<Vec<TokenId>>> {
        let prompts = match prompt {
            Prompt::Text(text) => vec![self.text()?.encode(&text, special)],
            Prompt::Texts(texts) => {
                self.check_count(field, texts.len())?;
                let tokenizer = self.text()?;
                texts.iter().map(|text| tokenizer.encode(text, special)).collect()
            }
            Prompt::Tokens(tokens) => vec![tokens],
            Prompt::TokenArrays(prompts) => prompts,
        };
        self.check_count(field, prompts.len())?;
        for prompt in &prompts {
            self.check_tokens(field, prompt, kv)?;
        }
        Ok(prompts)
    }

    fn check_count(&self, field: &str, n: usize) -> Result<()> {
        if (1..=MAX_ANSWERS).contains(&n) {
            return Ok(());
        }
        Err(ApiError::field(
            field,
            format!("{field}: expected 1 to {MAX_ANSWERS} prompts, found {n}"),
        ))
    }

    /// The refusal of a prompt that is too long, in the words by which clients know it.
    fn too_long(&self, field: &str, found: usize, limit: usize) -> ApiError {
        let n_ctx = self.info.n_ctx;
        if limit != n_ctx {
            let message = format!(
                "{field}: this server takes prompts of at most {limit} tokens, found {found}"
            );
            return ApiError::field(field, message).coded("context_length_exceeded");
        }
        let found = format!("your {field} resulted in {found} tokens");
        ApiError::too_long(n_ctx, &found, field).about(field)
    }

    /// Tokens that may follow a prompt of so many.
    pub(crate) fn room(&self, kv: Option<&str>, n_prompt: usize) -> Result<usize> {
        self.service.room(kv, n_prompt).map_err(|error| {
            let code = match &error {
                BackendError::TooLong { .. } => "context_length_exceeded",
                _ => "invalid_value",
            };
            ApiError::field("kv", format!("kv: {error}")).coded(code)
        })
    }

    /// Refuses a prompt that is empty or too long, or has ids that the model does not.
    pub(crate) fn check_tokens(
        &self,
        field: &str,
        prompt: &[TokenId],
        kv: Option<&str>,
    ) -> Result<()> {
        let info = self.info;
        // A policy may hold more tokens than the context, but whose time they may take the server's
        // operator says.
        let limit = match kv.is_some_and(|spec| spec != "full") {
            true => self.options.prompt_limit(info.n_ctx),
            false => self.options.max_prompt_tokens.min(info.n_ctx),
        };
        if prompt.is_empty() {
            return Err(ApiError::field(field, format!("{field}: the prompt is empty")));
        }
        if prompt.len() > limit {
            return Err(self.too_long(field, prompt.len(), limit));
        }
        match prompt.iter().find(|id| **id as usize >= info.vocab_size) {
            Some(id) => {
                let message =
                    format!("{field}: expected token ids below {}, found {id}", info.vocab_size);
                Err(ApiError::field(field, message))
            }
            None => Ok(()),
        }
    }
}

/// A seed for a request that brings none: no two alike, and not to be foreseen.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// The requests of all answers: for each prompt, `n` with seeds one apart.
fn fan_out(prompts: Vec<Vec<TokenId>>, n: usize, model: &GenerateRequest) -> Vec<GenerateRequest> {
    layer::pass(StackLayer::Prompt);
    let mut requests = Vec::with_capacity(prompts.len() * n);
    for prompt in prompts {
        for i in 0..n {
            let mut request = GenerateRequest { prompt: prompt.clone(), ..model.clone() };
            request.sampling.seed = model.sampling.seed.wrapping_add(i as u64);
            requests.push(request);
        }
    }
    requests
}
