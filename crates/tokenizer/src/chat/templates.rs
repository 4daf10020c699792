//! The templates of a model, and which of them a chat is put in.

use super::{ChatTemplate, Message, RenderOptions, TemplateError, told};
use crate::{EncodeOptions, Tokenizer};
use pacemark_modelfile::{Metadata, ModelFileError, chat_templates};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What llama.cpp uses for a model that brings no template.
const CHATML: &str = "{%- for message in messages -%}\
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}\
    {%- endfor -%}\
    {%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}";

const DEFAULT: &str = "default";
/// The one that transformers takes where there are tools.
const WITH_TOOLS: &str = "tool_use";

/// A model's templates by name, each compiled or with the reason why it is none: one that is not
/// used does no harm.
#[derive(Clone, Debug)]
pub struct ChatTemplates {
    by_name: BTreeMap<String, Arc<Result<ChatTemplate, TemplateError>>>,
    bos: String,
    eos: String,
    is_chatml: bool,
}

impl ChatTemplates {
    /// Those of a model file, or ChatML if it has none: see [`ChatTemplates::is_chatml`].
    pub fn from_metadata(
        metadata: &Metadata,
        tokenizer: &Tokenizer,
    ) -> Result<ChatTemplates, ModelFileError> {
        let text = |id: Option<u32>| {
            id.and_then(|id| tokenizer.token_text(id)).unwrap_or_default().to_owned()
        };
        let (bos, eos) = (text(tokenizer.bos()), text(tokenizer.eos()));
        let own = chat_templates(metadata)?;
        let compile = |(name, source): (&str, &str)| {
            (name.into(), Arc::new(ChatTemplate::new(source, &bos, &eos)))
        };
        let by_name: BTreeMap<_, _> = own.into_iter().map(compile).collect();
        let templates = ChatTemplates { by_name, bos, eos, is_chatml: false };
        Ok(if templates.by_name.is_empty() { templates.chatml() } else { templates })
    }

    /// Their names, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Only the one of this name, for all chats.
    pub fn named(&self, name: &str) -> Option<ChatTemplates> {
        let by_name = BTreeMap::from([(DEFAULT.into(), self.by_name.get(name)?.clone())]);
        Some(ChatTemplates { by_name, ..self.clone() })
    }

    /// Only the one that `source` is, for all chats.
    pub fn replaced_by(&self, source: &str) -> Result<ChatTemplates, TemplateError> {
        let template = ChatTemplate::new(source, &self.bos, &self.eos)?;
        let by_name = BTreeMap::from([(DEFAULT.into(), Arc::new(Ok(template)))]);
        Ok(ChatTemplates { by_name, is_chatml: false, ..self.clone() })
    }

    /// Only ChatML, for all chats.
    pub fn chatml(&self) -> ChatTemplates {
        let template = Arc::new(ChatTemplate::new(CHATML, &self.bos, &self.eos));
        let by_name = BTreeMap::from([(DEFAULT.into(), template)]);
        ChatTemplates { by_name, is_chatml: true, ..self.clone() }
    }

    /// Whether ChatML stands in for a template of the model's: its answers may suffer.
    pub fn is_chatml(&self) -> bool {
        self.is_chatml
    }

    /// The one for a chat with or without tools, by transformers' rule.
    fn for_chat(&self, has_tools: bool) -> Result<&ChatTemplate, TemplateError> {
        let with_tools = self.by_name.get(WITH_TOOLS).filter(|_| has_tools);
        match with_tools.or_else(|| self.by_name.get(DEFAULT)).map(Arc::as_ref) {
            Some(template) => template.as_ref().map_err(Clone::clone),
            None => {
                Err(TemplateError::NoDefault { names: self.names().collect::<Vec<_>>().join(", ") })
            }
        }
    }

    /// The source of the template for chats with tools, if it shows the model what there is to
    /// call.
    pub fn tool_template(&self) -> Option<&str> {
        let template = self.for_chat(true).ok()?;
        template.abilities().tools.then(|| template.source())
    }

    /// The prompt for a conversation in the shape of OpenAI's API: arguments of calls are text
    /// there. A template that shows no tools, or with `tell_tools` any, gets them in words, and so
    /// it gets calls and results that it would not show.
    pub fn prompt(
        &self,
        mut messages: Vec<Message>,
        options: &RenderOptions,
        tell_tools: bool,
    ) -> Result<String, TemplateError> {
        let tools = options
            .tools
            .as_ref()
            .filter(|tools| tools.as_array().is_none_or(|list| !list.is_empty()));
        let mut template = self.for_chat(tools.is_some())?;
        let told = tools.filter(|_| tell_tools || !template.abilities().tools);
        if told.is_some() {
            template = self.for_chat(false).unwrap_or(template);
        }
        if told.is_some() || messages.iter().any(|message| !message.calls().is_empty()) {
            match template.abilities().calls.filter(|_| told.is_none()) {
                Some(form) => messages.iter_mut().for_each(|message| form.apply(message)),
                None => messages = told::tell_calls(messages),
            }
        }
        if let Some(tools) = told {
            told::tell_tools(&mut messages, tools, template.abilities().system);
        }
        let tools: Option<Json> = tools.filter(|_| told.is_none()).cloned();
        template.render(&messages, &RenderOptions { tools, ..options.clone() })
    }

    /// The ids of a prompt that one of these wrote. What a template writes is all there is, as in
    /// transformers: no BOS is added and none taken away. ChatML is no model's own and writes none:
    /// there the model's rule holds, as in llama.cpp.
    pub fn encode(&self, tokenizer: &Tokenizer, prompt: &str) -> Vec<u32> {
        if self.is_chatml {
            return tokenizer.encode_prompt(prompt);
        }
        tokenizer.encode(prompt, EncodeOptions { add_special: false, parse_special: true })
    }
}
