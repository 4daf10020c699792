//! One template: compiled, and rendered as `apply_chat_template` renders it.
//!
//! It comes with the model, so it is not trusted: the instructions it runs, the memory it takes,
//! its output and its depth are bounded, by more where it is given more.

use super::abilities::Abilities;
use super::{Message, TemplateError};
use pacemark_jinja::{Limits, Template};
use serde_json::{Map, Value as Json, json};
use std::sync::OnceLock;
use std::time::SystemTime;

/// What a rendering may use besides what its variables allow: a message takes 20 to 100
/// instructions.
const BASE: Limits = Limits { instructions: 400_000, memory: 32 << 20, output: 16 << 20 };
/// Bytes of values for each byte of the variables: a prompt that is put together in a variable is
/// copied for each message.
const MEMORY_PER_BYTE: u64 = 64;

/// What a template is given besides the messages.
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
    source: String,
    bos: String,
    eos: String,
    abilities: OnceLock<Abilities>,
}

impl ChatTemplate {
    /// Compiles `source`. `bos` and `eos` are the texts of those tokens, which templates may write
    /// out.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<ChatTemplate, TemplateError> {
        let template = Template::compile(source)?;
        let (source, bos, eos) = (source.into(), bos.into(), eos.into());
        Ok(ChatTemplate { template, source, bos, eos, abilities: OnceLock::new() })
    }

    /// What it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it makes of tools, calls and system messages; found out once.
    pub(super) fn abilities(&self) -> Abilities {
        *self.abilities.get_or_init(|| Abilities::of(self))
    }

    /// The prompt that `apply_chat_template` gives for `messages`; these may have the form of a
    /// template's own ([`ChatTemplates::prompt`](super::ChatTemplates::prompt) makes it of
    /// OpenAI's).
    pub fn render(
        &self,
        messages: &[Message],
        options: &RenderOptions,
    ) -> Result<String, TemplateError> {
        let messages: Vec<Json> = messages.iter().map(Message::for_template).collect();
        let mut variables = Map::new();
        let given = [
            ("messages", Json::Array(messages)),
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
