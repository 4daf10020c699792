//! Calls of tools in the text of an answer. Which tools a request may or must call is `prepare`'s.
//!
//! Models write calls as their template taught them. Two forms are known: a JSON object between
//! `<tool_call>` tags (Hermes, Qwen) and a bare JSON object (Llama 3.x).

mod fence;
mod head;
mod scanner;
mod tracker;

pub(crate) use scanner::{Piece, Scanner};

/// What ends a call between tags.
pub(crate) const CLOSE_TAG: &str = "</tool_call>";

/// Where calls are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolParsing {
    /// Between `<tool_call>` and `</tool_call>`, or at the start of the answer in one of the forms
    /// of [`fence`].
    Tagged,
    /// The answer is one, or several with semicolons between.
    Bare,
    /// The answer is an array of them.
    Array,
    /// The answer is the arguments of a call of this one.
    Named(String),
}
