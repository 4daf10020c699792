//! Words: a book's, and the two tasks of counting them (`common_words_extraction.py` and
//! `freq_words_extraction.py` of NVIDIA/RULER).

use super::{Maker, Prompt, sample, shuffle};
use pacemark_record::rng::SplitMix64;
use std::collections::BTreeSet;

/// A book's words: in their order, and each once.
pub(super) struct Words<'a> {
    text: Vec<&'a str>,
    distinct: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn of(book: &'a str) -> Words<'a> {
        let is_plain = |word: &&str| {
            (3..=10).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase())
        };
        let distinct: BTreeSet<&str> =
            book.split(|c: char| !c.is_ascii_alphabetic()).filter(is_plain).collect();
        Words { text: book.split_whitespace().collect(), distinct: distinct.into_iter().collect() }
    }

    /// Its first `n` words, from its beginning again where it has fewer.
    pub(super) fn text(&self, n: usize) -> String {
        self.text.iter().cycle().take(n).copied().collect::<Vec<_>>().join(" ")
    }

    /// A name of two words.
    pub(super) fn key(&self, rng: &mut SplitMix64) -> String {
        let mut word = || self.distinct.get(rng.below(self.distinct.len().max(1))).copied();
        format!("{}-{}", word().unwrap_or("calm"), word().unwrap_or("island"))
    }
}

/// How often the common words and the others stand in a list.
#[derive(Clone, Copy)]
struct Often {
    common: usize,
    others: usize,
}

/// Common words of a list.
const N_COMMON: usize = 10;

/// From so many tokens on lists are longer.
const LONG: usize = 4096;

/// Lists of words, and a worked example.
pub(super) struct Lists<'a> {
    words: Vec<&'a str>,
    often: Often,
    example: String,
    seed: u64,
}

impl<'a> Lists<'a> {
    pub(super) fn draw(maker: &Maker<'a>, rng: &mut SplitMix64) -> Lists<'a> {
        let (n_example, of_example, often) = if maker.length < LONG {
            (20, Often { common: 3, others: 1 }, Often { common: 6, others: 1 })
        } else {
            (40, Often { common: 10, others: 3 }, Often { common: 30, others: 3 })
        };
        let distinct = &maker.words.distinct;
        let drawn = |rng: &mut SplitMix64, n: usize| -> Vec<&'a str> {
            sample(distinct.len(), n, rng).into_iter().map(|at| distinct[at]).collect()
        };
        let example = drawn(rng, n_example);
        let context = listed(&example, of_example, rng.next_u64());
        let answer = numbered(&example[..N_COMMON.min(example.len())]);
        let example = format!("{}{} {answer}\n", asked(&context), QUESTION);
        Lists { words: drawn(rng, distinct.len()), often, example, seed: rng.next_u64() }
    }

    /// Words that there are.
    pub(super) fn most(&self) -> usize {
        self.words.len()
    }

    /// A list of the first `n`.
    pub(super) fn prompt(&self, n: usize) -> Prompt {
        let words = &self.words[..n.min(self.words.len())];
        let context = listed(words, self.often, self.seed);
        Prompt {
            context: format!("{}{}", self.example, asked(&context)),
            question: QUESTION.to_owned(),
            expected: words[..N_COMMON.min(words.len())].iter().map(|w| (*w).to_owned()).collect(),
        }
    }
}

const QUESTION: &str = "\nQuestion: What are the 10 most common words in the above list? Answer: The top 10 words that \
    appear most often in the list are:";

fn asked(context: &str) -> String {
    format!(
        "Below is a numbered list of words. In these words, some appear more often than others. Memorize \
         the ones that appear most often.\n{context}"
    )
}

/// The first ten more often than the others, in any order.
fn listed(words: &[&str], often: Often, seed: u64) -> String {
    numbered(&shuffled(repeated(words, often), seed))
}

fn repeated<'a>(words: &[&'a str], often: Often) -> Vec<&'a str> {
    let (common, others) = words.split_at(N_COMMON.min(words.len()));
    [common.repeat(often.common), others.repeat(often.others)].concat()
}

fn shuffled<T>(mut list: Vec<T>, seed: u64) -> Vec<T> {
    shuffle(&mut list, &mut SplitMix64::new(seed));
    list
}

