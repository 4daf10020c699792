//! RULER's tasks that need no data of others (Hsieh et al., "RULER: what's the real context size of
//! your long-context language models?", arXiv 2404.06654), with the wording, sizes and scoring of
//! NVIDIA/RULER, so that figures mean what they mean there.
//!
//! A prompt is the largest that leaves room for the answer in its length, as there. What is drawn comes
//! from another generator of random numbers, and words from the book in place of a word list's:
//! keys are two words with a hyphen, and the essays of `niah_multikey_1` are the book. The worked
//! example of `vt` takes at most a quarter of a prompt; RULER's shortest prompts are 4,096 tokens,
//! where 500 are less than that.

mod niah;
mod vt;
mod words;

use super::retrieval::{LengthError, Place};
use super::{Encoder, Question, Task};
use pacemark_record::rng::SplitMix64;
use words::Words;

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruler {
    /// One number of one name, in noise.
    NiahSingle1,
    /// The same among three others, in a book.
    NiahMultikey1,
    /// Variables that get one value, one from the other.
    Vt,
    /// The ten most common words of a list.
    Cwe,
    /// The three most frequent of made-up words.
    Fwe,
}

/// What a prompt is made of.
struct Prompt {
    pub context: String,
    /// What stands behind the context: the question, and the beginning of its answer.
    pub question: String,
    pub expected: Vec<String>,
}

/// Prompts of some lengths.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Tokens of each prompt with the longest answer, at most.
    pub lengths: Vec<usize>,
    /// Prompts of each length.
    pub n_trials: usize,
    /// Start of all that is drawn.
    pub seed: u64,
    /// Where the question stands.
    pub place: Place,
    /// Tokens to generate at most, in place of the task's own.
    pub max_tokens: Option<usize>,
}

/// What the making of a prompt needs.
struct Maker<'a> {
    pub words: &'a Words<'a>,
    pub encoder: &'a Encoder<'a>,
    /// Tokens of the prompt with its answer.
    pub length: usize,
    /// Tokens of the answer, at most.
    n_answer: usize,
    /// Tokens of the prompt, at most.
    pub room: usize,
}

impl Ruler {
    /// All of them.
    pub const ALL: [Ruler; 5] =
        [Ruler::NiahSingle1, Ruler::NiahMultikey1, Ruler::Vt, Ruler::Cwe, Ruler::Fwe];

    /// Its name, RULER's.
    pub fn name(self) -> &'static str {
        match self {
            Ruler::NiahSingle1 => "niah_single_1",
            Ruler::NiahMultikey1 => "niah_multikey_1",
            Ruler::Vt => "vt",
            Ruler::Cwe => "cwe",
            Ruler::Fwe => "fwe",
        }
    }

    /// Tokens of an answer: RULER's `tokens_to_generate`.
    pub fn max_tokens(self) -> usize {
        match self {
            Ruler::NiahSingle1 | Ruler::NiahMultikey1 => 128,
            Ruler::Vt => 30,
            Ruler::Cwe => 120,
            Ruler::Fwe => 50,
        }
    }

    /// A task for each length, whose words and essays are the book's.
    pub fn tasks(
        self,
        sizes: &Sizes,
        book: &str,
        encoder: &Encoder<'_>,
    ) -> Result<Vec<Task>, LengthError> {
        let words = Words::of(book);
        let max_tokens = sizes.max_tokens.unwrap_or(self.max_tokens());
        let task = |&length: &usize| -> Result<Task, LengthError> {
            let room = length.saturating_sub(max_tokens);
            let maker = Maker { words: &words, encoder, length, n_answer: max_tokens, room };
            let question = |trial: usize| {
                let mut rng = SplitMix64::new(sizes.seed.wrapping_add((trial as u64) << 32));
                let Prompt { context, question, expected } = self.prompt(&maker, &mut rng)?;
                let (context, question) = (encoder.text(&context), encoder.rest(&question));
                Ok(Question {
                    id: format!("{}/{length}/{trial}", self.name()),
                    depth: None,
                    ask: sizes.place.ask(context, &question, max_tokens, expected),
                })
            };
            let questions = (0..sizes.n_trials).map(question).collect::<Result<_, _>>()?;
            Ok(Task { name: self.name().to_owned(), length: Some(length), questions })
        };
        sizes.lengths.iter().map(task).collect()
    }

    fn prompt(self, maker: &Maker<'_>, rng: &mut SplitMix64) -> Result<Prompt, LengthError> {
        let most = maker.room;
        match self {
            Ruler::NiahSingle1 => {
                let needles = niah::Needles::draw(1, maker.words, rng);
                self.largest(maker, (1, most), &|n| needles.in_noise(n))
            }
            Ruler::NiahMultikey1 => {
                let needles = niah::Needles::draw(4, maker.words, rng);
                self.largest(maker, (1, most), &|n| needles.in_book(maker.words, n))
            }
            Ruler::Vt => {
                let example = vt::example(maker, rng);
                let chain = vt::Chain::draw(5, rng);
                // A chain of five lines needs places of their own.
                self.largest(maker, (5, most.max(5)), &|n| chain.behind(&example, n))
            }
            Ruler::Cwe => {
                let lists = words::Lists::draw(maker, rng);
                self.largest(maker, (10, lists.most()), &|n| lists.prompt(n))
            }
            Ruler::Fwe => {
                let coded = words::Coded::draw(maker.room / 50, rng);
                // The fourth most frequent word is there from 27 on.
                self.largest(maker, (27, most.max(27)), &|n| coded.prompt(n))
            }
        }
    }

    /// The largest of prompts that grow with their size which has no more tokens than there is room.
    fn largest(
        self,
        maker: &Maker<'_>,
        (least, most): (usize, usize),
        make: &dyn Fn(usize) -> Prompt,
    ) -> Result<Prompt, LengthError> {
        let tokens = |prompt: &Prompt| {
            maker.encoder.text(&prompt.context).len() + maker.encoder.rest(&prompt.question).len()
        };
        let smallest = tokens(&make(least));
        if smallest > maker.room {
            return Err(LengthError::TooShort {
                task: self.name().to_owned(),
                length: maker.length,
                least: smallest + maker.n_answer,
            });
        }
        let (mut fits, mut fails) = (least, most + 1);
        while fits + 1 < fails {
            let middle = fits.midpoint(fails);
            let is_small = tokens(&make(middle)) <= maker.room;
            *(if is_small { &mut fits } else { &mut fails }) = middle;
        }
        Ok(make(fits))
    }
}

