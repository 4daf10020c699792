//! The pre-tokenizers: how byte-level BPE cuts a text into pieces that are merged on their own.
//!
//! A row is a sequence of steps, each cutting the pieces of the one before; what a step's regex
//! does not match is a piece too. Which regexes belong to a name in `tokenizer.ggml.pre` is
//! llama.cpp's table (`src/llama-vocab.cpp`).

use crate::scan;

/// One kind of pre-tokenizer.
#[derive(Debug)]
pub struct PreTokenizer {
    /// Values of `tokenizer.ggml.pre` that mean it.
    pub names: &'static [&'static str],
    /// Applied in order.
    pub steps: &'static [Step],
    /// A piece that is a token as it stands is not merged.
    pub ignore_merges: bool,
    /// Whether BOS is added where the file does not say.
    pub add_bos: bool,
}

/// One regex of a pre-tokenizer.
#[derive(Debug)]
pub struct Step {
    /// What it matches.
    pub regex: &'static str,
    /// The length of the first piece of a text that is not empty.
    first: fn(&str) -> usize,
}

const GPT2: Step = Step {
    regex: r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    first: scan::gpt2,
};
const QWEN2: Step = Step {
    regex: r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    first: scan::qwen2,
};
const LLAMA3: Step = Step {
    regex: r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    first: scan::llama3,
};
const NUMBER: Step = Step { regex: r"\p{N}", first: scan::number };
const NUMBERS: Step = Step { regex: r"\p{N}+", first: scan::numbers };
const THREE_DIGITS: Step = Step { regex: r"[0-9][0-9][0-9]", first: scan::three_digits };
const PUNCTUATION: Step = Step { regex: r"[\p{P}\$\+<=>\^~\|]+", first: scan::punctuation };
const FALCON_PUNCTUATION: Step =
    Step { regex: r"[\p{P}\$\+<=>\^~\|`]+", first: scan::falcon_punctuation };
const LINE_END: Step = Step { regex: r"[\r\n]", first: scan::line_end };
const SPACED_LETTERS: Step = Step { regex: r"\s?\p{L}+", first: scan::spaced_letters };
const SPACED_PUNCTUATION: Step = Step { regex: r"\s?\p{P}+", first: scan::spaced_punctuation };
const EAST_ASIAN: Step = Step { regex: r"[一-龥ࠀ-一가-퟿]+", first: scan::east_asian };

/// All that are known. `default` is also what a file without `tokenizer.ggml.pre` gets.
pub const PRE_TOKENIZERS: &[PreTokenizer] = &[
    PreTokenizer {
        names: &["default"],
        steps: &[PUNCTUATION, GPT2, NUMBERS, THREE_DIGITS],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["gpt-2", "mpt", "olmo", "phi-2", "jais", "trillion", "exaone4"],
        steps: &[GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
        steps: &[NUMBER, GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan"],
        steps: &[QWEN2],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "lfm2"],
        steps: &[LLAMA3],
        ignore_merges: true,
        add_bos: true,
    },
    PreTokenizer {
        names: &["dbrx", "smaug-bpe"], // of OLMo 2 and of SmolLM3
        steps: &[LLAMA3],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["falcon"],
        steps: &[FALCON_PUNCTUATION, GPT2, THREE_DIGITS],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        steps: &[LINE_END, SPACED_LETTERS, SPACED_PUNCTUATION, EAST_ASIAN, NUMBER],
        ignore_merges: false,
        add_bos: false,
    },
];

impl PreTokenizer {
    /// The row for a value of `tokenizer.ggml.pre`.
    pub fn named(name: &str) -> Option<&'static PreTokenizer> {
        PRE_TOKENIZERS.iter().find(|row| row.names.contains(&name))
    }

    /// Calls `piece` with every piece of `text`, in order.
    pub fn split<'t>(&self, text: &'t str, piece: &mut impl FnMut(&'t str)) {
        split(self.steps, text, piece);
    }
}

fn split<'t>(steps: &[Step], mut text: &'t str, piece: &mut impl FnMut(&'t str)) {
    let Some((step, rest)) = steps.split_first() else { return piece(text) };
    while !text.is_empty() {
        let (first, remaining) = text.split_at((step.first)(text));
        split(rest, first, piece);
        text = remaining;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::sync::LazyLock;

    /// One step by the regex engine: the matches, and the gaps between them.
    fn by_regex<'t>(regex: &fancy_regex::Regex, text: &'t str) -> Vec<&'t str> {
        let mut pieces = Vec::new();
        let mut end = 0;
        for found in regex.find_iter(text).map(Result::unwrap) {
            pieces.extend([&text[end..found.start()], found.as_str()]);
            end = found.end();
        }
        pieces.push(&text[end..]);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    static REGEXES: LazyLock<Vec<Vec<fancy_regex::Regex>>> = LazyLock::new(|| {
        let compile = |step: &Step| fancy_regex::Regex::new(step.regex).unwrap();
        PRE_TOKENIZERS.iter().map(|row| row.steps.iter().map(compile).collect()).collect()
    });

    fn check(text: &str) {
        for (row, regexes) in PRE_TOKENIZERS.iter().zip(&*REGEXES) {
            let expected = regexes.iter().fold(vec![text], |pieces, regex| {
                pieces.iter().flat_map(|piece| by_regex(regex, piece)).collect::<Vec<_>>()
            });
            let mut pieces = Vec::new();
            row.split(text, &mut |piece| pieces.push(piece));
            pieces.retain(|piece| !piece.is_empty());
            let expected: Vec<_> = expected.into_iter().filter(|piece| !piece.is_empty()).collect();
            assert_eq!(pieces, expected, "{:?} of {text:?}", row.names);
            assert_eq!(pieces.concat(), text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn scanners_are_their_regexes(text in r"(?s)[ a'slrveETL0-9\r\n\t.!$é界가`\u{a0}\u{3000}ⅷ\u{301}🙂]{0,30}|.{0,30}") {
            check(&text);
        }
    }

    #[test]
    fn scanners_are_their_regexes_where_it_is_delicate() {
        for text in [
            "",
            " ",
            "  ",
            "\n",
            " \n",
            "\n ",
            "a  b",
            "a \n b",
            "it's IT'S 'sx ''s ' s",
            "  1",
            " 12345a",
            "x\u{a0}y",
            "'",
            "'r",
            " '",
            " 's",
            "a\r\n\r\n",
            "!\n\n",
            " !\r\nx",
            "\u{3000}\u{3000}界",
            "1\u{301}2",
            "\t\tx",
            "\n\n  x",
            "½²Ⅷ",
            "$1,000.00",
        ] {
            check(text);
        }
    }

    #[test]
    fn names_are_unique() {
        let names: Vec<_> = PRE_TOKENIZERS.iter().flat_map(|row| row.names).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert!(PreTokenizer::named("smollm").is_some() && PreTokenizer::named("").is_none());
    }
}
