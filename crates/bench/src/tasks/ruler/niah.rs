//! Needles: numbers of names, in noise or in a book (`niah.py` of NVIDIA/RULER).

use super::words::Words;
use super::{Prompt, sample};
use pacemark_record::rng::SplitMix64;

/// What noise is made of.
pub(super) const NOISE: &str =
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";

/// Names, their numbers, and where they stand.
pub(super) struct Needles {
    pairs: Vec<(String, String)>,
    /// For each a place, in parts of the haystack, in order.
    places: Vec<f64>,
    asked: usize,
}

/// Depths that several needles are spread over.
const DEPTHS: usize = 40;

impl Needles {
    /// `n` of them, one of which is asked for.
    pub(super) fn draw(n: usize, words: &Words<'_>, rng: &mut SplitMix64) -> Needles {
        let pairs = (0..n).map(|_| {
            let number = 1_000_000 + rng.below(9_000_000);
            (words.key(rng), number.to_string())
        });
        let pairs = pairs.collect();
        let mut places: Vec<f64> = match n {
            1 => vec![rng.below(1 << 20) as f64 / f64::from(1 << 20)],
            _ => sample(DEPTHS, n, rng).iter().map(|at| *at as f64 / (DEPTHS - 1) as f64).collect(),
        };
        places.sort_by(f64::total_cmp);
        Needles { pairs, places, asked: rng.below(n) }
    }

    /// One line of noise for each of `n`, and the needle between them.
    pub(super) fn in_noise(&self, n: usize) -> Prompt {
        let mut lines: Vec<String> = vec![NOISE.to_owned(); n];
        for (place, needle) in self.places.iter().zip(self.sentences()).rev() {
            lines.insert(((place * n as f64) as usize).min(n - 1), needle);
        }
        self.prompt(&lines.join("\n"))
    }

    /// `n` words of a book, and the needles between its sentences.
    pub(super) fn in_book(&self, words: &Words<'_>, n: usize) -> Prompt {
        let text = words.text(n);
        let mut sentences: Vec<String> = sentences(&text).into_iter().map(str::to_owned).collect();
        let n = sentences.len();
        for (place, needle) in self.places.iter().zip(self.sentences()).rev() {
            sentences.insert((place * n as f64) as usize, needle);
        }
        self.prompt(&sentences.join(" "))
    }

    fn sentences(&self) -> impl DoubleEndedIterator<Item = String> + ExactSizeIterator {
        let sentence = |(key, value): &(String, String)| {
            format!("One of the special magic numbers for {key} is: {value}.")
        };
        self.pairs.iter().map(sentence)
    }

    fn prompt(&self, context: &str) -> Prompt {
        let (key, value) = &self.pairs[self.asked];
        Prompt {
            context: format!(
                "A special magic number is hidden within the following text. Make sure to memorize it. \
                 I will quiz you about the number afterwards.\n{context}"
            ),
            question: format!(
                "\nWhat is the special magic number for {key} mentioned in the provided text? \
                 The special magic number for {key} mentioned in the provided text is"
            ),
            expected: vec![value.clone()],
        }
    }
}

/// Cut behind what ends a sentence.
fn sentences(text: &str) -> Vec<&str> {
    let ends =
        text.match_indices(". ").chain(text.match_indices("! ")).chain(text.match_indices("? "));
    let mut ends: Vec<usize> = ends.map(|(at, _)| at + 1).collect();
    ends.sort_unstable();
    let mut from = 0;
    let mut found: Vec<&str> = Vec::with_capacity(ends.len() + 1);
    for end in ends {
        found.push(&text[from..end]);
        from = end + 1;
    }
    found.push(&text[from..]);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Expected: `generate_input_output` of RULER's `niah.py`, run by `tests/data/make_tasks.py`.
    #[test]
    fn the_text_is_rulers() {
        let golden: Value =
            serde_json::from_str(include_str!("../../../tests/data/tasks.json")).unwrap();
        let case = &golden["ruler"]["niah"];
        let text = |name: &str| case[name].as_str().unwrap().to_owned();
        let (n, at) = (case["noises"].as_u64().unwrap(), case["at"].as_u64().unwrap());
        let needles = Needles {
            pairs: vec![(text("key"), text("value"))],
            places: vec![(at as f64 + 0.5) / n as f64],
            asked: 0,
        };
        let prompt = needles.in_noise(n as usize);
        assert_eq!(prompt.context + &prompt.question, text("text"));
        assert_eq!(Value::from(prompt.expected), case["answers"]);
    }

    #[test]
    fn sentences_are_whole() {
        assert_eq!(sentences("A b. C! D? e.f g"), ["A b.", "C!", "D?", "e.f g"]);
    }
}
