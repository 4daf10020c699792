//! The model's tokenizer and chat templates as `backend::Text`, whatever engine computes.

use pacemark_backend::{BackendError, Chat, Text, TokenId};
use pacemark_modelfile::{Metadata, ModelFile, ModelFileError};
use pacemark_tokenizer::{
    ChatTemplates, DecodeOptions, EncodeOptions, Message, RenderOptions, Tokenizer, TokenizerError,
};
use std::path::Path;
use std::sync::Arc;

/// Text of one model.
pub struct ModelText {
    tokenizer: Arc<Tokenizer>,
    /// Or why they cannot be used.
    templates: Result<ChatTemplates, String>,
}

/// Why a model's file gives no text.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// Its vocabulary cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

impl ModelText {
    pub(crate) fn new(metadata: &Metadata, tokenizer: Arc<Tokenizer>) -> ModelText {
        let templates =
            ChatTemplates::from_metadata(metadata, &tokenizer).map_err(|error| error.to_string());
        ModelText { tokenizer, templates }
    }

    /// Of the model at `path`, for a backend that takes and gives token ids; `None` where the model
    /// has no tokenizer.
    pub fn open(path: &Path) -> Result<Option<ModelText>, TextError> {
        let file = ModelFile::describe(path)?;
        if !has_tokenizer(file.metadata()) {
            return Ok(None);
        }
        let tokenizer = Tokenizer::from_metadata(file.metadata())?;
        Ok(Some(ModelText::new(file.metadata(), Arc::new(tokenizer))))
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The chat templates, ChatML if the model brings none; or why they cannot be used.
    pub fn chat_templates(&self) -> Result<&ChatTemplates, &str> {
        self.templates.as_ref().map_err(String::as_str)
    }

    /// Puts chats in other templates from now on.
    pub fn set_chat_templates(&mut self, templates: ChatTemplates) {
        self.templates = Ok(templates);
    }
}

/// Whether the model's file brings a tokenizer.
pub(crate) fn has_tokenizer(metadata: &Metadata) -> bool {
    metadata.get("tokenizer.ggml.model").is_some()
}

impl Text for ModelText {
    fn encode(&self, text: &str, special: bool) -> Vec<TokenId> {
        if special {
            return self.tokenizer.encode_prompt(text);
        }
        self.tokenizer.encode(text, EncodeOptions { add_special: false, parse_special: false })
    }

    fn decode(&self, tokens: &[TokenId]) -> Result<String, BackendError> {
        let options = DecodeOptions { special: true, start_of_text: true };
        self.tokenizer
            .decode_with(tokens, options)
            .map_err(|error| BackendError::InvalidRequest(error.to_string()))
    }

    fn token_bytes(&self, token: TokenId) -> Option<Vec<u8>> {
        self.tokenizer.token_bytes(token)
    }

    fn render(&self, chat: &Chat) -> Result<String, BackendError> {
        let templates =
            self.templates.as_ref().map_err(|error| BackendError::InvalidRequest(error.clone()))?;
        let message = |(i, message): (usize, &serde_json::Value)| -> Result<Message, BackendError> {
            serde_json::from_value(message.clone())
                .map_err(|error| BackendError::InvalidRequest(format!("messages[{i}]: {error}")))
        };
        let messages: Vec<Message> =
            chat.messages.iter().enumerate().map(message).collect::<Result<_, _>>()?;
        let options = RenderOptions {
            tools: chat.tools.clone(),
            add_generation_prompt: true,
            extra: chat.extra.clone(),
            now: None,
        };
        templates
            .prompt(messages, &options, chat.tell_tools)
            .map_err(|error| BackendError::InvalidRequest(error.to_string()))
    }

    fn encode_chat(&self, prompt: &str) -> Vec<TokenId> {
        match &self.templates {
            Ok(templates) => templates.encode(&self.tokenizer, prompt),
            Err(_) => self.encode(prompt, true), // nothing was rendered, then
        }
    }

    fn tool_template(&self) -> Option<&str> {
        self.templates.as_ref().ok()?.tool_template()
    }
}
