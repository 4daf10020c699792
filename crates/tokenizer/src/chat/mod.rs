//! Chat templates: from messages to the prompt a model was trained on.
//!
//! Templates are Jinja, written for Hugging Face's environment (`apply_chat_template` in `transformers`); the `jinja` crate is
//! that environment. Here is what a chat adds: which variables a template gets, and how much it may use. It comes with the
//! model, so it is not trusted: the instructions it runs, the memory it takes, its output and its depth are bounded, by more
//! where it is given more.

mod message;

pub use message::{Content, Message};

use crate::Tokenizer;
use pacemark_jinja::{Error, Limits, Template};
use pacemark_modelfile::{Metadata, ModelFileError};
use serde_json::{Map, Value as Json, json};
use std::time::SystemTime;

/// What llama.cpp uses for a model that brings no template.
const CHATML: &str = "{%- for message in messages -%}\
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}\
    {%- endfor -%}\
    {%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}";

/// What a rendering may use besides what its variables allow: a message takes 20 to 100 instructions.
const BASE: Limits = Limits { instructions: 400_000, memory: 32 << 20, output: 16 << 20 };
/// Bytes of values for each byte of the variables: a prompt that is put together in a variable is copied for each message.
const MEMORY_PER_BYTE: u64 = 64;

/// Why a template gave no prompt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The metadata has something else where the template belongs.
    #[error(transparent)]
    Metadata(#[from] ModelFileError),
    /// Not a template: what is wrong, after the line it is in.
    #[error("chat template: {0}")]
    Syntax(String),
    /// The template itself refused the messages (`raise_exception`).
    #[error("the model's chat template refuses these messages: {0}")]
    Raised(String),
    /// It failed on these messages: how, after the line of the statement.
    #[error("chat template: {0}")]
    Render(String),
    /// It is too long or too deep, runs too long, or takes or writes too much.
    #[error("chat template: expected at most {limit} {what}, found more")]
    Limit {
        /// How many are allowed.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
}

impl From<Error> for TemplateError {
    fn from(error: Error) -> TemplateError {
        match error {
            Error::Raised(message) => TemplateError::Raised(message),
            Error::Limit { limit, what } => TemplateError::Limit { limit, what },
            error @ Error::Syntax { .. } => TemplateError::Syntax(error.to_string()),
            error => TemplateError::Render(error.to_string()),
        }
    }
}

/// What [`ChatTemplate::render`] is given besides the messages.
#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// Definitions of the tools the model may call, as OpenAI's API has them.
    pub tools: Option<Json>,
    /// End with the start of the assistant's turn.
    pub add_generation_prompt: bool,
    /// Further variables of the template, e.g. `enable_thinking`.
    pub extra: Map<String, Json>,
    /// What `strftime_now` tells, in UTC; the clock where it is not set.
    pub now: Option<SystemTime>,
}

/// A compiled template.
#[derive(Debug)]
pub struct ChatTemplate {
    template: Template,
    bos: String,
    eos: String,
    is_fallback: bool,
}

impl ChatTemplate {
    /// Compiles `source`. `bos` and `eos` are the texts of those tokens, which templates may write out.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<ChatTemplate, TemplateError> {
        let template = Template::compile(source)?;
        Ok(ChatTemplate { template, bos: bos.into(), eos: eos.into(), is_fallback: false })
    }

    /// The template of a model file, or ChatML if it has none: see [`ChatTemplate::is_fallback`].
    pub fn from_metadata(metadata: &Metadata, tokenizer: &Tokenizer) -> Result<ChatTemplate, TemplateError> {
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.token_text(id)).unwrap_or_default();
        let (bos, eos) = (text(tokenizer.bos()), text(tokenizer.eos()));
        match metadata.opt_string("tokenizer.chat_template")? {
            Some(source) => ChatTemplate::new(source, bos, eos),
            None => Ok(ChatTemplate { is_fallback: true, ..ChatTemplate::new(CHATML, bos, eos)? }),
        }
    }

    /// Whether the model brought no template and ChatML stands in: its answers may suffer.
    pub fn is_fallback(&self) -> bool {
        self.is_fallback
    }

    /// The prompt for `messages`.
    pub fn render(&self, messages: &[Message], options: &RenderOptions) -> Result<String, TemplateError> {
        let mut variables = Map::new();
        let given = [
            ("messages", json!(messages)),
            ("tools", json!(options.tools)),
            ("documents", Json::Null),
            ("add_generation_prompt", Json::Bool(options.add_generation_prompt)),
            ("bos_token", json!(self.bos)),
            ("eos_token", json!(self.eos)),
        ];
        variables.extend(given.map(|(name, value)| (name.to_owned(), value)));
        variables.extend(options.extra.clone());
        let n_bytes: u64 = variables.values().map(size).sum();
        let limits = Limits {
            instructions: BASE.instructions + n_bytes,
            memory: BASE.memory + MEMORY_PER_BYTE * n_bytes,
            output: BASE.output + n_bytes,
        };
        let now = options.now.unwrap_or_else(SystemTime::now);
        Ok(self.template.render(&variables, now, limits)?)
    }
}

/// About how many bytes of JSON a value is.
fn size(value: &Json) -> u64 {
    // An explicit stack: nothing has bounded the depth of these values yet.
    let (mut n_bytes, mut left) = (0, vec![value]);
    while let Some(value) = left.pop() {
        n_bytes += 4;
        match value {
            Json::String(text) => n_bytes += text.len() as u64,
            Json::Array(items) => left.extend(items),
            Json::Object(entries) => {
                n_bytes += entries.keys().map(|key| key.len() as u64).sum::<u64>();
                left.extend(entries.values());
            }
            _ => {}
        }
    }
    n_bytes
}
