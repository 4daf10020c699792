//! A vocabulary as the file's metadata describes it, checked: texts, types, the special ids and the
//! rules about them.

use crate::added::spaced_ids;
use crate::index::TextIndex;
use crate::{TokenizerError, bytes};
use pacemark_modelfile::{Metadata, ModelFileError, Strings};
use std::borrow::Cow;

pub(crate) const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";

/// Keys that are not followed here and may change ids or answers elsewhere: their presence is told.
const UNREAD: [&str; 3] = [
    "tokenizer.ggml.remove_extra_whitespaces",
    "tokenizer.ggml.precompiled_charsmap",
    "tokenizer.ggml.suppress_tokens",
];

/// What a token is, as `tokenizer.ggml.token_type` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TokenType {
    /// Not said.
    Undefined = 0,
    /// A piece of text.
    Normal = 1,
    /// Stands for what the vocabulary cannot write.
    Unknown = 2,
    /// Steers the model, e.g. `<|im_end|>`: read from a text only on request, and not shown.
    Control = 3,
    /// Added to the vocabulary as it stands: found in a text before anything else, and shown.
    UserDefined = 4,
    /// Never used.
    Unused = 5,
    /// One byte, written `<0x0A>`.
    Byte = 6,
}

impl TokenType {
    fn from_number(number: i32) -> Option<TokenType> {
        use TokenType::*;
        [Undefined, Normal, Unknown, Control, UserDefined, Unused, Byte]
            .into_iter()
            .find(|&t| t as i32 == number)
    }
}

/// How normal tokens write their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Byte-level BPE: a character a byte.
    Bytes,
    /// SPM: `▁` for a space.
    Spaces,
}

/// The vocabulary.
pub(crate) struct Vocab {
    pub texts: Strings,
    pub types: Vec<TokenType>,
    pub index: TextIndex,
    pub spelling: Spelling,
    /// Added tokens that write `▁` for a space, ascending; others of them have the space itself.
    spaced: Vec<u32>,
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub eot: Option<u32>,
    pub eom: Option<u32>,
    pub unknown: Option<u32>,
    pub add_bos: bool,
    pub add_eos: bool,
    pub add_space_prefix: bool,
    /// What was read otherwise than the file says, in words for its user.
    pub warnings: Vec<String>,
}

impl Vocab {
    /// Reads and checks all but scores and merges. `add_bos` is for files that do not say.
    pub(crate) fn from_metadata(
        metadata: &Metadata,
        spelling: Spelling,
        add_bos: bool,
    ) -> Result<Vocab, TokenizerError> {
        let spaced = spaced_ids(metadata)?;
        let texts = respaced(metadata.strings(TOKENS)?, &spaced);
        if texts.is_empty() {
            return Err(ModelFileError::invalid(
                metadata.file(),
                TOKENS,
                "at least one token",
                "none",
            )
            .into());
        }
        let index = TextIndex::new(&texts).map_err(|same| {
            let text = texts.get(same.first as usize).unwrap_or_default();
            let found = format!("{text:?} at {} and at {}", same.first, same.second);
            ModelFileError::invalid(metadata.file(), TOKENS, "each token once", found)
        })?;
        let types = types(metadata, texts.len())?;
        let mut warnings = Vec::new();
        let mut id = |name: &str, default: Option<u32>| {
            special_id(metadata, name, texts.len(), default, &mut warnings)
        };
        let default = |id| if spelling == Spelling::Spaces { Some(id) } else { None };
        let mut vocab = Vocab {
            bos: id("bos", default(1))?,
            eos: id("eos", default(2))?,
            eot: id("eot", None)?,
            eom: id("eom", None)?,
            unknown: id("unknown", default(0))?,
            add_bos: false,
            add_eos: false,
            add_space_prefix: metadata
                .opt_bool("tokenizer.ggml.add_space_prefix")?
                .unwrap_or(spelling == Spelling::Spaces),
            texts,
            types,
            index,
            spelling,
            warnings,
            spaced,
        };
        let unread = UNREAD.iter().filter(|key| metadata.get(key).is_some());
        vocab.warnings.extend(unread.map(|key| format!("{key}: not followed")));
        vocab.add_bos = adds(metadata, "bos", vocab.bos, add_bos)?;
        vocab.add_eos = adds(metadata, "eos", vocab.eos, false)?;
        Ok(vocab)
    }

    /// The id of the token that is written `text`.
    pub(crate) fn id(&self, text: &str) -> Option<u32> {
        self.index.get(&self.texts, text.as_bytes())
    }

    /// A token's text as the file has it; empty for an id that is none.
    pub(crate) fn text(&self, id: u32) -> &str {
        self.texts.get(id as usize).unwrap_or_default()
    }

    pub(crate) fn token_type(&self, id: u32) -> Option<TokenType> {
        self.types.get(id as usize).copied()
    }

