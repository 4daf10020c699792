//! Hugging Face's rules for a vocabulary that came from a `tokenizer.json`: keys under
//! `tokenizer.pacemark.`, which only our reader of Hugging Face directories sets.
//! docs/tokenizers.md has the list.

use crate::TokenizerError;
use crate::added::{ADDED_FLAGS, ADDED_IDS, AddedTokens, flag};
use crate::normalizer::Normalizer;
use crate::special::Fragment;
use crate::symbols::Unknown;
use crate::vocab::{Vocab, expect_one_each};
use pacemark_modelfile::{Metadata, ModelFileError};
use std::borrow::Cow;

const RULES: &str = "tokenizer.pacemark.rules";
const NORMALIZER: &str = "tokenizer.pacemark.normalizer";
const SPACE_PREFIX: &str = "tokenizer.pacemark.space_prefix";
const STRIP_SPACE: &str = "tokenizer.pacemark.strip_space";
const SPLIT_AT_SPACES: &str = "tokenizer.pacemark.split_at_spaces";
const IGNORE_MERGES: &str = "tokenizer.pacemark.ignore_merges";
const UNKNOWN: &str = "tokenizer.pacemark.unknown_token_id";
const FUSE_UNKNOWN: &str = "tokenizer.pacemark.fuse_unknown";

/// Where a text that does not begin with a space gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    Never,
    /// At the start of the whole text.
    First,
    /// At the start, and after each added token.
    Always,
}

/// What GGUF's own keys do not say.
pub(crate) struct Rules {
    normalizer: Normalizer,
    prefix: Prefix,
    /// Added tokens that are looked for before the text is normalized, and after.
    raw: AddedTokens,
    normalized: AddedTokens,
    /// Whether decoding takes one space off the start of a text.
    pub strip_space: bool,
    pub split_at_spaces: bool,
    pub ignore_merges: bool,
    pub unknown: Unknown,
}

impl Rules {
    /// The rules, where the file has them.
    pub(crate) fn from_metadata(
        metadata: &Metadata,
        vocab: &Vocab,
    ) -> Result<Option<Rules>, TokenizerError> {
        let invalid = |key: &str, expected: String, found: String| {
            ModelFileError::invalid(metadata.file(), key, expected, found)
        };
        match metadata.opt_string(RULES)? {
            None => return Ok(None),
            Some("huggingface") => {}
            Some(other) => {
                return Err(invalid(RULES, "huggingface".into(), format!("{other:?}")).into());
            }
        }
        let steps = metadata.opt_strings(NORMALIZER)?;
        let normalizer = Normalizer::new(steps.iter().flat_map(|steps| steps.iter()))
            .map_err(|(expected, found)| invalid(NORMALIZER, expected, found))?;
        let prefix = match metadata.opt_string(SPACE_PREFIX)? {
            None | Some("never") => Prefix::Never,
            Some("first") => Prefix::First,
            Some("always") => Prefix::Always,
            Some(other) => {
                return Err(invalid(
                    SPACE_PREFIX,
                    "never, first or always".into(),
                    format!("{other:?}"),
                )
                .into());
            }
        };
        let is = |key: &str| Ok::<_, ModelFileError>(metadata.opt_bool(key)?.unwrap_or(false));
        let unknown = Unknown { id: metadata.opt_u32(UNKNOWN)?, fuse: is(FUSE_UNKNOWN)? };
        if let Some(id) = unknown.id.filter(|&id| vocab.token_type(id).is_none()) {
            return Err(invalid(
                UNKNOWN,
                format!("an id below {}", vocab.texts.len()),
                id.to_string(),
            )
            .into());
        }
        let [raw, normalized] = added_tokens(metadata, vocab, &normalizer)?;
        Ok(Some(Rules {
            normalizer,
            prefix,
            raw,
            normalized,
            strip_space: is(STRIP_SPACE)?,
            split_at_spaces: is(SPLIT_AT_SPACES)?,
            ignore_merges: is(IGNORE_MERGES)?,
            unknown,
        }))
    }

    /// Cuts `text`: added tokens that stand in it, then those that stand in what the normalizer
    /// makes of the rest. `each` gets them and the normalized text between them, with `space`
    /// before it where one is due.
    pub(crate) fn partition(
        &self,
        text: &str,
        special: bool,
        space: char,
        each: &mut impl FnMut(Piece<'_>),
    ) {
        for fragment in self.raw.partition(text, special) {
            match fragment {
                Fragment::Token(id) => each(Piece::Token(id)),
                Fragment::Text(range) => {
                    let normalized = self.normalizer.apply(&text[range.clone()]);
                    self.partition_normalized(&normalized, range.start == 0, special, space, each);
                }
            }
        }
    }

    fn partition_normalized(
        &self,
        text: &str,
        at_start: bool,
        special: bool,
        space: char,
        each: &mut impl FnMut(Piece<'_>),
    ) {
        for fragment in self.normalized.partition(text, special) {
            match fragment {
                Fragment::Token(id) => each(Piece::Token(id)),
                Fragment::Text(range) => {
                    let is_first = at_start && range.start == 0;
                    each(Piece::Text(&self.spaced(&text[range], is_first, space)));
                }
            }
        }
    }

    /// `text` with its spaces written as `space`, and the one before it where it is due.
    fn spaced<'t>(&self, text: &'t str, is_first: bool, space: char) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        if space != ' ' && text.contains(' ') {
            text = Cow::Owned(text.replace(' ', space.encode_utf8(&mut [0; 4])));
        }
        let is_due = match self.prefix {
            Prefix::Never => false,
            Prefix::First => is_first,
            Prefix::Always => true,
        };
        if is_due && !text.starts_with(space) {
            text.to_mut().insert(0, space);
        }
        text
    }
}

/// A part of a text.
pub(crate) enum Piece<'t> {
    /// An added token.
    Token(u32),
    /// Normalized text.
    Text(&'t str),
}

/// Those to look for before the text is normalized, and after.
fn added_tokens(
    metadata: &Metadata,
    vocab: &Vocab,
    normalizer: &Normalizer,
) -> Result<[AddedTokens; 2], TokenizerError> {
    let ids = metadata.opt_u32s(ADDED_IDS)?.unwrap_or_default();
    let all_flags = metadata.opt_u32s(ADDED_FLAGS)?.unwrap_or_default();
    expect_one_each(metadata, ADDED_FLAGS, all_flags.len(), ids.len())?;
    let (mut raw, mut normalized) = (Vec::new(), Vec::new());
    for (at, (&id, &flags)) in ids.iter().zip(&*all_flags).enumerate() {
        let invalid = |key: &str, expected: String, found: u32| {
            ModelFileError::invalid(
                metadata.file(),
                format!("{key}[{at}]"),
                expected,
                found.to_string(),
            )
        };
        if vocab.token_type(id).is_none() {
            return Err(invalid(ADDED_IDS, format!("an id below {}", vocab.texts.len()), id).into());
        }
        if flags & !flag::ALL != 0 {
            return Err(invalid(ADDED_FLAGS, format!("flags up to {}", flag::ALL), flags).into());
        }
        let text = vocab.text(id);
        if flags & flag::NORMALIZED != 0 {
            normalized.push((normalizer.apply(text).into_owned(), id, flags));
        } else {
            raw.push((text.to_owned(), id, flags));
        }
    }
    Ok([AddedTokens::new(raw), AddedTokens::new(normalized)])
}
