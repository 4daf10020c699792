//! BPE over characters with merges by pair, and bytes for characters that are no token: what
//! SentencePiece models become in a `tokenizer.json`, by Hugging Face's rules. GGUF files of such
//! models have scores instead; see [`crate::spm`].

use crate::TokenizerError;
use crate::merge::{Merger, NO_ID, Symbol};
use crate::pairs::{Pairs, Repeated};
use crate::rules::Rules;
use crate::symbols::{Symbols, Unknown};
use crate::vocab::{TokenType, Vocab};
use pacemark_modelfile::Metadata;
use std::collections::BTreeSet;

/// The merges and what else the merging needs.
pub(crate) struct CharBpe {
    merges: Pairs,
    /// Ids of `<0x00>` to `<0xFF>`, or [`NO_ID`].
    byte_ids: [u32; 256],
    unknown: Unknown,
    ignore_merges: bool,
    /// Spaces become `▁` and cut the text before them (`Metaspace` with `split`).
    split_at_spaces: bool,
    /// Whether other texts may be cut too: not where a piece that is a token is taken whole, where
    /// `▁` is none, or where characters can be left out and what stands beside them merges.
    may_cut: bool,
    /// Characters that some token has before a `▁`: after them the text must not be cut for speed
    /// alone.
    joined_to_space: BTreeSet<char>,
}

impl CharBpe {
    /// Reads the merges; each must make a token of two.
    pub(crate) fn from_metadata(
        metadata: &Metadata,
        vocab: &Vocab,
        rules: &Rules,
    ) -> Result<CharBpe, TokenizerError> {
        let merges = Pairs::from_metadata(metadata, vocab, Repeated::Last)?;
        let mut byte_ids = [NO_ID; 256];
        for (byte, entry) in byte_ids.iter_mut().enumerate() {
            let id = vocab.id(&format!("<0x{byte:02X}>"));
            *entry =
                id.filter(|&id| vocab.token_type(id) == Some(TokenType::Byte)).unwrap_or(NO_ID);
        }
        let leaves_out = rules.unknown.id.is_none() && byte_ids.contains(&NO_ID);
        let mut joined_to_space = BTreeSet::new();
        for text in vocab.texts.iter() {
            let before =
                text.match_indices('▁').filter_map(|(at, _)| text[..at].chars().next_back());
            joined_to_space.extend(before);
        }
        Ok(CharBpe {
            merges,
            byte_ids,
            unknown: rules.unknown,
            ignore_merges: rules.ignore_merges,
            split_at_spaces: rules.split_at_spaces,
            may_cut: !rules.ignore_merges && !leaves_out && vocab.id("▁").is_some(),
            joined_to_space,
        })
    }

    /// Appends the tokens of `text`, in which `▁` stands for spaces.
    pub(crate) fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let mut merger = Merger::default();
        let mut symbols = Vec::new();
        self.cut(text, |piece| {
            if self.ignore_merges
                && let Some(id) = vocab.id(piece)
            {
                out.push(id);
                return;
            }
            self.lay_out(vocab, piece, &mut symbols);
            merger.run(&mut symbols, |left, right| self.merges.get(left.id, right.id));
            out.extend(symbols.iter().map(|symbol| symbol.id));
        });
    }

    /// Calls `piece` with the parts of `text` that are merged on their own: those that the rules
    /// cut, else words where no token reaches from one to the next, so that a prompt of 10 MB needs
    /// no heap of 10 MB.
    fn cut<'t>(&self, text: &'t str, mut piece: impl FnMut(&'t str)) {
        let mut start = 0;
        for (at, _) in text.match_indices('▁').filter(|&(at, _)| at > 0) {
            let joined = || {
                text[start..at]
                    .chars()
                    .next_back()
                    .is_some_and(|c| self.joined_to_space.contains(&c))
            };
            if self.split_at_spaces || self.may_cut && !joined() {
                piece(&text[start..at]);
                start = at;
            }
        }
        if start < text.len() {
            piece(&text[start..]);
        }
    }

    /// The symbols of a piece before any merge: a character's token, or one token a byte where all
    /// its bytes have one.
    fn lay_out(&self, vocab: &Vocab, piece: &str, symbols: &mut Vec<Symbol>) {
        let mut symbols = Symbols::new(symbols, self.unknown);
        let mut buffer = [0; 4];
        for c in piece.chars() {
            let text = c.encode_utf8(&mut buffer);
            let bytes = || text.bytes().map(|byte| self.byte_ids[usize::from(byte)]);
            if let Some(id) = vocab.id(text) {
                symbols.known(id);
            } else if bytes().all(|id| id != NO_ID) {
                bytes().for_each(|id| symbols.byte(id));
            } else {
                symbols.unknown();
            }
        }
        symbols.finish();
    }
}
