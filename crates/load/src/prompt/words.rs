//! Words that are one token each in a given vocabulary, so that a text of n tokens is n words; in
//! one that has no such, words of known lengths that come to n tokens together.
//!
//! Byte-level and SPM vocabularies split a text at its spaces before they merge, so the tokens of `
//! a b` are those of ` a` and of ` b`. That is verified for each vocabulary by counting all the
//! words at once, and again for the texts that are made.

use super::{EncodeError, Encoder, PromptError};
use crate::random;
use pacemark_record::rng::SplitMix64;

/// Frequent English words, of which Pacemark's mock vocabulary has most.
const CANDIDATES: &str = "the of and to in is that for it as was with be by on not he his but at are this have from or had an \
    they which one you were all her she there would their we him been has when who will no more if out so up said what its \
    about than into them can only other time new some could these two may first then do any like my now over such our man me \
    even most made after also did many off before must well back through years much where your way down should because long \
    each just state those people too mr how little good world make very year still see own work men day get here old life \
    both between being under three never know same last another while us might great go come since against right came take \
    used himself few house use place during high without again home around small however found part school every thought";

/// Words that may begin a text: each is counted by itself.
const N_FIRST: usize = 12;

/// So many different words make two prompts alike in their first block as good as never.
const ENOUGH: usize = 128;

/// Lengths for which it is worked out whether words come to them; from here on all do that do
/// just below.
const LENGTHS: usize = 256;

