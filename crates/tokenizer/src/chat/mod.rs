//! Chat templates: from messages to the prompt a model was trained on.
//!
//! A template is Jinja, written for Hugging Face's environment (`apply_chat_template` in
//! `transformers`); the `jinja` crate is that environment, and [`ChatTemplate`] hands it what
//! `apply_chat_template` does. A model may bring several, of which [`ChatTemplates`] takes the one
//! that a chat needs. Conversations come in the shape of OpenAI's API, with tools; many templates
//! know nothing of those (`abilities`), and then they are told in words (`told`).

mod abilities;
mod message;
mod template;
mod templates;
mod told;

pub use message::{Content, Message};
pub use template::{ChatTemplate, RenderOptions};
pub use templates::ChatTemplates;

use pacemark_files::bounded;
use pacemark_jinja::Error;

/// Why there is no prompt.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Not a template: what is wrong, after the line it is in.
    #[error("chat template: {0}")]
    Syntax(String),
    /// The template itself refused the messages (`raise_exception`).
    #[error("the model's chat template refuses these messages: {}", bounded(.0))]
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
    /// The model brings templates by other names only, and none was asked for.
    #[error(
        "chat template: expected one named default or the choice of another, found {}",
        bounded(names)
    )]
    NoDefault {
        /// Those that there are.
        names: String,
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
