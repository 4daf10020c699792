//! One setting of a search for the best: what each of its runs took, in which round of the race that
//! was, how far its predictions are from the default setting's, and what became of it.

use crate::{Distances, Sample};
use serde::{Deserialize, Serialize};

/// What was measured of one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// Each run, in order.
    pub samples: Vec<Sample>,
    /// The round of each run, from 1: runs of the same round are a pair. 0 of a run outside of the
    /// rounds, which is nobody's pair.
    pub rounds: Vec<u64>,
    /// How far its predictions are from those of the default setting; absent where they are the same
    /// by construction, or were not compared.
    pub distances: Option<Distances>,
    /// What became of it.
    pub fate: Fate,
    /// The last round before that was known.
    pub fate_round: u64,
}

/// What became of a setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Still in the race: it was not over.
    #[default]
    Racing,
    /// The only one that was left.
    Won,
    /// Left with others that it cannot be told from.
    Even,
    /// Shown to be worse than the best.
    Worse,
    /// Shown to miss a target.
    Missed,
    /// Not shown to be near enough to the default setting's answers.
    TooFar,
}

impl Fate {
    /// In a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Fate::Racing => "still racing",
            Fate::Won => "winner",
            Fate::Even => "not told apart",
            Fate::Worse => "worse",
            Fate::Missed => "misses a target",
            Fate::TooFar => "answers too far",
        }
    }
}

impl Tuned {
    /// The runs of the rounds, each with its round.
    pub fn of_rounds(&self) -> impl Iterator<Item = (u64, &Sample)> {
        let all = self.rounds.iter().copied().zip(&self.samples);
        all.filter(|(round, _)| *round > 0)
    }

    /// Adds a run.
    pub fn push(&mut self, round: u64, sample: Sample) {
        self.rounds.push(round);
        self.samples.push(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_outside_of_the_rounds_are_nobodys_pair() {
        let mut tuned = Tuned::default();
        let sample = |elapsed_ns| Sample { elapsed_ns, ..Sample::default() };
        for (round, ns) in [(1, 10), (3, 30), (0, 99)] {
            tuned.push(round, sample(ns));
        }
        let found: Vec<_> = tuned.of_rounds().map(|(round, s)| (round, s.elapsed_ns)).collect();
        assert_eq!((found, tuned.samples.len()), (vec![(1, 10), (3, 30)], 3));
    }
}