    /// Appends what the token stands for in a text. Control tokens stand for nothing unless
    /// `special` asks for their text.
    pub(crate) fn push_bytes(&self, id: u32, special: bool, out: &mut Vec<u8>) {
        let text = self.text(id);
        match (self.token_type(id), self.spelling) {
            (None, _) => {}
            (Some(TokenType::Normal), Spelling::Bytes) => push_spelled(text, out),
            (Some(TokenType::Normal), Spelling::Spaces) => push_spaced(text, out),
            (Some(TokenType::UserDefined), _) if self.spaced.binary_search(&id).is_ok() => {
                push_spaced(text, out)
            }
            (Some(TokenType::UserDefined), _) => out.extend(text.bytes()),
            (Some(TokenType::Byte), _) => match parse_byte(text) {
                Some(byte) => out.push(byte),
                None => out.extend(text.bytes()),
            },
            (Some(_), _) if special => out.extend(text.bytes()),
            (Some(_), _) => {}
        }
    }
}

/// Byte-level BPE: the bytes that the characters stand for. Other characters, which only added
/// tokens have, are themselves.
fn push_spelled(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        match bytes::from_char(c) {
            Some(byte) => out.push(byte),
            None => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
}

/// SPM: `▁` is a space.
fn push_spaced(text: &str, out: &mut Vec<u8>) {
    for (n, part) in text.split('▁').enumerate() {
        if n > 0 {
            out.push(b' ');
        }
        out.extend(part.bytes());
    }
}

/// The byte of `<0x0A>`.
fn parse_byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u8::from_str_radix(digits, 16).ok())?
}

/// The texts as the vocabulary had them before GGUF's custom for added tokens: `▁` where it has a
/// space.
fn respaced<'t>(texts: &'t Strings, spaced: &[u32]) -> Strings {
    if spaced.is_empty() {
        return texts.clone();
    }
    let text = |(id, text): (u32, &'t str)| match spaced.binary_search(&id) {
        Ok(_) => Cow::Owned(text.replace(' ', "▁")),
        Err(_) => Cow::Borrowed(text),
    };
    (0..).zip(texts.iter()).map(text).collect()
}

fn types(metadata: &Metadata, n_tokens: usize) -> Result<Vec<TokenType>, TokenizerError> {
    let Some(numbers) = metadata.opt_i32s(TYPES)? else {
        return Ok(vec![TokenType::Normal; n_tokens]);
    };
    expect_one_each(metadata, TYPES, numbers.len(), n_tokens)?;
    let types = numbers.iter().enumerate().map(|(at, &number)| {
        TokenType::from_number(number).ok_or_else(|| {
            let field = format!("{TYPES}[{at}]");
            ModelFileError::invalid(
                metadata.file(),
                field,
                "a type from 0 to 6",
                number.to_string(),
            )
            .into()
        })
    });
    types.collect()
}

/// That the array `key` has an entry for each of `n_tokens` tokens.
pub(crate) fn expect_one_each(
    metadata: &Metadata,
    key: &str,
    len: usize,
    n_tokens: usize,
) -> Result<(), TokenizerError> {
    if len == n_tokens {
        return Ok(());
    }
    let expected = format!("{n_tokens} entries, one for each token");
    Err(ModelFileError::invalid(metadata.file(), key, expected, len.to_string()).into())
}

/// `tokenizer.ggml.{name}_token_id`; `default` where the file has no such key and the token exists.
/// An id that is no token is none, with a warning, as for llama.cpp.
fn special_id(
    metadata: &Metadata,
    name: &str,
    n_tokens: usize,
    default: Option<u32>,
    warnings: &mut Vec<String>,
) -> Result<Option<u32>, TokenizerError> {
    let key = format!("tokenizer.ggml.{name}_token_id");
    let exists = |id: &u32| (*id as usize) < n_tokens;
    match metadata.opt_u32(&key)? {
        None => Ok(default.filter(exists)),
        Some(id) if exists(&id) => Ok(Some(id)),
        Some(id) => {
            warnings.push(invalid_id(metadata, &key, id, n_tokens).to_string());
            Ok(None)
        }
    }
}

/// The error of an id that is no token.
pub(crate) fn invalid_id(
    metadata: &Metadata,
    key: &str,
    id: u32,
    n_tokens: usize,
) -> TokenizerError {
    let expected = format!("an id below {n_tokens}, the number of tokens");
    ModelFileError::invalid(metadata.file(), key, expected, id.to_string()).into()
}

/// `tokenizer.ggml.add_{name}_token`: true needs the token.
fn adds(
    metadata: &Metadata,
    name: &str,
    id: Option<u32>,
    default: bool,
) -> Result<bool, TokenizerError> {
    let said = metadata.opt_bool(&format!("tokenizer.ggml.add_{name}_token"))?;
    if said == Some(true) && id.is_none() {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let expected = format!("an id, since add_{name}_token is true");
        return Err(ModelFileError::invalid(metadata.file(), key, expected, "no such key").into());
    }
    Ok(said.unwrap_or(default) && id.is_some())
}
