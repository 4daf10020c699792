//! Needle and passkey: one sentence at some depth of a long text, and a question for it behind the
//! text. Every prompt has exactly the tokens that were asked for.
//!
//! The needle (Kamradt, "Needle in a haystack", 2023, with a word and a number as RULER has them)
//! stands in a book; the passkey (Mohtashami and Jaggi, "Landmark attention", 2023) in a few sentences
//! again and again. The wording is ours.

mod fitted;

use super::{Ask, Encoder, Question, Task};
use fitted::{Hay, Text};
use pacemark_record::rng::SplitMix64;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The number of a name, in a book.
    Needle,
    /// A number, in sentences that say nothing.
    Passkey,
}

/// Whether a policy that works when a prompt ends has the question before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The question is a part of the prompt: what it asks for can be kept for it.
    #[default]
    Inside,
    /// The prompt ends before the question, as in kvpress.
    Outside,
}

/// Prompts of some lengths, at some depths.
#[derive(Clone, Debug)]
pub struct Grid {
    /// Tokens of each prompt, the question included.
    pub lengths: Vec<usize>,
    /// Where in the context the sentence stands, in percent.
    pub depths: Vec<f64>,
    /// Prompts of each length and depth.
    pub n_trials: usize,
    /// Start of all that is drawn.
    pub seed: u64,
    /// Where the question stands.
    pub place: Place,
    /// Tokens to generate at most.
    pub max_tokens: usize,
}

/// That no text has the tokens that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LengthError {
    /// The sentence and the question alone are longer.
    #[error(
        "{task} of {length} tokens: expected at least {least}, which it takes without a haystack"
    )]
    TooShort {
        /// What was to be made.
        task: String,
        /// Tokens asked for.
        length: usize,
        /// Tokens needed.
        least: usize,
    },
    /// The tokenizer joins whatever stands there otherwise.
    #[error("{task} of {length} tokens: this tokenizer makes none of exactly that length")]
    NoFit {
        /// What was to be made.
        task: String,
        /// Tokens asked for.
        length: usize,
    },
}

impl Place {
    /// Both.
    pub const ALL: [Place; 2] = [Place::Inside, Place::Outside];

    /// Its name on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Place::Inside => "inside",
            Place::Outside => "outside",
        }
    }

    /// A prompt of both parts, and what of it is the prompt for a policy.
    pub(super) fn ask(
        self,
        context: Vec<u32>,
        question: &[u32],
        max_tokens: usize,
        expected: Vec<String>,
    ) -> Ask {
        let n_context = context.len();
        let prompt = [&context[..], question].concat();
        let kv_prompt = match self {
            Place::Inside => prompt.len(),
            Place::Outside => n_context,
        };
        Ask::Answer { prompt, kv_prompt, max_tokens, expected }
    }
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Needle => "needle",
            Kind::Passkey => "passkey",
        }
    }

    /// Tokens that an answer takes, with room for some words before it.
    pub fn max_tokens(self) -> usize {
        16
    }

    /// All items of a grid, a task for each length. The needle stands in `book`.
    pub fn tasks(
        self,
        grid: &Grid,
        book: &str,
        encoder: &Encoder<'_>,
    ) -> Result<Vec<Task>, LengthError> {
        let hay = match self {
            Kind::Needle => Hay::of(book),
            Kind::Passkey => Hay::of(NOISE),
        };
        let task = |&length: &usize| -> Result<Task, LengthError> {
            let mut questions = Vec::with_capacity(grid.depths.len() * grid.n_trials);
            for &depth in &grid.depths {
                for trial in 0..grid.n_trials {
                    questions.push(self.question((length, depth, trial), grid, &hay, encoder)?);
                }
            }
            Ok(Task { name: self.name().to_owned(), length: Some(length), questions })
        };
        grid.lengths.iter().map(task).collect()
    }

    fn question(
        self,
        (length, depth, trial): (usize, f64, usize),
        grid: &Grid,
        hay: &Hay<'_>,
        encoder: &Encoder<'_>,
    ) -> Result<Question, LengthError> {
        // Every prompt is a draw of its own: items that shared a number would not be independent.
        let cell = [length as u64, depth.to_bits(), trial as u64];
        let seed = |seed: u64, part: u64| SplitMix64::new(seed ^ part).next_u64();
        let mut rng = SplitMix64::new(cell.into_iter().fold(grid.seed, seed));
        let (sentence, question, answer) = self.wording(&mut rng);
        let start = hay.start(&mut rng, self == Kind::Needle);
        let question = encoder.rest(&question);
        let text = Text { head: self.head(), sentence: &sentence, depth, start };
        let task = || self.name().to_owned();
        let least = encoder.text(&text.of(hay, 0, 0)).len() + question.len();
        let room = length.checked_sub(least);
        let room = room.ok_or_else(|| LengthError::TooShort { task: task(), length, least })?;
        let context = fitted::exactly(&text, hay, room + least - question.len(), encoder)
            .ok_or_else(|| LengthError::NoFit { task: task(), length })?;
        Ok(Question {
            id: format!("{}/{length}/{depth}/{trial}", self.name()),
            depth: Some(depth),
            ask: grid.place.ask(context, &question, grid.max_tokens, vec![answer]),
        })
    }

    /// What stands before the haystack.
    fn head(self) -> &'static str {
        match self {
            Kind::Needle => {
                "Somewhere in the following text the secret number of a name is told. Remember it.\n\n"
            }
            Kind::Passkey => {
                "A pass key is hidden in the following text, which is of no other interest. Remember it.\n\n"
            }
        }
    }

    /// The sentence, the question behind the text, and the answer.
    fn wording(self, rng: &mut SplitMix64) -> (String, String, String) {
        let number = (10_000 + rng.below(90_000)).to_string();
        match self {
            Kind::Needle => {
                let name = NAMES[rng.below(NAMES.len())];
                (
                    format!("The secret number of {name} is {number}."),
                    format!(
                        "\n\nWhat is the secret number of {name}? The secret number of {name} is"
                    ),
                    number,
                )
            }
            Kind::Passkey => (
                format!("The pass key is {number}. Remember it: {number} is the pass key."),
                "\n\nWhat is the pass key? The pass key is".to_owned(),
                number,
            ),
        }
    }
}

