//! A text around a sentence that has exactly so many tokens.

use super::super::Encoder;
use pacemark_backend::TokenId;
use pacemark_record::rng::SplitMix64;

/// What a haystack is made of: words, over and over.
pub(super) struct Hay<'a> {
    words: Vec<&'a str>,
    /// Numbers of words that begin a sentence.
    starts: Vec<usize>,
}

/// Texts that differ in how much haystack they have.
pub(super) struct Text<'a> {
    /// What stands first.
    pub head: &'a str,
    /// What is looked for.
    pub sentence: &'a str,
    /// How much of the haystack stands before it, in percent.
    pub depth: f64,
    /// The first word of the haystack.
    pub start: usize,
}

/// Short words, mostly of one token, for the last few.
const FILL: [&str; 8] = ["and", "so", "on", "we", "go", "as", "it", "is"];

/// The sentence stands at most this part of the haystack, a twentieth, from its depth.
const ASIDE: usize = 20;

/// Haystacks that are tried, each a word shorter than the one before.
const TRIES: usize = 48;

impl<'a> Hay<'a> {
    pub(super) fn of(text: &'a str) -> Hay<'a> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let begins = |at: &usize| *at == 0 || ends_sentence(words[*at - 1]);
        let starts = (0..words.len()).filter(begins).collect();
        Hay { words, starts }
    }

    /// Where a haystack begins: some sentence, or the first.
    pub(super) fn start(&self, rng: &mut SplitMix64, anywhere: bool) -> usize {
        match self.starts.len() {
            n if anywhere && n > 1 => self.starts[rng.below(n)],
            _ => 0,
        }
    }

    fn word(&self, at: usize) -> &'a str {
        self.words.get(at % self.words.len().max(1)).copied().unwrap_or("")
    }
}

fn ends_sentence(word: &str) -> bool {
    word.ends_with(['.', '!', '?'])
}

impl Text<'_> {
    /// With so many words of a haystack, and so many short words behind them.
    pub(super) fn of(&self, hay: &Hay<'_>, n_words: usize, n_fill: usize) -> String {
        let wanted = (n_words as f64 * self.depth / 100.0).round() as usize;
        let wanted = wanted.min(n_words);
        // Between two sentences, where there are two so near that the depth stays what it is said to
        // be; verse has sentences of a page.
        let is_between =
            |at: &usize| *at == 0 || *at == n_words || ends_sentence(hay.word(self.start + at - 1));
        let near = (0..=n_words / ASIDE).flat_map(|d| [wanted.checked_sub(d), Some(wanted + d)]);
        let near = near.flatten().filter(|at| *at <= n_words).find(is_between);
        let before = near.unwrap_or(wanted);
        let words = |from: usize, to: usize| (from..to).map(|at| hay.word(self.start + at));
        let fill = FILL.iter().cycle().take(n_fill).copied();
        let first = words(0, before);
        let rest = words(before, n_words).chain(fill);
        let all: Vec<&str> = first.chain([self.sentence]).chain(rest).collect();
        format!("{}{}", self.head, all.join(" "))
    }
}

/// The tokens of such a text that has exactly `n_tokens`, where there is one: as much of the haystack
/// as fits, and short words for the rest.
pub(super) fn exactly(
    text: &Text<'_>,
    hay: &Hay<'_>,
    n_tokens: usize,
    encoder: &Encoder<'_>,
) -> Option<Vec<TokenId>> {
    let count = |n_words: usize| encoder.text(&text.of(hay, n_words, 0)).len();
    // A word is a token at least.
    let (mut fits, mut fails) = (0, n_tokens + 1);
    while fits + 1 < fails {
        let middle = fits.midpoint(fails);
        *(if count(middle) <= n_tokens { &mut fits } else { &mut fails }) = middle;
    }
    (0..=fits.min(TRIES)).find_map(|less| {
        let n_words = fits - less;
        let missing = n_tokens.checked_sub(count(n_words))?;
        (0..=missing.min(TRIES)).rev().find_map(|n_fill| {
            let tokens = encoder.text(&text.of(hay, n_words, n_fill));
            (tokens.len() == n_tokens).then_some(tokens)
        })
    })
}
