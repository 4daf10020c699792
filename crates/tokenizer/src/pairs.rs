//! Merges by pair: which two neighbouring tokens become which, and which merge comes first.

use crate::TokenizerError;
use crate::index::fold;
use crate::merge::Merge;
use crate::vocab::Vocab;
use pacemark_modelfile::{Metadata, ModelFileError};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

const MERGES: &str = "tokenizer.ggml.merges";

/// Which of two merges of the same pair counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// llama.cpp's rule.
    First,
    /// Hugging Face's.
    Last,
}

/// The merges by left and right id.
pub(crate) struct Pairs(HashMap<u64, Merge, PairHasher>);

impl Pairs {
    /// Reads the merges; each must make a token of two.
    pub(crate) fn from_metadata(
        metadata: &Metadata,
        vocab: &Vocab,
        repeated: Repeated,
    ) -> Result<Pairs, TokenizerError> {
        let list = metadata.strings(MERGES)?;
        let mut merges = HashMap::with_capacity_and_hasher(
            list.len(),
            PairHasher(RandomState::new().hash_one(0)),
        );
        let mut joined = String::new();
        for (rank, merge) in list.iter().enumerate() {
            let invalid = |expected: &str, found: String| {
                ModelFileError::invalid(
                    metadata.file(),
                    format!("{MERGES}[{rank}]"),
                    expected,
                    found,
                )
            };
            // The first character may itself be a space, so the one between the tokens is looked
            // for after it.
            let first = merge.chars().next().map_or(0, char::len_utf8);
            let Some(at) = merge[first..].find(' ').map(|at| at + first) else {
                return Err(
                    invalid("two tokens with a space between them", format!("{merge:?}")).into()
                );
            };
            let (left, right) = (&merge[..at], &merge[at + 1..]);
            joined.clear();
            joined.extend([left, right]);
            let id = |text: &str| {
                vocab.id(text).ok_or_else(|| {
                    invalid(
                        "tokens whose concatenation is a token",
                        format!("{merge:?}: {text:?} is no token"),
                    )
                })
            };
            let key = pair(id(left)?, id(right)?);
            let merge = Merge { priority: rank as u32, id: id(&joined)? };
            match repeated {
                Repeated::First => _ = merges.entry(key).or_insert(merge),
                Repeated::Last => _ = merges.insert(key, merge),
            }
        }
        Ok(Pairs(merges))
    }

    /// What two neighbours become.
    pub(crate) fn get(&self, left: u32, right: u32) -> Option<Merge> {
        self.0.get(&pair(left, right)).copied()
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
