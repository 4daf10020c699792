//! `--chat-template`: the template that chats are put in instead of the model's choice.

use crate::exit::UsageError;
use crate::input;
use anyhow::{Context, Result};
use pacemark_files::{excerpt, look, quoted};
use pacemark_tokenizer::ChatTemplates;
use std::path::Path;

/// What the flag's help says.
pub(crate) const HELP: &str = "Put chats in this template: one of the model's by its name (e.g. tool_use), chatml, or a file of Jinja \
    [default: the model's own, its tool_use where there are tools]";

/// What the flag's help says at length.
pub(crate) const LONG_HELP: &str = "Put chats in this template: one of the model's by its name (e.g. tool_use), chatml, or a file of Jinja \
    [default: the model's own, its tool_use where there are tools]

The ids of a chat are what its template writes: no BOS is added to it. Only chatml, which also stands in where a model brings no \
template, gets the BOS that the model wants.";

/// The template that `wanted` names, of `own` or elsewhere.
pub(crate) fn choose(wanted: &str, own: &ChatTemplates) -> Result<ChatTemplates> {
    if let Some(named) = own.named(wanted).filter(|_| !own.is_chatml()) {
        return Ok(named);
    }
    if wanted == "chatml" {
        return Ok(own.chatml());
    }
    let path = Path::new(wanted);
    let flag = || format!("--chat-template {}", excerpt(wanted));
    if look::at(path).with_context(flag)?.is_some() {
        let source = input::read_file(path)?;
        return own.replaced_by(&source).with_context(flag);
    }
    let names = own.names().collect::<Vec<_>>().join(", ");
    let names = if own.is_chatml() { "none, it brings no template".to_string() } else { names };
    let message = format!(
        "--chat-template: expected one of the model's templates ({names}), chatml or a file, found {}",
        quoted(wanted)
    );
    Err(UsageError(message).into())
}
