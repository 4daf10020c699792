//! The tokenizer of a model: the two kinds behind one face, with special tokens and the BOS and EOS
//! rules.

use crate::TokenizerError;
use crate::bpe::{Bpe, pre_tokenizer};
use crate::chars::CharBpe;
use crate::detokenizer::{DecodeOptions, Detokenizer};
use crate::ends::{end_ids, make_control};
use crate::rules::{Piece, Rules};
use crate::special::{Fragment, SpecialTokens};
use crate::spm::Spm;
use crate::vocab::{Spelling, TokenType, Vocab};
use pacemark_modelfile::{Metadata, ModelFileError};

const MODEL: &str = "tokenizer.ggml.model";

/// Turns text to ids and back.
pub struct Tokenizer {
    vocab: Vocab,
    kind: Kind,
    /// Found in every text.
    user_defined: SpecialTokens,
    /// Found where special tokens are parsed: these, the control tokens and the unknown token.
    special: SpecialTokens,
    /// Hugging Face's, where the vocabulary came from there; otherwise llama.cpp's hold.
    rules: Option<Box<Rules>>,
    /// Ascending.
    ends: Vec<u32>,
}

enum Kind {
    Bpe(Box<Bpe>),
    Spm(Box<Spm>),
    Chars(Box<CharBpe>),
}

/// What [`Tokenizer::encode`] does beyond the plain text. Servers need all four combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Add BOS and EOS where the model's rules want them.
    pub add_special: bool,
    /// Read control tokens such as `<|im_end|>` that are written out in the text; otherwise they
    /// are ordinary text.
    pub parse_special: bool,
}

impl EncodeOptions {
    /// For prompts: adds and parses special tokens.
    pub const SPECIAL: EncodeOptions = EncodeOptions { add_special: true, parse_special: true };
    /// For text from outside that must stay text: neither adds nor parses any.
    pub const PLAIN: EncodeOptions = EncodeOptions { add_special: false, parse_special: false };
}

impl Tokenizer {
    /// The tokenizer that a model file's `tokenizer.ggml.*` keys describe.
    pub fn from_metadata(metadata: &Metadata) -> Result<Tokenizer, TokenizerError> {
        let (vocab, rules, kind) = match metadata.string(MODEL)? {
            "gpt2" => {
                let pre = pre_tokenizer(metadata)?;
                let vocab = vocabulary(metadata, Spelling::Bytes, pre.add_bos)?;
                let rules = Rules::from_metadata(metadata, &vocab)?;
                let bpe = Bpe::from_metadata(metadata, pre, &vocab, rules.as_ref())?;
                (vocab, rules, Kind::Bpe(Box::new(bpe)))
            }
            "llama" => {
                let vocab = vocabulary(metadata, Spelling::Spaces, true)?;
                let rules = Rules::from_metadata(metadata, &vocab)?;
                let kind = match &rules {
                    Some(rules) => {
                        Kind::Chars(Box::new(CharBpe::from_metadata(metadata, &vocab, rules)?))
                    }
                    None => Kind::Spm(Box::new(Spm::from_metadata(metadata, &vocab)?)),
                };
                (vocab, rules, kind)
            }
            other => {
                let expected = "gpt2 (byte-level BPE) or llama (SPM-BPE)";
                return Err(ModelFileError::invalid(
                    metadata.file(),
                    MODEL,
                    expected,
                    format!("{other:?}"),
                )
                .into());
            }
        };
        let of_types = |types: &[TokenType]| {
            let wanted =
                (0..).zip(&vocab.types).filter(|(_, token_type)| types.contains(token_type));
            SpecialTokens::new(wanted.map(|(id, _)| (vocab.text(id), id)))
        };
        let user_defined = of_types(&[TokenType::UserDefined]);
        let special = of_types(&[TokenType::UserDefined, TokenType::Control, TokenType::Unknown]);
        let rules = rules.map(Box::new);
        Ok(Tokenizer {
            ends: end_ids(&vocab, metadata)?,
            user_defined,
            special,
            rules,
            kind,
            vocab,
        })
    }

    /// The ids of `text`.
    pub fn encode(&self, text: &str, options: EncodeOptions) -> Vec<u32> {
        let mut ids = Vec::new();
        if options.add_special && self.adds_bos() {
            ids.extend(self.bos());
        }
        match &self.rules {
            Some(rules) => {
                let space = if matches!(self.kind, Kind::Bpe(_)) { ' ' } else { '▁' };
                rules.partition(text, options.parse_special, space, &mut |piece| match piece {
                    Piece::Token(id) => ids.push(id),
                    Piece::Text(text) => self.encode_text(text, false, &mut ids),
                });
            }
            None => self.encode_fragments(text, options.parse_special, &mut ids),
        }
        if options.add_special && self.adds_eos() {
            ids.extend(self.eos());
        }
        ids
    }

