//! Byte-level BPE (GPT-2's): a piece is its bytes at first, and the merges, earliest first, make tokens of them.

use crate::index::fold;
use crate::merge::{Merge, Merger, NO_ID, Symbol};
use crate::pre::{PRE_TOKENIZERS, PreTokenizer};
use crate::vocab::Vocab;
use crate::{TokenizerError, bytes};
use pacemark_modelfile::{Metadata, ModelFileError};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

const PRE: &str = "tokenizer.ggml.pre";
const MERGES: &str = "tokenizer.ggml.merges";

/// The merges and how to cut a text into pieces.
pub struct Bpe {
    pre: &'static PreTokenizer,
    /// By left and right id, see [`pair`].
    merges: HashMap<u64, Merge, PairHasher>,
    byte_ids: [u32; 256],
}

/// The pre-tokenizer that the file names.
pub fn pre_tokenizer(metadata: &Metadata) -> Result<&'static PreTokenizer, TokenizerError> {
    let name = metadata.opt_string(PRE)?.unwrap_or("default");
    PreTokenizer::named(name).ok_or_else(|| {
        let known: Vec<&str> = PRE_TOKENIZERS.iter().flat_map(|row| row.names).copied().collect();
        ModelFileError::invalid(metadata.file(), PRE, format!("one of {}", known.join(", ")), format!("{name:?}"))
            .into()
    })
}

impl Bpe {
    /// Reads the merges; each must make a token of two.
    pub fn from_metadata(
        metadata: &Metadata,
        pre: &'static PreTokenizer,
        vocab: &Vocab,
    ) -> Result<Bpe, TokenizerError> {
        let list = metadata.strings(MERGES)?;
        let mut merges = HashMap::with_capacity_and_hasher(list.len(), PairHasher(RandomState::new().hash_one(0)));
        let mut joined = String::new();
        for (rank, merge) in list.iter().enumerate() {
            let invalid = |expected: &str, found: String| {
                ModelFileError::invalid(metadata.file(), format!("{MERGES}[{rank}]"), expected, found)
            };
            // The first character may itself be a space, so the one between the tokens is looked for after it.
            let first = merge.chars().next().map_or(0, char::len_utf8);
            let Some(at) = merge[first..].find(' ').map(|at| at + first) else {
                return Err(invalid("two tokens with a space between them", format!("{merge:?}")).into());
            };
            let (left, right) = (&merge[..at], &merge[at + 1..]);
            joined.clear();
            joined.extend([left, right]);
            let id = |text: &str| {
                vocab.id(text).ok_or_else(|| {
                    invalid("tokens whose concatenation is a token", format!("{merge:?}: {text:?} is no token"))
                })
            };
            let key = pair(id(left)?, id(right)?);
            // Of equal pairs the first counts.
            merges.entry(key).or_insert(Merge { priority: rank as u32, id: id(&joined)? });
        }
        let byte_id = |byte| vocab.id(bytes::to_char(byte).encode_utf8(&mut [0; 4])).unwrap_or(NO_ID);
        let mut byte_ids = [NO_ID; 256];
        for byte in 0..=255 {
            byte_ids[usize::from(byte)] = byte_id(byte);
        }
        Ok(Bpe { pre, merges, byte_ids })
    }

    /// Appends the tokens of `text`. A byte that the vocabulary lacks (SmolLM2 has none for some control characters) is
    /// passed over, as llama.cpp and Hugging Face's tokenizers do.
    pub fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let mut merger = Merger::default();
        let mut symbols = Vec::new();
        let mut spelled = String::new();
        self.pre.split(text, &mut |piece: &str| {
            if self.pre.ignore_merges {
                spelled.clear();
                spelled.extend(piece.bytes().map(bytes::to_char));
                if let Some(id) = vocab.id(&spelled) {
                    out.push(id);
                    return;
                }
            }
            let symbol = |(start, byte)| Symbol { id: self.byte_ids[usize::from(byte)], start, len: 1 };
            symbols.clear();
            symbols.extend((0..).zip(piece.bytes()).map(symbol));
            merger.run(&mut symbols, |left, right| self.merges.get(&pair(left.id, right.id)).copied());
            out.extend(symbols.iter().map(|symbol| symbol.id).filter(|&id| id != NO_ID));
        });
    }
}

fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// Hashes one `u64`: the table is asked a few times for every byte of a prompt.
#[derive(Clone, Copy)]
struct PairHasher(u64);

impl BuildHasher for PairHasher {
    type Hasher = PairHasher;

    fn build_hasher(&self) -> PairHasher {
        *self
    }
}

impl Hasher for PairHasher {
    fn write_u64(&mut self, key: u64) {
        self.0 = fold(fold(self.0 ^ key) ^ self.0);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
