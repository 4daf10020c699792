//! An answer's text, as it comes, taken apart into what is said and what is called.

use super::fence::{self, Opening};
use super::head::{Head, read};
use super::tracker::Tracker;
use super::{CLOSE_TAG, ToolParsing};

const OPEN_TAG: &str = "<tool_call>";
const PYTHON_TAG: &str = "<|python_tag|>";

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Something said.
    Text(String),
    /// A call begins, of the function of this name.
    Call(String),
    /// More of the last call's arguments.
    Arguments(String),
}

#[derive(Debug)]
enum State {
    /// At the start of an answer, which may be a call without tags.
    Opening,
    /// What is said; with tags, until one opens.
    Text,
    /// Between calls that stand without tags, or before the first.
    Between,
    /// In a call whose name or arguments are not known yet.
    Head,
    /// In the arguments.
    Arguments(Tracker),
    /// In what follows them in their object.
    Tail(Tracker),
    /// Until this closes the call.
    Closing(&'static str),
    /// All the rest is said.
    Said,
    /// All the rest is arguments.
    Raw,
}

/// Takes an answer apart.
#[derive(Debug)]
pub(crate) struct Scanner {
    parsing: ToolParsing,
    state: State,
    /// What opened the call in whose head this is, and what closes it.
    opened: String,
    close: &'static str,
    /// Text that is not certain to mean anything yet.
    pending: String,
    n_calls: usize,
}

impl Scanner {
    /// A scanner for one answer.
    pub(crate) fn new(parsing: ToolParsing) -> Scanner {
        let state = match parsing {
            ToolParsing::Tagged => State::Opening,
            ToolParsing::Bare | ToolParsing::Array => State::Between,
            ToolParsing::Named(_) => State::Raw,
        };
        Scanner {
            parsing,
            state,
            opened: String::new(),
            close: CLOSE_TAG,
            pending: String::new(),
            n_calls: 0,
        }
    }

    /// Calls begun so far.
    pub(crate) fn n_calls(&self) -> usize {
        self.n_calls
    }

    /// More text; the parts that it makes certain.
    pub(crate) fn feed(&mut self, text: &str) -> Vec<Piece> {
        self.pending.push_str(text);
        let mut pieces = Vec::new();
        while !self.pending.is_empty() && self.step(&mut pieces) {}
        pieces
    }

    /// The answer has ended; what is left of it.
    pub(crate) fn finish(&mut self) -> Vec<Piece> {
        let rest = std::mem::take(&mut self.pending);
        let said = match (&self.state, &self.parsing) {
            (State::Head, ToolParsing::Tagged) => format!("{}{rest}", self.opened),
            // All is calls: the beginning of one that was cut off is nothing said.
            (State::Head, ToolParsing::Array) if self.n_calls > 0 => String::new(),
            (State::Opening | State::Head | State::Text | State::Said, _) => rest,
            (State::Between, _) if self.n_calls == 0 => rest,
            _ => String::new(),
        };
        if said.is_empty() || (self.n_calls > 0 && said.trim().is_empty()) {
            Vec::new()
        } else {
            vec![Piece::Text(said)]
        }
    }

    /// Goes on with what is pending; false if more is needed.
    fn step(&mut self, pieces: &mut Vec<Piece>) -> bool {
        match &mut self.state {
            State::Said => {
                pieces.push(Piece::Text(std::mem::take(&mut self.pending)));
                false
            }
            State::Raw => {
                if self.n_calls == 0
                    && let ToolParsing::Named(name) = &self.parsing
                {
                    pieces.push(Piece::Call(name.clone()));
                    self.n_calls = 1;
                }
                pieces.push(Piece::Arguments(std::mem::take(&mut self.pending)));
                false
            }
            State::Opening => self.opening(),
            State::Text => self.text(pieces),
            State::Between => self.between(),
            State::Head => self.head(pieces),
            State::Arguments(tracker) => {
                let end = tracker.run(&self.pending);
                let arguments: String =
                    self.pending.drain(..end.unwrap_or(self.pending.len())).collect();
                if !arguments.is_empty() {
                    pieces.push(Piece::Arguments(arguments));
                }
                if end.is_some() {
                    self.state = State::Tail(Tracker::inside());
                }
                end.is_some()
            }
            State::Tail(tracker) => {
                let end = tracker.run(&self.pending);
                self.pending.drain(..end.unwrap_or(self.pending.len()));
                if end.is_some() {
                    self.state = self.behind_call();
                }
                end.is_some()
            }
            State::Closing(close) => match self.pending.find(*close) {
                Some(at) => {
                    self.pending.drain(..at + close.len());
                    // Who begins without tags goes on so.
                    self.state = if *close == CLOSE_TAG { State::Text } else { State::Opening };
                    true
                }
                None => false,
            },
        }
    }

