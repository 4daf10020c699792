//! From a token's text to its id.
//!
//! An open-addressing table over the vocabulary's own buffer: no string is copied, and a slot holds
//! half of the hash beside the id, so that looking up a text that is no token (the common case
//! while merging) rarely touches the texts.

use pacemark_modelfile::Strings;
use std::hash::{BuildHasher, Hasher, RandomState};

const EMPTY: u64 = u64::MAX;

/// Maps texts to ids.
pub(crate) struct TextIndex {
    /// Upper half: upper half of the hash; lower half: the id.
    slots: Vec<u64>,
    seed: u64,
}

/// Two ids with one text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Duplicate {
    pub first: u32,
    pub second: u32,
}

impl TextIndex {
    /// Indexes `texts`; empty ones have no entry.
    pub(crate) fn new(texts: &Strings) -> Result<TextIndex, Duplicate> {
        // A random seed, so that no file can be crafted whose texts all collide.
        let seed = RandomState::new().build_hasher().finish();
        let size = (texts.len() * 2).next_power_of_two().max(2);
        let mut index = TextIndex { slots: vec![EMPTY; size], seed };
        for (id, text) in texts.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            let hash = hash(seed, text.as_bytes());
            match index.find(texts, text.as_bytes(), hash) {
                Ok(first) => return Err(Duplicate { first, second: id as u32 }),
                Err(slot) => index.slots[slot] = hash >> 32 << 32 | id as u64,
            }
        }
        Ok(index)
    }

    /// The id of `text`. `texts` must be the list the index was made from.
    pub(crate) fn get(&self, texts: &Strings, text: &[u8]) -> Option<u32> {
        self.find(texts, text, hash(self.seed, text)).ok()
    }

    /// The id of `text`, or the slot where it belongs.
    fn find(&self, texts: &Strings, text: &[u8], hash: u64) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let entry = self.slots[slot];
            if entry == EMPTY {
                return Err(slot);
            }
            let id = entry as u32;
            if entry >> 32 == hash >> 32
                && texts.get(id as usize).is_some_and(|t| t.as_bytes() == text)
            {
                return Ok(id);
            }
            slot = (slot + 1) & mask; // ends: at most half of the slots are taken
        }
    }
}

/// One step of the hash: the halves of a 64 × 64 → 128 bit product, together.
pub(crate) fn fold(word: u64) -> u64 {
    let product = u128::from(word) * 0x9e37_79b9_7f4a_7c15;
    product as u64 ^ (product >> 64) as u64
}

/// Eight bytes at a time, each folded into the state (the idea of wyhash).
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ bytes.len() as u64;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = fold(state ^ u64::from_le_bytes(word.try_into().unwrap_or_default()));
    }
    let tail = words.remainder().iter().rev().fold(0, |tail, &byte| tail << 8 | u64::from(byte));
    fold(fold(state ^ tail) ^ seed.rotate_left(32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_text_and_no_other() {
        let texts: Strings = (0..5000).map(|i| format!("token number {i}")).collect();
        let index = TextIndex::new(&texts).unwrap();
        for (id, text) in texts.iter().enumerate() {
            assert_eq!(index.get(&texts, text.as_bytes()), Some(id as u32));
        }
        assert_eq!(index.get(&texts, b"token number 5000"), None);
        assert_eq!(index.get(&texts, b""), None);
    }

    #[test]
    fn says_which_texts_are_the_same() {
        let texts: Strings = ["a", "", "b", "", "a"].into_iter().collect();
        assert_eq!(TextIndex::new(&texts).err(), Some(Duplicate { first: 0, second: 4 }));
        assert!(
            TextIndex::new(&Strings::default())
                .is_ok_and(|index| index.get(&texts, b"a").is_none())
        );
    }
}
