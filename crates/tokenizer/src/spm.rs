//! SPM-BPE (SentencePiece's, as llama.cpp runs it): a text is its characters at first; neighbours
//! whose concatenation is a token are merged, the best score first; a character that is no token
//! becomes its bytes.

use crate::TokenizerError;
use crate::merge::{Merge, Merger, NO_ID, Symbol};
use crate::vocab::{Vocab, expect_one_each};
use pacemark_modelfile::{Metadata, ModelFileError};
use std::collections::BTreeSet;

const SCORES: &str = "tokenizer.ggml.scores";

/// Scores and what else the merging needs.
pub(crate) struct Spm {
    /// By id: lower is merged earlier.
    priorities: Vec<u32>,
    /// Bytes of the longest token.
    max_len: u32,
    /// Characters that some token has before a `▁`: after them the text must not be cut.
    joined_to_space: BTreeSet<char>,
    /// Ids of `<0x00>` to `<0xFF>`.
    byte_ids: [u32; 256],
}

impl Spm {
    /// Reads the scores. Where byte tokens are missing, there must be an unknown token.
    pub(crate) fn from_metadata(metadata: &Metadata, vocab: &Vocab) -> Result<Spm, TokenizerError> {
        let scores = metadata.f32s(SCORES)?;
        expect_one_each(metadata, SCORES, scores.len(), vocab.texts.len())?;
        let mut byte_ids = [NO_ID; 256];
        for (byte, id) in byte_ids.iter_mut().enumerate() {
            let text = format!("<0x{byte:02X}>");
            *id = match vocab.id(&text).or(vocab.unknown) {
                Some(id) => id,
                None => {
                    let (field, expected) =
                        (crate::vocab::TOKENS, format!("{text}, or an unknown token"));
                    return Err(ModelFileError::invalid(
                        metadata.file(),
                        field,
                        expected,
                        "neither",
                    )
                    .into());
                }
            };
        }
        let mut joined_to_space = BTreeSet::new();
        for text in vocab.texts.iter() {
            let before =
                text.match_indices('▁').filter_map(|(at, _)| text[..at].chars().next_back());
            joined_to_space.extend(before);
        }
        let max_len = vocab.texts.iter().map(str::len).max().unwrap_or(0) as u32;
        Ok(Spm {
            priorities: scores.iter().copied().map(priority).collect(),
            max_len,
            joined_to_space,
            byte_ids,
        })
    }

    /// Appends the tokens of `text`, before which a space is set if `prefix` says so.
    pub(crate) fn encode(&self, vocab: &Vocab, text: &str, prefix: bool, out: &mut Vec<u32>) {
        let mut spaced = String::with_capacity(text.len() + text.len() / 2);
        if prefix {
            spaced.push('▁');
        }
        for (n, word) in text.split(' ').enumerate() {
            if n > 0 {
                spaced.push('▁');
            }
            spaced.push_str(word);
        }
        let mut merger = Merger::default();
        let mut symbols = Vec::new();
        self.cut(&spaced, |piece| {
            symbols.clear();
            symbols.extend(piece.char_indices().map(|(start, c)| Symbol {
                id: NO_ID,
                start: start as u32,
                len: c.len_utf8() as u32,
            }));
            merger.run(&mut symbols, |left, right| self.merge(vocab, piece, left, right));
            for symbol in &symbols {
                self.push(vocab, symbol, piece, out);
            }
        });
    }

    /// Calls `piece` with parts of `text` that can be merged on their own, since no token reaches
    /// from one to the next: words, for the vocabularies that there are. Short pieces are what
    /// keeps a prompt of 10 MB from needing a heap of 10 MB.
    fn cut<'t>(&self, text: &'t str, mut piece: impl FnMut(&'t str)) {
        let mut start = 0;
        for (at, _) in text.match_indices('▁') {
            if text[start..at]
                .chars()
                .next_back()
                .is_some_and(|before| !self.joined_to_space.contains(&before))
            {
                piece(&text[start..at]);
                start = at;
            }
        }
        if start < text.len() {
            piece(&text[start..]);
        }
    }

    fn merge(&self, vocab: &Vocab, piece: &str, left: Symbol, right: Symbol) -> Option<Merge> {
        let len = left.len + right.len;
        if len > self.max_len {
            return None;
        }
        let text = &piece.as_bytes()[left.start as usize..][..len as usize];
        let id = vocab.index.get(&vocab.texts, text)?;
        Some(Merge { priority: self.priorities[id as usize], id })
    }

    /// What a symbol becomes: its token, the token of its character, or one token a byte.
    fn push(&self, vocab: &Vocab, symbol: &Symbol, piece: &str, out: &mut Vec<u32>) {
        let text = &piece.as_bytes()[symbol.start as usize..][..symbol.len as usize];
        if symbol.id != NO_ID {
            out.push(symbol.id);
        } else if let Some(id) = vocab.index.get(&vocab.texts, text) {
            out.push(id);
        } else {
            out.extend(text.iter().map(|&byte| self.byte_ids[usize::from(byte)]));
        }
    }
}

/// A number that is the lower the higher the score is; equal for the two zeros.
fn priority(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::priority;

    #[test]
    fn higher_scores_come_first() {
        let scores = [f32::INFINITY, 7.5, 1e-30, 0.0, -1e-30, -1.0, -1000.0, f32::NEG_INFINITY];
        assert!(scores.map(priority).is_sorted_by(|a, b| a < b));
        assert_eq!(priority(0.0), priority(-0.0));
    }
}
