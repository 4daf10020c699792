//! Which source of prompts a row has.

use super::{LoadPlan, Share};
use crate::prompt::{
    Arrived, Cache, Listed, ListedOptions, PromptError, Replay, Source, Synthetic,
    SyntheticOptions, Talk, Talks, Verified,
};
use crate::{Endpoint, Lengths};

/// Tokens of answers to made-up prompts, where nothing else is said.
const ANSWER: Lengths = Lengths::Fixed(64);

/// What is sent.
#[derive(Clone, Debug)]
pub struct Prompts {
    /// Where prompts come from.
    pub origin: Origin,
    /// Tokens of those that are made up.
    pub input: Lengths,
    /// Tokens of answers; [`None`] for what the source says.
    pub answers: Option<Answers>,
    /// What of them the server may know.
    pub cache: Cache,
    /// Requests of a conversation.
    pub turns: u32,
    /// Token ids are sent, not text.
    pub ids: bool,
    /// Decides lengths and arrivals.
    pub seed: u64,
}

/// Where prompts come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Words at random.
    Synthetic,
    /// Conversations of the file of that name.
    Listed {
        /// Its name.
        file: String,
        /// What it holds.
        talks: Vec<Talk>,
        /// Entries that hold nothing to send.
        skipped: u64,
    },
    /// A recorded load of the file of that name.
    Trace {
        /// Its name.
        file: String,
        /// What it holds.
        arrived: Vec<Arrived>,
    },
}

impl Origin {
    /// Conversations that were read.
    pub fn listed(file: String, Talks { talks, skipped }: Talks) -> Origin {
        Origin::Listed { file, talks, skipped }
    }

    /// What of it a share has: entries in turn.
    pub fn shared(self, share: Share) -> Origin {
        fn own<T>(entries: Vec<T>, share: Share) -> Vec<T> {
            let own = entries.into_iter().enumerate().filter(|(i, _)| share.has(*i));
            own.map(|(_, entry)| entry).collect()
        }
        match self {
            Origin::Synthetic => Origin::Synthetic,
            Origin::Listed { file, talks, skipped } => {
                Origin::Listed { file, talks: own(talks, share), skipped }
            }
            Origin::Trace { file, arrived } => Origin::Trace { file, arrived: own(arrived, share) },
        }
    }

    /// Entries that there are to send; [`None`] where prompts are made up.
    pub fn entries(&self) -> Option<usize> {
        match self {
            Origin::Synthetic => None,
            Origin::Listed { talks, .. } => Some(talks.len()),
            Origin::Trace { arrived, .. } => Some(arrived.len()),
        }
    }

    /// The file they are of.
    pub fn file(&self) -> Option<&str> {
        match self {
            Origin::Synthetic => None,
            Origin::Listed { file, .. } | Origin::Trace { file, .. } => Some(file),
        }
    }
}

/// Lengths of answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answers {
    /// As the model ends them.
    Any,
    /// Exactly.
    Exact(Lengths),
}

impl Answers {
    /// `any` or lengths.
    pub fn parse(text: &str) -> Result<Answers, String> {
        if text == "any" { Ok(Answers::Any) } else { text.parse().map(Answers::Exact) }
    }
}

/// What a row sends.
pub(super) struct Wanted {
    pub source: Box<dyn Source>,
    /// Of a trace: when each session is due.
    pub arrivals: Option<Vec<u64>>,
    /// Something says how long answers are to be: the plan, or the file.
    pub given_lengths: bool,
}

impl Prompts {
    /// Entries of the file that hold nothing to send.
    pub(super) fn skipped(&self) -> u64 {
        match self.origin {
            Origin::Listed { skipped, .. } => skipped,
            Origin::Synthetic | Origin::Trace { .. } => 0,
        }
    }

    /// What a reader should know of the prompts that were sent.
    pub(super) fn notes(&self, given_lengths: bool, lengths: Verified) -> Vec<String> {
        let Verified { checked, wrong, .. } = lengths;
        let skipped = self.skipped();
        let mut notes = Vec::new();
        if !given_lengths {
            notes.push(
                "nothing says how long answers are to be: they are as long as the server makes them (--output-tokens N)"
                    .to_owned(),
            );
        }
        if skipped > 0 {
            notes.push(format!(
                "{skipped} entries of the file hold nothing that a user says; they were skipped"
            ));
        }
        if wrong > 0 {
            notes.push(format!(
                "{wrong} of {checked} prompts that were encoded again are not as long as they were made to be"
            ));
        }
        notes
    }
}

impl LoadPlan {
    /// The source of row number `row`, whose prompts are others than those of the row before.
    pub(super) fn wanted(&self, row: u64) -> Result<Wanted, PromptError> {
        let Prompts { ref origin, input, answers, cache, turns, ids, seed } = self.prompts;
        let special = self.settings.endpoint == Endpoint::Completions;
        let output = match (answers, origin) {
            (Some(Answers::Any), _) | (None, Origin::Listed { .. }) => None,
            (Some(Answers::Exact(lengths)), _) => Some(lengths),
            (None, Origin::Synthetic | Origin::Trace { .. }) => Some(ANSWER),
        };
        let nonce = if cache == Cache::Warm { seed } else { self.nonce.wrapping_add(row) };
        let encoder = self.counter.encoder.clone();
        let options = SyntheticOptions { input, output, cache, turns, ids, special, seed, nonce };
        let (source, arrivals, given_lengths): (Box<dyn Source>, _, _) = match origin {
            Origin::Synthetic => (Box::new(Synthetic::new(options, encoder)?), None, true),
            Origin::Trace { arrived, .. } => {
                let words = Synthetic::new(options, encoder.clone())?;
                let arrivals = arrived.iter().map(|arrived| arrived.at_ns).collect();
                let source = Replay::new(arrived.clone(), output, words, encoder);
                (Box::new(source), Some(arrivals), true)
            }
            Origin::Listed { talks, .. } => {
                let options = ListedOptions { turns, output, cache, special, seed, nonce };
                let source = Listed::new(talks.clone(), options, encoder);
                let given_lengths = answers.is_some() || source.tells_lengths();
                (Box::new(source), None, given_lengths)
            }
        };
        Ok(Wanted { source, arrivals, given_lengths })
    }
}
