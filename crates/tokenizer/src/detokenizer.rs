//! From a stream of ids to a stream of text, in whole characters.

use crate::{Tokenizer, TokenizerError};
use std::ops::Deref;

/// How ids become text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Show control tokens as their text.
    pub special: bool,
    /// The ids are the start of a text, not the continuation of a prompt: the space that SPM sets
    /// before the first word is taken off again.
    pub start_of_text: bool,
}

/// Holds back the bytes of a character until all of them have come.
///
/// It borrows its tokenizer or shares it (`&Tokenizer`, `Arc<Tokenizer>`).
#[derive(Debug)]
pub struct Detokenizer<T: Deref<Target = Tokenizer>> {
    tokenizer: T,
    special: bool,
    strip_space: bool,
    /// Bytes that may become a character.
    pending: Vec<u8>,
    text: String,
}

impl<T: Deref<Target = Tokenizer>> Detokenizer<T> {
    /// At the start of a stream.
    pub fn new(tokenizer: T, options: DecodeOptions) -> Detokenizer<T> {
        let strips =
            tokenizer.rules().map_or(tokenizer.vocab().add_space_prefix, |rules| rules.strip_space);
        let strip_space = options.start_of_text && strips;
        Detokenizer {
            tokenizer,
            special: options.special,
            strip_space,
            pending: Vec::new(),
            text: String::new(),
        }
    }

    /// The text that becomes certain with `id`; it may be empty. Bytes that can be no UTF-8 become
    /// U+FFFD.
    ///
    /// An id outside the vocabulary is an error and changes nothing, so the caller may pass over
    /// it.
    pub fn push(&mut self, id: u32) -> Result<&str, TokenizerError> {
        let vocab = self.tokenizer.vocab();
        if id as usize >= vocab.texts.len() {
            return Err(TokenizerError::UnknownId { id, vocab_size: vocab.texts.len() });
        }
        let held = self.pending.len();
        vocab.push_bytes(id, self.special, &mut self.pending);
        // Of the first token only, whatever it is: llama.cpp's rule. Hugging Face's decoders do not
        // see what is not shown.
        let is_first = self.pending.len() > held || self.tokenizer.rules().is_none();
        if is_first
            && std::mem::take(&mut self.strip_space)
            && self.pending.get(held) == Some(&b' ')
        {
            self.pending.remove(held);
        }
        self.text.clear();
        self.release();
        Ok(&self.text)
    }

    /// What was held back: U+FFFD if a character was left incomplete, otherwise nothing.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }

    /// Moves all that is certain from `pending` to `text`.
    fn release(&mut self) {
        let mut rest = self.pending.as_slice();
        loop {
            let (valid, broken) = match std::str::from_utf8(rest) {
                Ok(text) => (text.len(), Some(0)),
                Err(error) => (error.valid_up_to(), error.error_len()),
            };
            self.text += &String::from_utf8_lossy(&rest[..valid]);
            match broken {
                Some(0) => rest = &[],
                Some(length) => {
                    self.text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[valid + length..];
                    continue;
                }
                None => rest = &rest[valid..],
            }
            break;
        }
        let certain = self.pending.len() - rest.len();
        self.pending.drain(..certain);
    }
}
