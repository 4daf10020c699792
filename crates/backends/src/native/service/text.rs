//! The model's tokenizer and chat templates as `backend::Text`.

use pacemark_backend::{BackendError, Chat, Text, TokenId};
use pacemark_modelfile::Metadata;
use pacemark_tokenizer::{
    ChatTemplates, DecodeOptions, EncodeOptions, Message, RenderOptions, Tokenizer,
};
use std::sync::Arc;

/// Text of one model.
pub(super) struct ModelText {
    tokenizer: Arc<Tokenizer>,
    /// Or why they cannot be used.
    pub templates: Result<ChatTemplates, String>,
}

impl ModelText {
    pub(super) fn new(metadata: &Metadata, tokenizer: Arc<Tokenizer>) -> ModelText {
        let templates =
            ChatTemplates::from_metadata(metadata, &tokenizer).map_err(|error| error.to_string());
        ModelText { tokenizer, templates }
    }
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
