//! What is asked of a backend.

use crate::TokenId;

/// One generation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerateRequest {
    /// The prompt, special tokens included.
    pub prompt: Vec<TokenId>,
    /// Tokens to generate at most. Zero computes the prompt and finishes.
    pub max_tokens: usize,
    /// How tokens are chosen.
    pub sampling: SamplingParams,
    /// Go on after an end-of-sequence token.
    pub ignore_eos: bool,
    /// How many alternatives each token event carries; `None` for no log-probabilities at all.
    pub top_logprobs: Option<usize>,
    /// Keep this request's KV when it ends, and start from kept KV as far as its tokens agree with
    /// this prompt.
    pub reuse_prefix: bool,
    /// Before so many tokens, none that ends the output is chosen, and no stop text ends it.
    pub min_tokens: usize,
    /// Texts that end the output where they begin; they are not part of it.
    pub stop: Vec<String>,
    /// Tokens that end the output, as an end-of-sequence token does.
    pub stop_tokens: Vec<TokenId>,
    /// What the output must look like.
    pub constraint: Option<Constraint>,
    /// Who goes first when there is more to do than fits.
    pub priority: Priority,
    /// What of the keys and values is kept, as a policy's spec, e.g. `streaming:4+1020`; all of
    /// them where there is none, or `full`.
    pub kv: Option<String>,
    /// How many of the prompt's first tokens count as the prompt for a policy that works when a prompt
    /// ends; what follows comes after that, as generated tokens do. All of them where it is `None`.
    pub kv_prompt: Option<usize>,
}

impl GenerateRequest {
    /// Whether something of the keys and values may be let go.
    pub fn has_policy(&self) -> bool {
        self.kv.as_deref().is_some_and(|spec| spec != "full")
    }

    /// Tokens that are the prompt for a policy.
    pub fn n_kv_prompt(&self) -> usize {
        self.kv_prompt.unwrap_or(self.prompt.len())
    }
}

/// A text to be scored as one sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreRequest {
    /// The text.
    pub tokens: Vec<TokenId>,
    /// The first token that a prediction is wanted after.
    pub first: usize,
    /// As [`GenerateRequest::kv`].
    pub kv: Option<String>,
    /// How many of the tokens are a prompt, for policies that work on prompts.
    pub n_prompt: Option<usize>,
}

/// How a text was predicted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextScores {
    /// Log-probabilities (natural) of `tokens[i + 1]` given what was kept of those before, for `i`
    /// in `first..tokens.len() - 1`.
    pub logprobs: Vec<f32>,
    /// Whether each was the most likely token.
    pub hits: Vec<bool>,
    /// What is kept at the end.
    pub kv: Option<KvHeld>,
}

/// What is kept of a sequence's keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvHeld {
    /// Tokens, over all KV heads of all layers.
    pub lane_tokens: u64,
    /// KV heads of all layers.
    pub n_lanes: u64,
    /// Tokens in the layer that has most, the mean over its heads rounded up.
    pub most_tokens: u64,
    /// Bytes of these tokens.
    pub resident_bytes: u64,
    /// Bytes of the pages that they are in.
    pub page_bytes: u64,
}

impl KvHeld {
    /// Tokens, the mean over layers and heads.
    pub fn mean_tokens(&self) -> f64 {
        self.lane_tokens as f64 / self.n_lanes.max(1) as f64
    }
}

/// A form that the output is held to, token by token.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// JSON.
    Json(JsonForm),
    /// Text that the regular expression matches as a whole.
    Regex(String),
    /// Text that a grammar derives: llama.cpp's GBNF where it has `::=`, else Lark as llguidance
    /// reads it.
    Grammar(String),
}

impl Constraint {
    /// What it was made of, whose length bounds what it costs.
    pub fn source(&self) -> &str {
        match self {
            Constraint::Json(form) => &form.schema,
            Constraint::Regex(text) | Constraint::Grammar(text) => text,
        }
    }
}

/// JSON that a schema allows.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonForm {
    /// JSON Schema, as text.
    pub schema: String,
    /// What may stand between its tokens.
    pub whitespace: Whitespace,
}

impl JsonForm {
    /// Any JSON object.
    pub fn object() -> JsonForm {
        JsonForm { schema: r#"{"type": "object"}"#.into(), whitespace: Whitespace::default() }
    }
}

/// What may stand between the tokens of JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whitespace {
    /// Nothing, one space, or one or two line ends with up to 20 spaces or tabs behind: indented
    /// JSON has room, and a weak model cannot go on with whitespace until its tokens are spent.
    #[default]
    Bounded,
    /// Nothing.
    None,
    /// What the regular expression matches.
    Pattern(String),
}

/// Classes of requests; within one, first come, first served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody waits.
    #[default]
    Interactive,
    /// Nobody waits: starts when nothing interactive does, or has waited long enough.
    Batch,
}

/// How a token is chosen from the logits. The default is greedy.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// Divides the logits; 0 chooses the most likely token.
    pub temperature: f32,
    /// Only the `top_k` most likely; 0 for all.
    pub top_k: usize,
    /// Only the smallest set whose probability reaches this; 1 for all.
    pub top_p: f32,
    /// Only tokens at least this fraction as likely as the most likely; 0 for all.
    pub min_p: f32,
    /// Only the most typical tokens whose probability together reaches this; 1 for all.
    pub typical_p: f32,
    /// Only tokens whose logits are within so many standard deviations of the largest; 0 for all.
    pub top_n_sigma: f32,
    /// How often, of several tokens that are likely enough, all but the least likely are left out.
    pub xtc_probability: f32,
    /// What is likely enough for that.
    pub xtc_threshold: f32,
    /// Divides positive and multiplies negative logits of tokens already seen; 1 for none.
    pub repetition_penalty: f32,
    /// How many tokens back that looks; `None` for all, those of the prompt too.
    pub repetition_window: Option<usize>,
    /// Subtracted once from the logit of a token already generated.
    pub presence_penalty: f32,
    /// Subtracted as often as the token was generated.
    pub frequency_penalty: f32,
    /// Added to the logits of these tokens, before anything else.
    pub logit_bias: Vec<(TokenId, f32)>,
    /// Start of the random sequence; the same seed, prompt and engine give the same text.
    pub seed: u64,
}

impl Default for SamplingParams {
    fn default() -> Self {
        SamplingParams {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            typical_p: 1.0,
            top_n_sigma: 0.0,
            xtc_probability: 0.0,
            xtc_threshold: 0.1,
            repetition_penalty: 1.0,
            repetition_window: None,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: Vec::new(),
            seed: 0,
        }
    }
}
