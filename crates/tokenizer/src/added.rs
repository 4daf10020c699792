//! Added tokens by Hugging Face's rules: found from left to right, the longest first, and some take
//! the white space beside them.

use crate::TokenizerError;
use crate::special::{Fragment, SpecialTokens};
use pacemark_modelfile::Metadata;
use std::collections::HashMap;

/// Their ids.
pub(crate) const ADDED_IDS: &str = "tokenizer.pacemark.added_ids";
/// What is said of each: bits of [`flag`].
pub(crate) const ADDED_FLAGS: &str = "tokenizer.pacemark.added_flags";

/// Bits of `tokenizer.pacemark.added_flags`.
pub(crate) mod flag {
    /// Takes the white space before it.
    pub(crate) const LSTRIP: u32 = 1;
    /// Takes the white space behind it.
    pub(crate) const RSTRIP: u32 = 2;
    /// Looked for in the normalized text.
    pub(crate) const NORMALIZED: u32 = 4;
    /// Steers the model: read from a text only on request.
    pub(crate) const SPECIAL: u32 = 8;
    /// Has `▁` where the vocabulary shows a space.
    pub(crate) const SPACED: u32 = 16;
    /// All of them.
    pub(crate) const ALL: u32 = 31;
}

/// Added tokens in whose text GGUF has a space for `▁`, ascending.
pub(crate) fn spaced_ids(metadata: &Metadata) -> Result<Vec<u32>, TokenizerError> {
    let ids = metadata.opt_u32s(ADDED_IDS)?.unwrap_or_default();
    let flags = metadata.opt_u32s(ADDED_FLAGS)?.unwrap_or_default();
    let spaced =
        ids.iter().zip(&*flags).filter(|(_, flags)| *flags & flag::SPACED != 0).map(|(&id, _)| id);
    let mut spaced: Vec<u32> = spaced.collect();
    spaced.sort_unstable();
    Ok(spaced)
}

/// A set of added tokens.
#[derive(Default)]
pub(crate) struct AddedTokens {
    tokens: SpecialTokens,
    flags: HashMap<u32, u32>,
}

impl AddedTokens {
    /// To look for `tokens`: texts, ids and flags.
    pub(crate) fn new(tokens: Vec<(String, u32, u32)>) -> AddedTokens {
        AddedTokens {
            flags: tokens.iter().map(|(_, id, flags)| (*id, *flags)).collect(),
            tokens: SpecialTokens::new(tokens.iter().map(|(text, id, _)| (text.as_str(), *id))),
        }
    }

    /// Cuts `text` into added tokens and the text between them. Unless they are asked for, special
    /// tokens stay text.
    pub(crate) fn partition(&self, text: &str, special: bool) -> Vec<Fragment> {
        let mut fragments = Vec::new();
        let (mut end, mut from) = (0, 0);
        while let Some((mut range, id)) = self.tokens.first(text, from) {
            from = range.end;
            let flags = self.flags.get(&id).copied().unwrap_or(0);
            if flags & flag::SPECIAL != 0 && !special {
                continue;
            }
            // Space that the token before has taken may hold this one: it stands all the same.
            if flags & flag::LSTRIP != 0 && end < range.start {
                range.start = end + text[end..range.start].trim_end().len();
            }
            if flags & flag::RSTRIP != 0 {
                let rest = &text[range.end..];
                range.end += rest.len() - rest.trim_start().len();
            }
            if end < range.start {
                fragments.push(Fragment::Text(end..range.start));
            }
            fragments.push(Fragment::Token(id));
            end = range.end;
        }
        if end < text.len() {
            fragments.push(Fragment::Text(end..text.len()));
        }
        fragments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(tokens: &[(&str, u32)]) -> AddedTokens {
        AddedTokens::new(
            (0..).zip(tokens).map(|(id, (text, flags))| (text.to_string(), id, *flags)).collect(),
        )
    }

    #[test]
    fn the_leftmost_comes_first_and_then_the_longest() {
        let tokens = added(&[("ab", 0), ("bcd", 0), ("abx", 0)]);
        assert_eq!(tokens.partition("abcd", true), [Fragment::Token(0), Fragment::Text(2..4)]);
        assert_eq!(tokens.partition("abx", true), [Fragment::Token(2)]);
        assert_eq!(tokens.partition("", true), []);
    }

    #[test]
    fn white_space_goes_to_the_tokens_that_take_it() {
        let tokens = added(&[
            ("<l>", flag::LSTRIP),
            ("<r>", flag::RSTRIP),
            ("<s>", flag::SPECIAL),
            ("\n", 0),
        ]);
        assert_eq!(
            tokens.partition("a  <l> b<r> \u{a0}c", true),
            [
                Fragment::Text(0..1),
                Fragment::Token(0),
                Fragment::Text(6..8),
                Fragment::Token(1),
                Fragment::Text(14..15)
            ]
        );
        // Taken by one, found for the other all the same.
        assert_eq!(
            tokens.partition("<r> \n<l>", true),
            [Fragment::Token(1), Fragment::Token(3), Fragment::Token(0)]
        );
        assert_eq!(tokens.partition("<s>", true), [Fragment::Token(2)]);
        assert_eq!(tokens.partition("<s>", false), [Fragment::Text(0..3)]);
    }
}
