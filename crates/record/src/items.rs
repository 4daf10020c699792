//! Items of a task, each with what a model made of it: choices ranked by likelihood, or a text that
//! should hold some answers.

use crate::stats::{self, CONFIDENCE, Interval};
use serde::{Deserialize, Serialize};

/// What was measured of a task under one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Items {
    /// Items that were to be measured; `items` has fewer after an interrupt.
    pub n_items: u64,
    /// Each item, in order.
    pub items: Vec<Item>,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its name: the same under every setting.
    pub id: String,
    /// Where in the context what is asked for stands, in percent, where one place was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<f64>,
    /// Tokens of its prompt, or of the context of its choices.
    pub n_prompt: u64,
    /// Time within the backend.
    pub elapsed_ns: u64,
    /// What the model made of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a model made of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Choices, ranked by likelihood.
    Choices(Choices),
    /// A text that should hold all of some answers.
    Answer(Answer),
}

/// How likely each choice is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    /// Sum of the natural log-probabilities of each choice's tokens.
    pub logprobs: Vec<f64>,
    /// Characters of each choice, without the space before it.
    pub n_chars: Vec<u64>,
    /// Number of the right one, from 0.
    pub gold: u64,
}

/// What was generated, and what it should hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The text; it ends where it held all answers.
    pub output: String,
    /// The answers.
    pub expected: Vec<String>,
}

impl Choices {
    /// Number of the most likely choice: of equals the first.
    pub fn chosen(&self) -> Option<usize> {
        first_largest(self.logprobs.iter().copied())
    }

    /// Number of the choice that is most likely for its length.
    pub fn chosen_by_length(&self) -> Option<usize> {
        let by_length = self.logprobs.iter().zip(&self.n_chars);
        first_largest(by_length.map(|(sum, n)| sum / *n as f64))
    }

    fn is_right(&self, chosen: Option<usize>) -> f64 {
        f64::from(u8::from(chosen.is_some_and(|chosen| chosen as u64 == self.gold)))
    }
}

fn first_largest(values: impl Iterator<Item = f64>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (i, value) in values.enumerate() {
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((i, value));
        }
    }
    best.map(|(i, _)| i)
}

impl Answer {
    /// The share of the answers that the text holds, in upper or lower case: RULER's
    /// `string_match_all`.
    pub fn recall(&self) -> f64 {
        let output = self.output.to_lowercase();
        let found = self.expected.iter().filter(|answer| output.contains(&answer.to_lowercase()));
        found.count() as f64 / self.expected.len().max(1) as f64
    }
}

impl Item {
    /// How good it is, 0 to 1: whether the most likely choice is right, or the share of answers.
    pub fn score(&self) -> f64 {
        match &self.outcome {
            Outcome::Choices(choices) => choices.is_right(choices.chosen()),
            Outcome::Answer(answer) => answer.recall(),
        }
    }

    /// The same where choices are compared for their length.
    pub fn score_by_length(&self) -> f64 {
        match &self.outcome {
            Outcome::Choices(choices) => choices.is_right(choices.chosen_by_length()),
            Outcome::Answer(answer) => answer.recall(),
        }
    }
}

impl Items {
    /// One value of each item.
    pub fn scores(&self, of: fn(&Item) -> f64) -> Vec<f64> {
        self.items.iter().map(of).collect()
    }

    /// All are choices, and none lacks anything.
    pub fn are_choices(&self) -> bool {
        self.items.iter().all(|item| match &item.outcome {
            Outcome::Choices(choices) => choices.n_chars.len() == choices.logprobs.len(),
            Outcome::Answer(_) => false,
        })
    }

    /// All are answers.
    pub fn are_answers(&self) -> bool {
        self.items.iter().all(|item| matches!(item.outcome, Outcome::Answer(_)))
    }

    /// The standard error of the mean, as lm-eval prints it: the sample standard deviation over the
    /// root of the number of items.
    pub fn standard_error(&self, of: fn(&Item) -> f64) -> Option<f64> {
        let scores = self.scores(of);
        stats::sample_sd(&scores).map(|sd| sd / (scores.len() as f64).sqrt())
    }

    /// Where the mean lies: Wilson's interval where each item is right or wrong, the bootstrap's
    /// otherwise.
    pub fn interval(&self, of: fn(&Item) -> f64) -> Option<Interval> {
        let scores = self.scores(of);
        if scores.iter().all(|score| *score == 0.0 || *score == 1.0) {
            let n_right = scores.iter().filter(|score| **score == 1.0).count();
            return stats::share_interval(n_right, scores.len(), CONFIDENCE);
        }
        stats::mean_interval(&scores, CONFIDENCE)
    }

    /// Values of items that both have, in this one's order.
    pub fn pairs(&self, other: &Items, of: fn(&Item) -> f64) -> Vec<(f64, f64)> {
        let by_id: std::collections::HashMap<&str, &Item> =
            other.items.iter().map(|item| (item.id.as_str(), item)).collect();
        let pair = |item: &Item| Some((of(item), of(by_id.get(item.id.as_str())?)));
        self.items.iter().filter_map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, outcome: Outcome) -> Item {
        Item { id: id.into(), depth: None, n_prompt: 1, elapsed_ns: 1, outcome }
    }

    #[test]
    fn the_first_of_equal_choices_wins_and_length_is_in_characters() {
        let choices = |logprobs: &[f64], n_chars: &[u64]| Choices {
            logprobs: logprobs.to_vec(),
            n_chars: n_chars.to_vec(),
            gold: 1,
        };
        let found = choices(&[-4.0, -6.0, -4.0], &[4, 12, 2]);
        // Per character: -1, -0.5, -2.
        assert_eq!((found.chosen(), found.chosen_by_length()), (Some(0), Some(1)));
        let right = item("a", Outcome::Choices(found));
        assert_eq!((right.score(), right.score_by_length()), (0.0, 1.0));
        assert_eq!(choices(&[], &[]).chosen(), None);
    }

    /// Expected: `string_match_all` of NVIDIA/RULER, scripts/eval/synthetic/constants.py, one
    /// prediction at a time.
    #[test]
    fn recall_is_rulers() {
        for (output, expected, recall) in [
            ("The number is 1234567.", &["1234567"][..], 1.0),
            ("ABC, def and nothing", &["abc", "DEF", "ghi", "jkl"], 0.5),
            ("", &["x"], 0.0),
            ("12345678", &["2345"], 1.0),
        ] {
            let expected = expected.iter().map(|answer| (*answer).to_owned()).collect();
            assert_eq!(Answer { output: output.into(), expected }.recall(), recall, "{output}");
        }
    }

    #[test]
    fn pairs_are_of_items_that_both_have() {
        let answer = |id: &str, output: &str| {
            item(id, Outcome::Answer(Answer { output: output.into(), expected: vec!["x".into()] }))
        };
        let items = |items: Vec<Item>| Items { n_items: 3, items };
        let first = items(vec![answer("a", "x"), answer("b", ""), answer("c", "x")]);
        let second = items(vec![answer("c", ""), answer("a", "x")]);
        assert_eq!(first.pairs(&second, Item::score), [(1.0, 1.0), (1.0, 0.0)]);
        let json = serde_json::to_string(&first).unwrap();
        assert_eq!(serde_json::from_str::<Items>(&json).unwrap(), first);
        assert!(first.are_answers() && !first.are_choices());
    }
}