/// The words of a vocabulary.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// First words, and the tokens of a text of that word alone.
    first: Vec<(&'static str, u64)>,
    /// Further words, and the tokens of each with the space before it.
    next: Vec<(&'static str, u64)>,
    /// Whether further words can come to this many tokens.
    reachable: Vec<bool>,
    verified: bool,
}

impl Words {
    /// Those of the encoder's vocabulary; without one, words that most vocabularies have.
    pub(super) fn find(encoder: Option<&dyn Encoder>, special: bool) -> Result<Words, PromptError> {
        let all: Vec<&'static str> = CANDIDATES.split_whitespace().collect();
        let Some(encoder) = encoder else {
            let all: Vec<_> = all.iter().map(|word| (*word, 1)).collect();
            return Ok(Words::of(all[..N_FIRST].to_vec(), all, false));
        };
        let count = |text: &str| encoder.encode(text, special).map(|ids| ids.len() as u64);
        let mut next = Vec::new();
        single(&count, count(all[0])?, &all, &mut next)?;
        let mut next: Vec<_> = next.into_iter().map(|word| (word, 1)).collect();
        if next.is_empty() {
            next = of_known_length(&count, &all)?;
        }
        if next.is_empty() {
            return Err(EncodeError(
                "the vocabulary has none of the words that prompts are made of".into(),
            )
            .into());
        }
        let step = (next.len() / N_FIRST).max(1);
        let first: Result<Vec<_>, EncodeError> =
            next.iter().step_by(step).take(N_FIRST).map(|(w, _)| Ok((*w, count(w)?))).collect();
        Ok(Words::of(first?, next, true))
    }

    fn of(
        first: Vec<(&'static str, u64)>,
        next: Vec<(&'static str, u64)>,
        verified: bool,
    ) -> Words {
        let mut reachable = vec![true];
        for n in 1..LENGTHS {
            let reaches = |(_, tokens): &(&str, u64)| {
                n.checked_sub(*tokens as usize).is_some_and(|rest| reachable[rest])
            };
            let is_reachable = next.iter().any(reaches);
            reachable.push(is_reachable);
        }
        Words { first, next, reachable, verified }
    }

    /// Whether further words can come to `n` tokens.
    fn reaches(&self, n: u64) -> bool {
        self.reachable.get(n as usize).copied().unwrap_or(self.reachable[LENGTHS - 1])
    }

    /// An encoder has said that they are single tokens.
    pub(super) fn are_verified(&self) -> bool {
        self.verified
    }

    /// Tokens of the shortest text.
    pub(super) fn shortest(&self) -> u64 {
        self.first.iter().map(|(_, tokens)| *tokens).min().unwrap_or(1)
    }

    /// A random text of `n` tokens.
    pub(super) fn text(&self, rng: &mut SplitMix64, n: u64) -> Result<String, PromptError> {
        let fitting: Vec<_> = self.first.iter().filter(|(_, tokens)| *tokens <= n).collect();
        if fitting.is_empty() {
            return Err(PromptError::TooShort { wanted: n, least: self.shortest() });
        }
        let exact: Vec<_> =
            fitting.iter().filter(|(_, tokens)| self.reaches(n - tokens)).copied().collect();
        // What no words come to is a little shorter than asked for.
        let fitting = if exact.is_empty() { fitting } else { exact };
        let (word, tokens) = fitting[rng.below(fitting.len())];
        let mut text = (*word).to_owned();
        self.extend(&mut text, rng, n - tokens);
        Ok(text)
    }

    /// `n` tokens more.
    pub(super) fn extend(&self, text: &mut String, rng: &mut SplitMix64, n: u64) {
        let mut left = n;
        while left > 0 {
            let fits = |(_, tokens): &&(&str, u64)| {
                left.checked_sub(*tokens).is_some_and(|rest| self.reaches(rest))
            };
            let mut fitting = self.next.iter().filter(fits);
            let n_fitting = fitting.clone().count().max(1);
            let Some((word, tokens)) = fitting.nth(rng.below(n_fitting)) else { return };
            text.push(' ');
            text.push_str(word);
            left -= tokens;
        }
    }
}

/// Collects the words of `of` that are one token each after another: half and half where all
/// together are more. `first` is the count of the word that they follow.
fn single(
    count: &impl Fn(&str) -> Result<u64, EncodeError>,
    first: u64,
    of: &[&'static str],
    into: &mut Vec<&'static str>,
) -> Result<(), EncodeError> {
    if into.len() >= ENOUGH {
        return Ok(());
    }
    let text = format!("{} {}", CANDIDATES.split(' ').next().unwrap_or(""), of.join(" "));
    if count(&text)? == first + of.len() as u64 {
        into.extend_from_slice(of);
    } else if let [left @ .., _] = of
        && !left.is_empty()
    {
        let (left, right) = of.split_at(of.len() / 2);
        single(count, first, left, into)?;
        single(count, first, right, into)?;
    }
    Ok(())
}

/// The words, and how many tokens each adds to a text.
fn of_known_length(
    count: &impl Fn(&str) -> Result<u64, EncodeError>,
    of: &[&'static str],
) -> Result<Vec<(&'static str, u64)>, EncodeError> {
    let alone = count(of[0])?;
    let mut found = Vec::new();
    for word in of {
        let tokens = count(&format!("{} {word}", of[0]))?.saturating_sub(alone);
        found.extend((1..LENGTHS as u64).contains(&tokens).then_some((*word, tokens)));
    }
    Ok(found)
}

/// A number for a name: two uses of one seed must not be alike.
pub(super) fn stream(seed: u64, use_: u64) -> SplitMix64 {
    let mut rng = SplitMix64::new(seed ^ use_.wrapping_mul(0xd6e8_feb8_6659_fd93));
    let _ = random::unit(&mut rng);
    SplitMix64::new(rng.next_u64())
}

/// A text with a mark before all else, so that nothing of it can be in a cache.
pub(super) fn mark(nonce: &mut SplitMix64, text: &str) -> String {
    format!("[{:08x}] {text}", nonce.next_u64() >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vocabulary in which words with an `h` take two tokens, and a text has one more.
    pub(super) fn odd(text: &str, special: bool) -> Vec<u32> {
        let tokens = |word: &str| if word.contains('h') { 2 } else { 1 };
        vec![0; text.split_whitespace().map(tokens).sum::<usize>() + usize::from(special)]
    }

    #[test]
    fn only_single_tokens_are_used_and_texts_are_exact() {
        let words = Words::find(Some(&odd), true).unwrap();
        assert!(words.are_verified() && words.next.len() >= 64);
        assert!(words.next.iter().all(|(word, tokens)| !word.contains('h') && *tokens == 1));
        let mut rng = stream(1, 2);
        for n in [2, 3, 32, 1000] {
            assert_eq!(odd(&words.text(&mut rng, n).unwrap(), true).len() as u64, n);
        }
        assert!(matches!(
            words.text(&mut rng, 1),
            Err(PromptError::TooShort { wanted: 1, least: 2 })
        ));
    }

    #[test]
    fn a_vocabulary_of_bytes_and_a_few_words() {
        // As the mock's: ` the` is a token, everything else a token a byte.
        let bytes = |text: &str, _: bool| {
            let mut n = 0;
            let mut words = text.split(' ');
            n += words.next().map_or(0, str::len);
            for word in words {
                n += if ["the", "and", "that"].contains(&word) { 1 } else { 1 + word.len() };
            }
            vec![0; n]
        };
        let words = Words::find(Some(&bytes), false).unwrap();
        assert_eq!(words.shortest(), 3, "the at the start is three bytes");
        let text = words.text(&mut stream(1, 2), 20).unwrap();
        assert_eq!(bytes(&text, false).len(), 20, "{text}");
    }

    #[test]
    fn a_vocabulary_of_bytes_alone_has_words_of_known_lengths() {
        let bytes = |text: &str, _: bool| vec![0; text.len()];
        let words = Words::find(Some(&bytes), false).unwrap();
        let mut rng = stream(1, 2);
        for n in [8, 9, 33, 1000] {
            assert_eq!(words.text(&mut rng, n).unwrap().len() as u64, n);
        }
        // No word is a byte and its space: a text of one byte more than the shortest there is not.
        assert!(words.text(&mut rng, words.shortest() + 1).is_ok_and(|text| text.len() < 4));
        assert!(Words::find(Some(&|_: &str, _: bool| vec![0; 5]), false).is_err());
    }

    #[test]
    fn without_an_encoder_nobody_verified() {
        let words = Words::find(None, true).unwrap();
        assert!(!words.are_verified());
        assert_eq!(words.text(&mut stream(1, 1), 9).unwrap().split(' ').count(), 9);
    }
}
