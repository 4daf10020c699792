//! The first symbols of a piece as Hugging Face's BPE lays them out: what to do with a character
//! that is no token.

use crate::merge::Symbol;

/// What stands for a character without a token.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unknown {
    /// The unknown token; without one the character is left out, and its neighbours may merge.
    pub id: Option<u32>,
    /// One for all that follow each other.
    pub fuse: bool,
}

/// Collects the symbols of a piece. Merges are by id alone, so a symbol's place is its number.
pub(crate) struct Symbols<'a> {
    symbols: &'a mut Vec<Symbol>,
    unknown: Unknown,
    /// Whether an unknown token is still to be written.
    waiting: bool,
}

impl<'a> Symbols<'a> {
    /// Of a new piece.
    pub(crate) fn new(symbols: &'a mut Vec<Symbol>, unknown: Unknown) -> Symbols<'a> {
        symbols.clear();
        Symbols { symbols, unknown, waiting: false }
    }

    fn add(&mut self, id: u32) {
        self.symbols.push(Symbol { id, start: self.symbols.len() as u32, len: 1 });
    }

    fn flush(&mut self) {
        if std::mem::take(&mut self.waiting)
            && let Some(id) = self.unknown.id
        {
            self.add(id);
        }
    }

    /// A character that is a token.
    pub(crate) fn known(&mut self, id: u32) {
        self.flush();
        self.add(id);
    }

    /// A byte of a character that is none. An unknown token that waits stays behind it, as it does
    /// there.
    pub(crate) fn byte(&mut self, id: u32) {
        self.add(id);
    }

    /// A character that is nothing.
    pub(crate) fn unknown(&mut self) {
        if !self.unknown.fuse {
            self.flush();
        }
        self.waiting = self.unknown.id.is_some();
    }

    /// Writes what waits.
    pub(crate) fn finish(mut self) {
        self.flush();
    }
}
