//! One connection's conversation as it goes by: what was said, what is owed, whose turn it is.
//! Relay and gate see the same bytes, so both keep one; it is told bytes and instants and reads no
//! clock. Whoever moves the bytes is `bridge`.

use crate::away::{Away, ns};
use crate::protocol::{Answer, Command, Fault, Framing, Mark};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// llama.cpp waits for each answer; this many are owed to nobody who is honest.
const MOST_OWED: usize = 1024;

/// What is counted; cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
    pub(crate) commands: u64,
    pub(crate) round_trips: u64,
    pub(crate) graphs: u64,
    pub(crate) turn_ns: u64,
    pub(crate) computing_ns: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
        self.commands += other.commands;
        self.round_trips += other.round_trips;
        self.graphs += other.graphs;
        self.turn_ns += other.turn_ns;
        self.computing_ns += other.computing_ns;
    }
}

/// A connection's conversation.
#[derive(Debug)]
pub(crate) struct Conversation {
    commands: Framing,
    answers: Framing,
    owed: VecDeque<Command>,
    /// Commands of a graph since the last answer.
    graph_pending: bool,
    /// The worker has its turn.
    turn_since: Option<Instant>,
    computing_since: Option<Instant>,
    /// When bytes were last handed to the worker.
    sent_on: Option<Instant>,
    hello_since: Option<Instant>,
    away: Arc<Away>,
    counts: Counts,
}

impl Conversation {
    pub(crate) fn new(away: Arc<Away>) -> Conversation {
        Conversation {
            commands: Framing::of_commands(),
            answers: Framing::of_answers(),
            owed: VecDeque::new(),
            graph_pending: false,
            turn_since: None,
            computing_since: None,
            sent_on: None,
            hello_since: None,
            away,
            counts: Counts::default(),
        }
    }

    /// Bytes of the caller's, read at `at` and not yet handed on.
    pub(crate) fn sent(&mut self, bytes: &[u8], at: Instant) -> Result<(), Fault> {
        self.counts.sent_bytes += bytes.len() as u64;
        let mut commands = self.commands;
        let outcome = commands.feed(bytes, |mark| self.command(mark, at));
        self.commands = commands;
        outcome
    }

    /// They were handed to the worker.
    pub(crate) fn sent_on(&mut self, at: Instant) {
        self.sent_on = Some(at);
    }

    /// Bytes of the worker's, read at `at` and not yet handed on. A turn ends here and not when they
    /// have been handed on: the caller runs by then, and may keep this thread from telling so.
    pub(crate) fn received(&mut self, bytes: &[u8], at: Instant) -> Result<(), Fault> {
        self.counts.received_bytes += bytes.len() as u64;
        let mut answers = self.answers;
        let outcome = answers.feed(bytes, |mark| self.answer(mark, at));
        self.answers = answers;
        outcome
    }

    fn command(&mut self, mark: Mark, at: Instant) -> Result<(), Fault> {
        let (Mark::Started(byte) | Mark::Sized(byte, _) | Mark::Ended(byte, _)) = mark;
        let command = Command::from_byte(byte).ok_or(Fault::UnknownCommand(byte))?;
        match mark {
            Mark::Started(_) if command.begins_turn() => self.begin_turn(at),
            Mark::Started(_) | Mark::Sized(..) => {}
            Mark::Ended(..) => self.commanded(command, at)?,
        }
        Ok(())
    }

    /// A command's last byte has come.
    fn commanded(&mut self, command: Command, at: Instant) -> Result<(), Fault> {
        self.counts.commands += 1;
        if command.is_graph() {
            self.counts.graphs += 1;
            self.graph_pending = true;
        }
        let answered = command.answer() != Answer::None;
        if answered {
            if self.owed.len() == MOST_OWED {
                return Err(Fault::TooManyOwed(MOST_OWED));
            }
            self.owed.push_back(command);
        }
        if command == Command::Hello {
            self.hello_since.get_or_insert(at);
        }
        if (answered || command.is_graph()) && self.turn_since.is_some() {
            self.computing_since.get_or_insert(at);
        }
        Ok(())
    }

    fn answer(&mut self, mark: Mark, at: Instant) -> Result<(), Fault> {
        let command = *self.owed.front().ok_or(Fault::Unasked)?;
        match mark {
            Mark::Started(_) => {
                if let Some(since) = self.computing_since.take() {
                    self.counts.computing_ns += ns(since, at);
                }
                self.graph_pending = false;
            }
            Mark::Sized(_, found) => match command.answer() {
                Answer::Bytes(expected) if expected != found => {
                    return Err(Fault::AnswerSize { command, expected, found });
                }
                _ => {}
            },
            Mark::Ended(..) => {
                self.owed.pop_front();
                self.counts.round_trips += 1;
                if command == Command::Hello {
                    self.hello_since = None;
                }
                if !self.owed.is_empty() {
                    // The worker goes on with the next that is owed.
                    self.computing_since = self.turn_since.map(|_| at);
                } else if let Some(since) = self.turn_since {
                    self.end_turn(since, at);
                }
            }
        }
        Ok(())
    }

    fn begin_turn(&mut self, at: Instant) {
        if self.turn_since.is_none() {
            self.turn_since = Some(at);
            self.away.begin(at);
        }
    }

    fn end_turn(&mut self, since: Instant, at: Instant) {
        self.counts.turn_ns += ns(since, at);
        self.away.end(at);
        self.turn_since = None;
    }

    /// Ends a turn in which the worker owes nothing, where its last byte was handed on: tensors
    /// that were set, and no word of a graph. What the caller does until its next command would
    /// otherwise be the worker's.
    pub(crate) fn settle(&mut self) {
        if let Some(since) = self.turn_since
            && self.owed.is_empty()
            && !self.graph_pending
            && !self.commands.is_within()
        {
            self.end_turn(since, self.sent_on.map_or(since, |at| at.max(since)));
        }
    }

    /// Ends what is open: the connection is gone.
    pub(crate) fn close(&mut self, at: Instant) -> Counts {
        self.settle();
        if let Some(since) = self.turn_since {
            self.end_turn(since, at);
        }
        if let Some(since) = self.computing_since.take() {
            self.counts.computing_ns += ns(since, at);
        }
        self.counts
    }

    /// What was counted until `now`, open turns included.
    pub(crate) fn counts(&self, now: Instant) -> Counts {
        let mut counts = self.counts;
        counts.turn_ns += self.turn_since.map_or(0, |since| ns(since, now));
        counts.computing_ns += self.computing_since.map_or(0, |since| ns(since, now));
        counts
    }

    /// Since when a HELLO has waited for its answer.
    pub(crate) fn hello_since(&self) -> Option<Instant> {
        self.hello_since
    }

    /// Where the conversation stands, as the end of a sentence about its end.
    pub(crate) fn phase(&self) -> String {
        let after = if self.graph_pending { ", after a graph to compute," } else { "" };
        if let Some(command) = self.owed.front() {
            return match self.answers.is_within() {
                true => format!("in the middle of its answer to {command}"),
                false => format!("while an answer to {command}{after} was awaited"),
            };
        }
        match self.commands.command().and_then(Command::from_byte) {
            Some(command) => format!("in the middle of {command}"),
            None if self.graph_pending => "while it had a graph to compute".to_owned(),
            None => "between two commands, with the connection still in use".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