    /// By llama.cpp's rules.
    fn encode_fragments(&self, text: &str, parse_special: bool, ids: &mut Vec<u32>) {
        let special = if parse_special { &self.special } else { &self.user_defined };
        // SPM writes the space before a word, and the first word has one too: so after the start
        // and after each special token.
        let mut at_start = true;
        for fragment in special.partition(text) {
            match fragment {
                Fragment::Token(id) => ids.push(id),
                Fragment::Text(ref range) => {
                    self.encode_text(
                        &text[range.clone()],
                        self.vocab.add_space_prefix && at_start,
                        ids,
                    );
                }
            }
            at_start = matches!(fragment, Fragment::Token(_));
        }
    }

    fn encode_text(&self, text: &str, prefix: bool, ids: &mut Vec<u32>) {
        match &self.kind {
            Kind::Bpe(bpe) => bpe.encode(&self.vocab, text, ids),
            Kind::Spm(spm) => spm.encode(&self.vocab, text, prefix, ids),
            Kind::Chars(chars) => chars.encode(&self.vocab, text, ids),
        }
    }

    /// The ids of a prompt that was written by hand: special tokens are parsed, and BOS is added
    /// where the model wants one and the prompt does not begin with it. What a chat template wrote
    /// is for [`crate::ChatTemplates::encode`].
    pub fn encode_prompt(&self, prompt: &str) -> Vec<u32> {
        let has_bos = self.bos().is_some_and(|bos| prompt.starts_with(self.vocab.text(bos)));
        self.encode(prompt, EncodeOptions { add_special: !has_bos, parse_special: true })
    }

    /// The text of `ids`, control tokens left out. Bytes that are no UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.decode_with(ids, DecodeOptions { start_of_text: true, ..DecodeOptions::default() })
    }

    /// As [`Tokenizer::decode`], as `options` say.
    pub fn decode_with(
        &self,
        ids: &[u32],
        options: DecodeOptions,
    ) -> Result<String, TokenizerError> {
        let mut detokenizer = Detokenizer::new(self, options);
        let mut text = String::new();
        for &id in ids {
            text += detokenizer.push(id)?;
        }
        text += &detokenizer.finish();
        Ok(text)
    }

    /// A token as the vocabulary writes it, e.g. `Ġthe`, `▁the`, `<0x0A>`.
    pub fn token_text(&self, id: u32) -> Option<&str> {
        self.vocab.texts.get(id as usize)
    }

    /// The bytes a token stands for, which may be part of a character. Control tokens give their
    /// text.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.vocab.push_bytes(id, true, &mut bytes);
        self.token_type(id).map(|_| bytes)
    }

    /// The type of a token.
    pub fn token_type(&self, id: u32) -> Option<TokenType> {
        self.vocab.token_type(id)
    }

    /// The token that is written `text` in the vocabulary.
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.vocab.id(text)
    }

    /// Number of tokens.
    pub fn vocab_size(&self) -> usize {
        self.vocab.texts.len()
    }

    /// The token that starts a text.
    pub fn bos(&self) -> Option<u32> {
        self.vocab.bos
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.vocab.eos
    }

    /// The token that ends a turn, where the file names one.
    pub fn eot(&self) -> Option<u32> {
        self.vocab.eot
    }

    /// Whether texts are to start with BOS.
    pub fn adds_bos(&self) -> bool {
        self.vocab.add_bos
    }

    /// Whether texts are to end with EOS.
    pub fn adds_eos(&self) -> bool {
        self.vocab.add_eos
    }

    /// Whether a model that emits `id` has said all.
    pub fn is_end_of_generation(&self, id: u32) -> bool {
        self.ends.binary_search(&id).is_ok()
    }

    /// What was read otherwise than the file says, in words for its user.
    pub fn warnings(&self) -> &[String] {
        &self.vocab.warnings
    }

    /// The tokens that end a generation, ascending.
    pub fn end_of_generation(&self) -> &[u32] {
        &self.ends
    }

    /// Hugging Face's rules, where they hold and not llama.cpp's.
    pub(crate) fn rules(&self) -> Option<&Rules> {
        self.rules.as_deref()
    }

    pub(crate) fn vocab(&self) -> &Vocab {
        &self.vocab
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            Kind::Bpe(_) => "byte-level BPE",
            Kind::Spm(_) => "SPM-BPE",
            Kind::Chars(_) => "BPE over characters",
        };
        write!(f, "Tokenizer({kind}, {} tokens)", self.vocab_size())
    }
}

/// The file's vocabulary, in which whatever ends a turn is a control token.
fn vocabulary(
    metadata: &Metadata,
    spelling: Spelling,
    add_bos: bool,
) -> Result<Vocab, TokenizerError> {
    let mut vocab = Vocab::from_metadata(metadata, spelling, add_bos)?;
    make_control(&mut vocab);
    Ok(vocab)
}
