//! What chat and text completions have in common: how tokens are chosen, when to stop, the form of
//! the output.

use crate::lenient;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields of both completions; everything left out is the server's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Tokens to generate at most; -1 for as many as fit.
    #[serde(default, deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The same; the newer name.
    #[serde(default, deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u64>,
    /// The same (llama-server).
    #[serde(default, deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub n_predict: Option<u64>,
    /// 0 chooses the most likely token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Only the smallest set of tokens with this probability together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Answers to generate.
    #[serde(alias = "n_cmpl", skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Send events as tokens come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What a stream carries besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// Texts that end the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Subtracted once from logits of tokens that were generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Subtracted as often as a token was generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Added to the logits of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logit_bias: Option<LogitBias>,
    /// Start of the random sequence; -1 for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Whose request it is; informs nobody but the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only so many of the most likely tokens (vLLM); 0 or -1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<i64>,
    /// Only tokens at least this fraction as likely as the most likely (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    /// Divides positive and multiplies negative logits of tokens seen (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
    /// The same, of tokens seen among the last [`repeat_last_n`](Sampling::repeat_last_n)
    /// (llama-server).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_penalty: Option<f64>,
    /// How far back `repeat_penalty` looks (llama-server): 64 where it is left out, -1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_last_n: Option<i64>,
    /// Only tokens whose logits are within so many standard deviations of the largest
    /// (llama-server); 0 or -1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_n_sigma: Option<f64>,
    /// Only the most typical tokens with this probability together (llama-server, Meister et al.,
    /// 2023); 1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typical_p: Option<f64>,
    /// How often the most likely tokens are left out (llama-server: "exclude top choices").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xtc_probability: Option<f64>,
    /// How likely a token must be to be left out so, if a less likely one is so too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xtc_threshold: Option<f64>,
    /// Go on after an end-of-sequence token (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_eos: Option<bool>,
    /// Tokens to generate at least (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_tokens: Option<u64>,
    /// Tokens that end the output (vLLM).
    #[serde(default, deserialize_with = "lenient::ids", skip_serializing_if = "Option::is_none")]
    pub stop_token_ids: Option<Vec<u32>>,
    /// The form of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// The form of the output (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured_outputs: Option<StructuredOutputs>,
    /// A JSON schema, as an object or as text (vLLM's older name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_json: Option<Value>,
    /// A regular expression (vLLM's older name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_regex: Option<String>,
    /// Texts of which the output is one (vLLM's older name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_choice: Option<Vec<String>>,
    /// A grammar in Lark, or in llama.cpp's GBNF (vLLM's older name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_grammar: Option<String>,
    /// A regular expression of what may stand between the tokens of JSON (vLLM's older name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_whitespace_pattern: Option<String>,
    /// A JSON schema, as an object or as text (llama-server).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<Value>,
    /// A grammar in Lark, or in llama.cpp's GBNF (llama-server).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grammar: Option<String>,
    /// Lower goes first (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Take what a cache has of the prompt's beginning (llama-server); on by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_prompt: Option<bool>,
    /// What of the keys and values is kept, as a policy's spec, e.g. `streaming:4+1020`
    /// (Pacemark).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv: Option<String>,
    /// Give the ids of prompt and answer (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_token_ids: Option<bool>,
    /// Name tokens `token_id:N` in log-probabilities (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_tokens_as_token_ids: Option<bool>,
    /// How many alternatives are told for each token (llama-server); the same as asking for
    /// log-probabilities with so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_probs: Option<u64>,
    /// Tell counts and speeds so far in each chunk of a stream, and in a whole answer
    /// (llama-server).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timings_per_token: Option<bool>,
    /// Tell where the time of this request went (Pacemark).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timings: Option<bool>,
}

/// What is added to the logits of tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected an object of numbers with token ids as keys, or an array of pairs of a token id and a number or false"
)]
pub enum LogitBias {
    /// By token ids as text (OpenAI).
    ByToken(BTreeMap<String, f64>),
    /// Pairs of token id and bias (llama-server).
    Pairs(Vec<(u32, Bias)>),
}

/// A number to add, or `false` for a token that must not come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bias {
    /// To be added.
    Number(f64),
    /// Never, if false.
    Allowed(bool),
}

/// What a stream carries besides text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOptions {
    /// A last chunk with token counts.
    #[serde(default)]
    pub include_usage: bool,
    /// Token counts so far in each chunk (vLLM).
    #[serde(default)]
    pub continuous_usage_stats: bool,
    /// In each chunk the time at which it was written, `emitted_ns`: nanoseconds of the machine's
    /// monotonic clock, which all its processes share (Pacemark; for clients that measure their own
    /// error). Other servers are not sent a word that they do not know.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emitted_ns: bool,
}

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
pub enum Stop {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Stop {
    /// The texts.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Stop::One(text) => std::slice::from_ref(text),
            Stop::Many(texts) => texts,
        }
    }
}

/// The form of the output, as OpenAI words it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Any.
    Text,
    /// Any JSON object.
    JsonObject {
        /// Only objects that this JSON schema allows (llama-server).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<Value>,
    },
    /// JSON by a schema.
    JsonSchema {
        /// The schema and its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        json_schema: Option<JsonSchemaFormat>,
        /// The schema alone (llama-server).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<Value>,
    },
}

/// A named JSON schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonSchemaFormat {
    /// What it is called; informs nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The schema; any JSON where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Keep to it exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// The form of the output, as vLLM words it: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StructuredOutputs {
    /// A JSON schema, as an object or as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// A regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// Texts of which the output is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<Vec<String>>,
    /// Any JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_object: Option<bool>,
    /// A grammar in Lark, or in llama.cpp's GBNF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grammar: Option<String>,
    /// Nothing between the tokens of JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_any_whitespace: Option<bool>,
    /// A regular expression of what may stand between the tokens of JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whitespace_pattern: Option<String>,
    /// What else was sent.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, Value>,
}
