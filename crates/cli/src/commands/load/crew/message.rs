//! What coordinator and workers of a load say to each other: JSON, a line each, over the worker's
//! standard input and output.

use anyhow::{Result, bail};
use pacemark_files::excerpt;
use pacemark_record::{Env, Trial};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read};

/// Longest line: a record of some million requests.
const MAX_LINE: u64 = 2 << 30;

/// Lines of noise that a remote shell may print before the worker speaks.
const NOISE: usize = 1000;

/// To a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// First of all.
    Prepare(Box<Preparation>),
    /// What does its clock say? A number that comes back with the answer.
    Ask(u64),
    /// Prepare row `row` at this level, and wait: streams or requests a second of the whole load;
    /// none where those are endless, or follow from the flags.
    Row {
        /// The level.
        at: Option<f64>,
        /// Number of the row.
        row: u64,
    },
    /// Begin when its clock says so.
    Go {
        /// Then.
        at_ns: u64,
    },
    /// End the row, and hand over what there is.
    Stop,
}

/// What a worker is to be part of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Preparation {
    /// The coordinator's command line.
    pub arguments: Vec<String>,
    /// A server that the command line does not name.
    pub url: Option<String>,
    /// The bearer token, which may be of the coordinator's environment.
    pub api_key: Option<String>,
    /// What words are derived from.
    pub nonce: u64,
    /// Number of the worker, from 0.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

/// From a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// It is there: its build and machine.
    Hello(Box<Env>),
    /// It has a plan.
    Prepared,
    /// Its clock, and the number it was asked with.
    Clock {
        /// The number.
        id: u64,
        /// The clock of its stamps.
        at_ns: u64,
    },
    /// The row is prepared: it waits for the beginning.
    Ready,
    /// How it goes.
    Live {
        /// Since the row began, in ms.
        elapsed_ms: u64,
        /// Requests in flight.
        in_flight: u64,
        /// Answered.
        done: u64,
        /// Failed.
        failed: u64,
        /// Pieces of answers.
        frames: u64,
    },
    /// The row, raw; nothing where it was ended before a request had.
    Row(Option<Box<Trial>>),
    /// It cannot go on.
    Failed(String),
}

/// The next line as what it says; `None` at the end. `noise` is passed over: what a shell printed.
pub(super) fn next<T: serde::de::DeserializeOwned>(
    from: &mut impl BufRead,
    noise: bool,
) -> Result<Option<T>> {
    for _ in 0..NOISE {
        let mut line = Vec::new();
        if from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        match serde_json::from_slice(&line) {
            Ok(said) => return Ok(Some(said)),
            Err(_) if noise => {}
            Err(error) => {
                let found = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
                bail!("expected a message, found {}: {error}", excerpt(found.trim()));
            }
        }
    }
    bail!("it does not speak as a worker does")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_passed_over_where_a_shell_may_speak() {
        let text = "Welcome!\n\"Ready\"\nnonsense\n";
        let mut from = text.as_bytes();
        assert!(matches!(next::<Word>(&mut from, true), Ok(Some(Word::Ready))));
        assert!(next::<Word>(&mut from, false).is_err());
        assert!(matches!(next::<Word>(&mut from, true), Ok(None)));
        let endless = "x\n".repeat(2000);
        assert!(next::<Word>(&mut endless.as_bytes(), true).is_err());
    }
}