    fn behind_call(&self) -> State {
        if self.parsing == ToolParsing::Tagged {
            State::Closing(self.close)
        } else {
            State::Between
        }
    }

    /// The next call without tags, or something said.
    fn opening(&mut self) -> bool {
        match fence::read(&self.pending) {
            Opening::Unclear => return false,
            Opening::Said => (self.state, self.close) = (State::Text, CLOSE_TAG),
            Opening::Call(at, close) => {
                self.opened = self.pending.drain(..at).collect();
                (self.state, self.close) = (State::Head, close);
            }
        }
        true
    }

    /// With tags: says what comes before the next one.
    fn text(&mut self, pieces: &mut Vec<Piece>) -> bool {
        let open = self.pending.find(OPEN_TAG);
        let certain = match open {
            Some(at) => at,
            None => {
                let begun = (1..OPEN_TAG.len())
                    .rev()
                    .find(|n| self.pending.ends_with(&OPEN_TAG[..*n]))
                    .unwrap_or(0);
                self.pending.len() - begun
            }
        };
        // Space before a tag belongs to nobody, so it waits for what follows.
        let said = self.pending[..certain].trim_end().len();
        if said > 0 {
            pieces.push(Piece::Text(self.pending[..said].to_string()));
        }
        match open {
            Some(at) => {
                let inside = self.pending[at + OPEN_TAG.len()..].trim_start().len();
                self.pending.drain(..self.pending.len() - inside);
                self.opened = OPEN_TAG.into();
                self.state = State::Head;
            }
            None => drop(self.pending.drain(..said)),
        }
        open.is_some()
    }

    /// Without tags: the next call, or something said.
    fn between(&mut self) -> bool {
        let separators: &[char] = match self.parsing {
            ToolParsing::Array => &['[', ',', ']'],
            _ if self.n_calls > 0 => &[';', ','],
            _ => &[],
        };
        let rest =
            self.pending.trim_start_matches(|c: char| c.is_whitespace() || separators.contains(&c));
        let rest = rest.strip_prefix(PYTHON_TAG).unwrap_or(rest);
        if rest.is_empty() || PYTHON_TAG.starts_with(rest) {
            return false;
        }
        if rest.starts_with('{') {
            self.pending.drain(..self.pending.len() - rest.len());
            self.state = State::Head;
        } else {
            self.state = State::Said;
        }
        true
    }

    fn head(&mut self, pieces: &mut Vec<Piece>) -> bool {
        if self.parsing == ToolParsing::Tagged {
            let space = self.pending.len() - self.pending.trim_start().len();
            self.pending.drain(..space);
        }
        let head = match self.pending.bytes().next() {
            None => Head::Unclear,
            Some(b'{') => read(&self.pending),
            Some(_) => Head::NoCall,
        };
        match head {
            Head::Unclear => return false,
            Head::Arguments { name, at } => {
                pieces.push(Piece::Call(name));
                self.pending.drain(..at);
                self.state = State::Arguments(Tracker::default());
                self.n_calls += 1;
            }
            Head::Whole { name, arguments, end } => {
                pieces.extend([Piece::Call(name), Piece::Arguments(arguments)]);
                self.pending.drain(..end);
                self.state = self.behind_call();
                self.n_calls += 1;
            }
            Head::NoCall => {
                if self.parsing == ToolParsing::Tagged {
                    self.pending.insert_str(0, &self.opened);
                }
                self.state = State::Said;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
