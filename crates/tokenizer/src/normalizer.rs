//! Normalizers: what a text becomes before it is cut, where a `tokenizer.json` names any.
//!
//! GGUF has no key for them and llama.cpp applies none, so they stand under a key that only our
//! reader of Hugging Face directories sets: a list of names, each followed by its arguments. Which
//! there are and what they do: <https://huggingface.co/docs/tokenizers/api/normalizers>.

use std::borrow::Cow;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd, is_nfkc, is_nfkd};

/// Real documents have up to five.
const MAX_STEPS: usize = 32;
/// Bytes of an argument.
const MAX_TEXT: usize = 64;
/// Times the length of a text that all replacements together may make of it.
const MAX_GROWTH: usize = 64;

/// Steps, applied in order.
#[derive(Debug, Default)]
pub(crate) struct Normalizer(Vec<Step>);

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    /// Each character on its own, so without Σ's form at the end of a word.
    Lowercase,
    StripAccents,
    StripLeft,
    StripRight,
    Replace(Box<str>, Box<str>),
    /// Before a text that is not empty, whatever it begins with.
    Prepend(Box<str>),
}

impl Normalizer {
    /// Reads names and arguments; the error says what was expected, and what was found.
    pub(crate) fn new<'a>(
        mut words: impl Iterator<Item = &'a str>,
    ) -> Result<Normalizer, (String, String)> {
        let mut steps = Vec::new();
        let mut growth = 1;
        while let Some(name) = words.next() {
            let mut argument = || {
                let text = words.next().filter(|text| text.len() <= MAX_TEXT);
                text.ok_or_else(|| {
                    (
                        format!("an argument of at most {MAX_TEXT} bytes"),
                        format!("none for {name:?}"),
                    )
                })
            };
            steps.push(match name {
                "NFC" => Step::Nfc,
                "NFD" => Step::Nfd,
                "NFKC" => Step::Nfkc,
                "NFKD" => Step::Nfkd,
                "Lowercase" => Step::Lowercase,
                "StripAccents" => Step::StripAccents,
                "StripLeft" => Step::StripLeft,
                "StripRight" => Step::StripRight,
                "Prepend" => Step::Prepend(argument()?.into()),
                "Replace" => {
                    let (from, to) = (argument()?, argument()?);
                    if from.is_empty() {
                        return Err(("a text to replace".into(), "an empty one".into()));
                    }
                    growth *= to.len().div_ceil(from.len()).max(1);
                    Step::Replace(from.into(), to.into())
                }
                other => return Err(("the name of a normalizer".into(), format!("{other:?}"))),
            });
            if steps.len() > MAX_STEPS {
                return Err((format!("at most {MAX_STEPS} steps"), "more".into()));
            }
            if growth > MAX_GROWTH {
                return Err((
                    format!("replacements that make a text at most {MAX_GROWTH} times as long"),
                    "more".into(),
                ));
            }
        }
        Ok(Normalizer(steps))
    }

    /// The normalized text.
    pub(crate) fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, step| match step.apply(&text) {
            Some(changed) => Cow::Owned(changed),
            None => text,
        })
    }
}

impl Step {
    /// What the step makes of `text`; `None` where that is the same, which for most text is seen
    /// without looking closely.
    fn apply(&self, text: &str) -> Option<String> {
        let other = |is_normal: fn(&str) -> bool| !text.is_ascii() && !is_normal(text);
        match self {
            Step::Nfc => other(is_nfc).then(|| text.nfc().collect()),
            Step::Nfd => other(is_nfd).then(|| text.nfd().collect()),
            Step::Nfkc => other(is_nfkc).then(|| text.nfkc().collect()),
            Step::Nfkd => other(is_nfkd).then(|| text.nfkd().collect()),
            Step::Lowercase => Some(text.chars().flat_map(char::to_lowercase).collect()),
            Step::StripAccents => (!text.is_ascii())
                .then(|| text.chars().filter(|&c| !is_combining_mark(c)).collect()),
            Step::StripLeft => Some(text.trim_start().into()),
            Step::StripRight => Some(text.trim_end().into()),
            Step::Replace(from, to) => text.contains(&**from).then(|| text.replace(&**from, to)),
            Step::Prepend(before) => (!text.is_empty()).then(|| format!("{before}{text}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(words: &[&str], text: &str) -> String {
        Normalizer::new(words.iter().copied()).unwrap().apply(text).into_owned()
    }

    #[test]
    fn steps_apply_in_order_and_only_where_they_change_something() {
        assert_eq!(apply(&["NFC"], "e\u{301}"), "é");
        assert_eq!(apply(&["NFD", "StripAccents", "Lowercase"], "ÀΣ"), "aσ");
        assert_eq!(apply(&["Prepend", "▁", "Replace", " ", "▁"], " a"), "▁▁a");
        assert_eq!(apply(&["Replace", " ", "▁", "Prepend", "▁"], ""), "");
        assert_eq!(apply(&["StripLeft"], " \u{a0}a "), "a ");
        assert_eq!(apply(&["StripRight"], " a\u{2003}"), " a");
        assert!(matches!(
            Normalizer::new(["NFC"].into_iter()).unwrap().apply("é"),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn what_is_unknown_or_grows_without_bound_is_refused() {
        let long = "x".repeat(64);
        let grows = ["Replace", "x", &long, "Replace", "x", "yy"];
        for words in [
            &["nfc"] as &[&str],
            &["Prepend"],
            &["Replace", "a"],
            &["Replace", "", "a"],
            &grows,
            &["NFC"; 33],
        ] {
            assert!(Normalizer::new(words.iter().copied()).is_err(), "{words:?}");
        }
        assert!(Normalizer::new(grows[..3].iter().copied()).is_ok());
    }
}