/// `k` of the numbers below `n`, none twice, in the order in which they were drawn.
fn sample(n: usize, k: usize, rng: &mut SplitMix64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    let k = k.min(n);
    for at in 0..k {
        all.swap(at, at + rng.below(n - at));
    }
    all.truncate(k);
    all
}

fn shuffle<T>(list: &mut [T], rng: &mut SplitMix64) {
    for at in (1..list.len()).rev() {
        list.swap(at, rng.below(at + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ask;
    use super::super::testing::toy;
    use super::*;

    const BOOK: &str = include_str!("../../../../cli/texts/tempest.txt");

    #[test]
    fn prompts_fill_their_length_and_hold_the_answers() {
        let encoder = Encoder { encode: &toy, bos: Some(1), empty: Some(1) };
        for task in Ruler::ALL {
            let sizes = Sizes {
                lengths: vec![1024, 4096],
                n_trials: 3,
                seed: 5,
                place: Place::Outside,
                max_tokens: None,
            };
            let made = task.tasks(&sizes, BOOK, &encoder).unwrap();
            assert_eq!(made, task.tasks(&sizes, BOOK, &encoder).unwrap(), "the same by its seed");
            for (task, length) in made.iter().zip([1024, 4096]) {
                let asks: Vec<&Ask> = task.questions.iter().map(|question| &question.ask).collect();
                assert_ne!(asks[0], asks[1], "{}: trials differ", task.name);
                for ask in asks {
                    let Ask::Answer { prompt, kv_prompt, max_tokens, expected } = ask else {
                        panic!()
                    };
                    let n = prompt.len() + max_tokens;
                    assert!(n <= length, "{}: {n}", task.name);
                    assert!(n > length * 17 / 20, "{}: {n} of {length}", task.name);
                    assert!(kv_prompt < &prompt.len() && !expected.is_empty());
                    for answer in expected {
                        let spaced = toy(&format!(" {answer}"));
                        let bare = toy(answer);
                        let holds = |tokens: &[u32]| {
                            prompt[..*kv_prompt]
                                .windows(tokens.len())
                                .any(|window| window == tokens)
                        };
                        assert!(holds(&spaced) || holds(&bare), "{}: {answer}", task.name);
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_says_what_it_takes() {
        let encoder = Encoder { encode: &toy, bos: None, empty: None };
        for task in Ruler::ALL {
            let sizes = |length| Sizes {
                lengths: vec![length],
                n_trials: 1,
                seed: 0,
                place: Place::Inside,
                max_tokens: None,
            };
            let error = task.tasks(&sizes(40), BOOK, &encoder).unwrap_err();
            let LengthError::TooShort { least, .. } = error else { panic!("{error}") };
            assert!(task.tasks(&sizes(least + 40), BOOK, &encoder).is_ok(), "{}", task.name());
        }
    }

    #[test]
    fn samples_are_without_repetition() {
        let mut rng = SplitMix64::new(3);
        let mut drawn = sample(20, 20, &mut rng);
        assert_ne!(drawn, (0..20).collect::<Vec<_>>());
        drawn.sort_unstable();
        assert_eq!(drawn, (0..20).collect::<Vec<_>>());
        assert_eq!((sample(3, 9, &mut rng).len(), sample(0, 2, &mut rng).len()), (3, 0));
    }
}