/// Sentences that say nothing.
const NOISE: &str = "The lamp is lit. The road is wet. The wind is cold. We walk on. We come back.";

/// Names that the needle is told of; none is in the book.
const NAMES: [&str; 16] = [
    "Lisbon", "Nairobi", "Oslo", "Quito", "Hanoi", "Dakar", "Lima", "Riga", "Perth", "Kyoto",
    "Cairo", "Havana", "Zagreb", "Tbilisi", "Bogota", "Winnipeg",
];

#[cfg(test)]
mod tests {
    use super::super::testing::toy;
    use super::*;

    const BOOK: &str = include_str!("../../../../cli/texts/tempest.txt");

    fn grid(lengths: &[usize], place: Place) -> Grid {
        let (lengths, depths) = (lengths.to_vec(), vec![0.0, 37.5, 100.0]);
        Grid { lengths, depths, n_trials: 2, seed: 7, place, max_tokens: 8 }
    }

    /// A tokenizer whose words are of one token or of two, and that joins spaces.
    fn uneven(text: &str) -> Vec<u32> {
        let twice = |id: u32| if id.is_multiple_of(3) { vec![id, id] } else { vec![id] };
        toy(text).into_iter().flat_map(twice).collect()
    }

    #[test]
    fn prompts_have_exactly_the_tokens_asked_for() {
        for encode in [&toy as &dyn Fn(&str) -> Vec<u32>, &uneven] {
            let encoder = Encoder { encode, bos: Some(1), empty: Some(1) };
            for kind in [Kind::Needle, Kind::Passkey] {
                for place in Place::ALL {
                    let grid = grid(&[100, 101, 777], place);
                    let tasks = kind.tasks(&grid, BOOK, &encoder).unwrap();
                    let ids: Vec<&str> = tasks
                        .iter()
                        .flat_map(|task| &task.questions)
                        .map(|question| question.id.as_str())
                        .collect();
                    assert_eq!((ids.len(), ids[3]), (18, &*format!("{}/100/37.5/1", kind.name())));
                    for task in &tasks {
                        for question in &task.questions {
                            let Ask::Answer { prompt, kv_prompt, .. } = &question.ask else {
                                panic!()
                            };
                            assert_eq!(Some(prompt.len()), task.length, "{}", question.id);
                            assert_eq!(*kv_prompt == prompt.len(), place == Place::Inside);
                            assert_eq!((prompt[0], prompt[1..].contains(&1)), (1, false));
                        }
                    }
                    let numbers =
                        tasks.iter().flat_map(|task| &task.questions).map(|q| match &q.ask {
                            Ask::Answer { expected, .. } => expected[0].as_str(),
                            Ask::Choices { .. } => panic!(),
                        });
                    let distinct: std::collections::HashSet<&str> = numbers.collect();
                    assert_eq!(distinct.len(), 18, "no two items share a number");
                    let again = kind.tasks(&grid, BOOK, &encoder).unwrap();
                    assert_eq!(tasks, again, "the same seed, the same prompts");
                }
            }
        }
    }

    #[test]
    fn what_is_asked_for_stands_where_it_should() {
        let encoder = Encoder { encode: &toy, bos: None, empty: None };
        let tasks = Kind::Needle.tasks(&grid(&[600], Place::Outside), BOOK, &encoder).unwrap();
        let place = |i: usize| {
            let Ask::Answer { prompt, kv_prompt, expected, .. } = &tasks[0].questions[i].ask else {
                panic!()
            };
            let number = toy(&format!(" {}", expected[0]));
            let at = prompt.windows(number.len()).position(|window| window == number).unwrap();
            assert!(at < *kv_prompt, "the question does not tell it");
            at as f64 / *kv_prompt as f64
        };
        assert!(place(0) < 0.1 && place(4) > 0.97, "{} {}", place(0), place(4));
        assert!((0.3..0.45).contains(&place(2)), "{}", place(2));
        assert!((0.3..0.45).contains(&place(3)), "{}", place(3));
    }

    #[test]
    fn what_is_too_short_says_how_long_it_must_be() {
        let encoder = Encoder { encode: &toy, bos: None, empty: None };
        let error = Kind::Passkey.tasks(&grid(&[20], Place::Inside), BOOK, &encoder).unwrap_err();
        let LengthError::TooShort { least, .. } = error else { panic!("{error}") };
        assert!(Kind::Passkey.tasks(&grid(&[least], Place::Inside), BOOK, &encoder).is_ok());
        let one_less = grid(&[least - 1], Place::Inside);
        assert!(Kind::Passkey.tasks(&one_less, BOOK, &encoder).is_err());
        // Every text is of an even number of tokens.
        let pairs = |text: &str| toy(text).into_iter().flat_map(|id| [id, id]).collect();
        let encoder = Encoder { encode: &pairs, ..encoder };
        let odd = Kind::Passkey.tasks(&grid(&[301], Place::Inside), BOOK, &encoder);
        assert!(matches!(odd, Err(LengthError::NoFit { length: 301, .. })));
    }
}
