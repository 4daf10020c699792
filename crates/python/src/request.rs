//! What a request asks for, from arguments whose meaning the package has checked already.

use crate::error::argument;
use pacemark_backend::{
    Constraint, GenerateRequest, JsonForm, SamplingParams, TokenId, Whitespace,
};
use pyo3::prelude::*;

/// Arguments of `Engine.start`.
pub(crate) struct Asked {
    pub(crate) max_tokens: usize,
    pub(crate) temperature: f32,
    pub(crate) top_k: usize,
    pub(crate) top_p: f32,
    pub(crate) min_p: f32,
    pub(crate) repetition_penalty: f32,
    pub(crate) presence_penalty: f32,
    pub(crate) frequency_penalty: f32,
    pub(crate) seed: u64,
    pub(crate) stop: Vec<String>,
    pub(crate) ignore_eos: bool,
    pub(crate) logprobs: Option<usize>,
    pub(crate) json_schema: Option<String>,
    pub(crate) regex: Option<String>,
    pub(crate) grammar: Option<String>,
    pub(crate) kv: Option<String>,
    pub(crate) reuse_prefix: bool,
}

impl Asked {
    /// A request for a prompt.
    ///
    /// # Errors
    /// Where several forms are asked for at once.
    pub(crate) fn of(self, prompt: Vec<TokenId>) -> PyResult<GenerateRequest> {
        let json = self
            .json_schema
            .map(|schema| Constraint::Json(JsonForm { schema, whitespace: Whitespace::default() }));
        let forms =
            [json, self.regex.map(Constraint::Regex), self.grammar.map(Constraint::Grammar)];
        let mut forms: Vec<Constraint> = forms.into_iter().flatten().collect();
        if forms.len() > 1 {
            let names = "one of json_schema, regex and grammar at most";
            return Err(argument("json_schema, regex, grammar", names, forms.len()));
        }
        let sampling = SamplingParams {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            seed: self.seed,
            ..SamplingParams::default()
        };
        Ok(GenerateRequest {
            prompt,
            max_tokens: self.max_tokens,
            sampling,
            ignore_eos: self.ignore_eos,
            top_logprobs: self.logprobs,
            reuse_prefix: self.reuse_prefix,
            stop: self.stop,
            constraint: forms.pop(),
            kv: self.kv,
            ..GenerateRequest::default()
        })
    }
}
