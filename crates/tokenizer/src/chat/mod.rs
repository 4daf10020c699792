//! Chat templates: from messages to the prompt a model was trained on.
//!
//! Templates are Jinja, written for Hugging Face's environment (`apply_chat_template` in `transformers`), which is minijinja
//! with Python's methods plus what this module adds: `tojson`, `strftime_now`, `raise_exception`, `{% generation %}`.
//!
//! A template comes with the model, so it is not trusted: the instructions it runs, its output and its length are bounded,
//! and it runs on a thread whose stack is large enough for the deepest values and expressions that those bounds allow
//! (minijinja recurses through both). What stays open: minijinja has no bound on a string that is doubled in a loop.

mod environment;
mod message;
mod stack;
mod time;
mod tojson;

pub use message::{Content, Message};

use crate::Tokenizer;
use environment::Raised;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, ErrorKind};
use pacemark_modelfile::{Metadata, ModelFileError};
use serde_json::{Map, Value as Json, json};
use stack::on_large_stack;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

/// What llama.cpp uses for a model that brings no template.
const CHATML: &str = "{%- for message in messages -%}\
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}\
    {%- endfor -%}\
    {%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}";

const NAME: &str = "chat template";
/// Real templates have up to 30 KiB.
const MAX_SOURCE: usize = 128 << 10;
/// Instructions; a message takes 20 to 100.
const FUEL: u64 = 400_000;
/// Bytes of a prompt, beyond those of the messages.
const MAX_OUTPUT: usize = 16 << 20;

/// Why a template gave no prompt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The metadata has something else where the template belongs.
    #[error(transparent)]
    Metadata(#[from] ModelFileError),
    /// Not a template.
    #[error("chat template: {0}")]
    Syntax(minijinja::Error),
    /// The template itself refused the messages (`raise_exception`).
    #[error("the model's chat template refuses these messages: {0}")]
    Raised(String),
    /// It failed on these messages.
    #[error("chat template: {0}")]
    Render(minijinja::Error),
    /// It is too long, runs too long or writes too much.
    #[error("chat template: expected at most {limit} {what}, found more")]
    Limit {
        /// How many are allowed.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// The thread to run it could not be started.
    #[error("chat template: cannot start its thread")]
    Thread(#[source] std::io::Error),
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
    environment: Arc<Environment<'static>>,
    /// Length of its source.
    n_bytes: u64,
    bos: String,
    eos: String,
    is_fallback: bool,
}

impl ChatTemplate {
    /// Compiles `source`. `bos` and `eos` are the texts of those tokens, which templates may write out.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<ChatTemplate, TemplateError> {
        if source.len() > MAX_SOURCE {
            return Err(TemplateError::Limit { limit: MAX_SOURCE, what: "bytes of template" });
        }
        let source = environment::without_generation_tags(source);
        let n_bytes = source.len() as u64;
        let environment = on_large_stack(NAME, move || (environment::compile(NAME, source), n_bytes))?;
        let environment = Arc::new(environment.map_err(TemplateError::Syntax)?);
        Ok(ChatTemplate { environment, n_bytes, bos: bos.into(), eos: eos.into(), is_fallback: false })
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
        let mut variables = json!({
            "messages": messages,
            "tools": options.tools,
            "documents": null,
            "add_generation_prompt": options.add_generation_prompt,
            "bos_token": self.bos,
            "eos_token": self.eos,
        });
        if let Json::Object(variables) = &mut variables {
            variables.extend(options.extra.clone());
        }
        let now = options.now.unwrap_or_else(SystemTime::now);
        let clock =
            minijinja::context! { strftime_now => Value::from_function(move |format: &str| time::format(now, format)) };
        let limit = MAX_OUTPUT + variables.to_string().len();
        let (environment, n_bytes) = (self.environment.clone(), self.n_bytes);
        let render = move || {
            let mut output = Bounded { bytes: Vec::new(), limit };
            let context = minijinja::context! { ..Value::from(Serde(&variables)), ..clock };
            let rendered = environment.get_template(NAME).and_then(|template| {
                template.render_captured_to(context, &mut output).map(|captured| captured.state().fuel_levels())
            });
            // What has failed may have used all its fuel.
            let fuel = rendered.as_ref().ok().and_then(|levels| *levels).map_or(FUEL, |(consumed, _)| consumed);
            (rendered.map(|_| output.bytes), n_bytes + fuel)
        };
        match on_large_stack(NAME, render)? {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => Err(failure(error, limit)),
        }
    }
}

/// What a failed rendering means.
fn failure(error: minijinja::Error, output_limit: usize) -> TemplateError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(link) = cause {
        if let Some(Raised(message)) = link.downcast_ref() {
            return TemplateError::Raised(message.clone());
        }
        cause = link.source();
    }
    match error.kind() {
        ErrorKind::OutOfFuel => TemplateError::Limit { limit: FUEL as usize, what: "instructions" },
        ErrorKind::WriteFailure => TemplateError::Limit { limit: output_limit, what: "bytes of prompt" },
        _ => TemplateError::Render(error),
    }
}

/// Takes no more than `limit` bytes.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
