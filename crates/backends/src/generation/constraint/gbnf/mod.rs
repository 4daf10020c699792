//! llama.cpp's grammars (GBNF) in the words of llguidance's Lark.
//!
//! The format is that of llama.cpp's `grammars/README.md`: rules `name ::= …` that begin at `root`;
//! literals, character classes, `.`, groups, `|`, and `*`, `+`, `?`, `{m,n}` behind an item; `#`
//! begins a comment. What an item means is left to llguidance, with one care: its lexer takes the
//! longest match, which GBNF does not know. So every character is a lexeme of its own, and what may
//! follow what is decided by rules alone. Items that name tokens (`<…>`) and a repetition of a
//! repetition are refused.

mod lark;
mod parse;

/// Why a grammar cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, found {found}")]
pub(super) struct GbnfError {
    line: usize,
    expected: &'static str,
    found: String,
}

/// A rule: its name, and the sequences of which it is one.
type Rule = (String, Vec<Vec<Item>>);

/// What one place of a rule says.
#[derive(Debug, PartialEq)]
enum Item {
    /// One character: as the inside of a class of regular expressions, and whether it is excluded.
    Class(String, bool),
    /// The rule of this number.
    Rule(usize),
    Group(Vec<Vec<Item>>),
    /// At least so often, and at most.
    Repeat(Box<Item>, u32, Option<u32>),
}

/// Whether a grammar is one in this format: its first rule's name has `::=` behind it. In Lark it
/// has a colon.
pub(super) fn is_gbnf(text: &str) -> bool {
    let mut lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let behind =
        first.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    behind.len() < first.len()
        && (behind.trim_start().starts_with("::=")
            || behind.trim().is_empty() && text.contains("::="))
}

/// The grammar in Lark.
pub(super) fn to_lark(text: &str) -> Result<String, GbnfError> {
    let (rules, root) = parse::rules(text)?;
    Ok(lark::grammar(&rules, root))
}

#[cfg(test)]
mod tests;
