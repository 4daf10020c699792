//! Files that hold entries a line each, or all of them in one JSON array.

use super::PromptError;
use serde_json::Value;

/// The items of a file that is a JSON array; `None` for one that holds lines. A line of text may
/// begin with a bracket too (`[INST]`): what is no JSON, and does not look as if it were meant to
/// be, is lines.
pub(super) fn array(file: &str, text: &str) -> Option<Result<Vec<Value>, PromptError>> {
    let inside = text.trim_start().strip_prefix('[')?.trim_start();
    let wrong = |error: serde_json::Error| PromptError::File {
        file: file.to_owned(),
        why: format!("expected a JSON array of prompts: {error}"),
    };
    match serde_json::from_str(text) {
        Err(_) if !inside.starts_with(['"', '{', ']']) => None,
        read => Some(read.map_err(wrong)),
    }
}
