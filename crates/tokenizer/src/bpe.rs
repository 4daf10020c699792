//! Byte-level BPE (GPT-2's): a piece is its bytes at first, and the merges, earliest first, make
//! tokens of them.

use crate::merge::{Merger, NO_ID, Symbol};
use crate::pairs::{Pairs, Repeated};
use crate::pre::{PRE_TOKENIZERS, PreTokenizer};
use crate::rules::Rules;
use crate::symbols::{Symbols, Unknown};
use crate::vocab::Vocab;
use crate::{TokenizerError, bytes};
use pacemark_modelfile::{Metadata, ModelFileError};

const PRE: &str = "tokenizer.ggml.pre";

/// The merges and how to cut a text into pieces.
pub(crate) struct Bpe {
    pre: &'static PreTokenizer,
    merges: Pairs,
    byte_ids: [u32; 256],
    /// A piece that is a token as it stands is not merged.
    ignore_merges: bool,
    /// What a byte becomes that the vocabulary lacks; `None` is llama.cpp's rule.
    unknown: Option<Unknown>,
}

/// The pre-tokenizer that the file names.
pub(crate) fn pre_tokenizer(metadata: &Metadata) -> Result<&'static PreTokenizer, TokenizerError> {
    let name = metadata.opt_string(PRE)?.unwrap_or("default");
    PreTokenizer::named(name).ok_or_else(|| {
        let known: Vec<&str> = PRE_TOKENIZERS.iter().flat_map(|row| row.names).copied().collect();
        ModelFileError::invalid(
            metadata.file(),
            PRE,
            format!("one of {}", known.join(", ")),
            format!("{name:?}"),
        )
        .into()
    })
}

impl Bpe {
    /// Reads the merges; each must make a token of two.
    pub(crate) fn from_metadata(
        metadata: &Metadata,
        pre: &'static PreTokenizer,
        vocab: &Vocab,
        rules: Option<&Rules>,
    ) -> Result<Bpe, TokenizerError> {
        let repeated = if rules.is_some() { Repeated::Last } else { Repeated::First };
        let merges = Pairs::from_metadata(metadata, vocab, repeated)?;
        let byte_id =
            |byte| vocab.id(bytes::to_char(byte).encode_utf8(&mut [0; 4])).unwrap_or(NO_ID);
        let mut byte_ids = [NO_ID; 256];
        for byte in 0..=255 {
            byte_ids[usize::from(byte)] = byte_id(byte);
        }
        let ignore_merges = rules.map_or(pre.ignore_merges, |rules| rules.ignore_merges);
        Ok(Bpe { pre, merges, byte_ids, ignore_merges, unknown: rules.map(|rules| rules.unknown) })
    }

    /// Appends the tokens of `text`. A byte that the vocabulary lacks (SmolLM2 has none for some
    /// control characters) is passed over, as llama.cpp does; by Hugging Face's rules it may become
    /// the unknown token.
    pub(crate) fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let mut merger = Merger::default();
        let mut symbols = Vec::new();
        let mut spelled = String::new();
        self.pre.split(text, &mut |piece: &str| {
            if self.ignore_merges {
                spelled.clear();
                spelled.extend(piece.bytes().map(bytes::to_char));
                if let Some(id) = vocab.id(&spelled) {
                    out.push(id);
                    return;
                }
            }
            self.lay_out(piece, &mut symbols);
            merger.run(&mut symbols, |left, right| self.merges.get(left.id, right.id));
            out.extend(symbols.iter().map(|symbol| symbol.id).filter(|&id| id != NO_ID));
        });
    }

    /// The symbols of a piece before any merge.
    fn lay_out(&self, piece: &str, symbols: &mut Vec<Symbol>) {
        let ids = piece.bytes().map(|byte| self.byte_ids[usize::from(byte)]);
        let Some(unknown) = self.unknown else {
            symbols.clear();
            symbols.extend((0..).zip(ids).map(|(start, id)| Symbol { id, start, len: 1 }));
            return;
        };
        let mut symbols = Symbols::new(symbols, unknown);
        for id in ids {
            if id == NO_ID { symbols.unknown() } else { symbols.known(id) }
        }
        symbols.finish();
    }
}