fn numbered(words: &[&str]) -> String {
    let line = |(i, word): (usize, &&str)| format!("{}. {word}", i + 1);
    words.iter().enumerate().map(line).collect::<Vec<_>>().join(" ")
}

/// Made-up words, the most frequent first; the first of all is dots.
pub(super) struct Coded {
    words: Vec<String>,
    seed: u64,
}

/// What stands most often, and says nothing.
const DOTS: &str = "...";

/// Letters of a made-up word.
const N_LETTERS: usize = 6;

/// How fast frequencies fall: RULER's `alpha`, for which the sum of all is π² / 6.
const ALPHA: i32 = 2;
const ZETA: f64 = std::f64::consts::PI * std::f64::consts::PI / 6.0;

impl Coded {
    /// `n` words, at least the dots and three others.
    pub(super) fn draw(n: usize, rng: &mut SplitMix64) -> Coded {
        let mut words = BTreeSet::new();
        while words.len() < n.max(4) {
            let letter = |_| char::from(b'a' + rng.below(26) as u8);
            words.insert((0..N_LETTERS).map(letter).collect::<String>());
        }
        let words = shuffled(words.into_iter().collect(), rng.next_u64());
        Coded { words, seed: rng.next_u64() }
    }

    /// A text of about `n` words.
    pub(super) fn prompt(&self, n: usize) -> Prompt {
        let text = shuffled(self.repeated(n), self.seed);
        Prompt {
            context: format!(
                "Read the following coded text and track the frequency of each coded word. Find the three \
                 most frequently appeared coded words. {}",
                text.join(" ")
            ),
            question: "\nQuestion: Do not provide any explanation. Please ignore the dots '....'. What are \
                the three most frequently appeared words in the above coded text? Answer: According to the \
                coded text above, the three most frequently appeared words are:"
                .to_owned(),
            expected: self.words[1..4].to_vec(),
        }
    }

    /// Each word as often as the distribution says, whole times.
    fn repeated(&self, n: usize) -> Vec<&str> {
        let words = std::iter::once(DOTS).chain(self.words.iter().skip(1).map(String::as_str));
        let of_rank = |(i, word)| {
            let times = n as f64 * ((i + 1) as f64).powi(-ALPHA) / ZETA;
            std::iter::repeat_n(word, times as usize)
        };
        words.enumerate().flat_map(of_rank).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn golden(name: &str) -> Value {
        let golden: Value =
            serde_json::from_str(include_str!("../../../tests/data/tasks.json")).unwrap();
        golden["ruler"][name].clone()
    }

    fn strings(value: &Value) -> Vec<String> {
        value.as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()).collect()
    }

    /// Expected: `generate_input_output` of RULER's `freq_words_extraction.py`, run by
    /// `tests/data/make_tasks.py` without its shuffling.
    #[test]
    fn frequencies_are_rulers() {
        let cases = golden("fwe");
        for case in cases.as_array().unwrap() {
            let coded = Coded { words: strings(&case["words"]), seed: 0 };
            let n = case["n_words"].as_u64().unwrap() as usize;
            let prompt = coded.prompt(n);
            assert_eq!(prompt.expected, strings(&case["answers"]));
            let shuffled = shuffled(coded.repeated(n), 0).join(" ");
            let unshuffled = coded.repeated(n).join(" ");
            let text = prompt.context.replace(&shuffled, &unshuffled) + &prompt.question;
            assert_eq!(text, case["text"].as_str().unwrap());
        }
    }

    /// Expected: `get_example` of RULER's `common_words_extraction.py`, run the same way.
    #[test]
    fn lists_are_rulers() {
        let case = golden("cwe");
        let words = strings(&case["words"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let context = numbered(&repeated(&words, Often { common: 6, others: 1 }));
        assert_eq!(context, case["context"].as_str().unwrap());
        assert_eq!(asked(&context) + QUESTION, case["template"].as_str().unwrap());
        let lists =
            Lists { words, often: Often { common: 6, others: 1 }, example: String::new(), seed: 0 };
        assert_eq!(lists.prompt(14).expected, strings(&case["answers"]));
    }
}
