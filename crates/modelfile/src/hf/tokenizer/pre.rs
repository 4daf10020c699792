//! Pre-tokenizers: recognized by their content, named as GGUF names them, or told by keys of our
//! own.

use super::normalizer::Normalizer;
use crate::hf::json::Node;
use crate::{Metadata, Result, Value};

/// One step of a pre-tokenizer.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    /// Cuts at every match of a regular expression.
    Split(&'a str),
    /// Each digit alone.
    Digits,
    /// Bytes to characters; `true` cuts by GPT-2's expression before.
    Bytes(bool),
}

/// What Llama 3 and its descendants split by.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// What Qwen 2 and its descendants split by.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Steps, and the value of `tokenizer.ggml.pre` that means them.
const KNOWN: &[(&[Step<'_>], &str)] = &[
    (&[Step::Bytes(true)], "gpt-2"),
    (&[Step::Digits, Step::Bytes(true)], "smollm"),
    (&[Step::Split(QWEN2), Step::Bytes(false)], "qwen2"),
    (&[Step::Split(LLAMA3), Step::Bytes(false)], "llama-bpe"),
    (
        &[
            Step::Split(r"[\r\n]"),
            Step::Split(r"\s?\p{L}+"),
            Step::Split(r"\s?\p{P}+"),
            Step::Split("[一-龥ࠀ-一가-퟿]+"),
            Step::Digits,
            Step::Bytes(false),
        ],
        "deepseek-coder",
    ),
];

/// A document's way to cut a text.
#[derive(Debug)]
pub(super) enum Pre {
    /// Bytes written as characters.
    ByteLevel {
        /// As GGUF names it.
        name: &'static str,
        /// Whether a text that does not begin with a space gets one.
        prefix: bool,
    },
    /// Characters, with `▁` for spaces.
    Characters {
        /// `never`, `first` or `always`: see [`Pre::put`].
        prefix: &'static str,
        split: bool,
    },
}

impl Pre {
    pub(super) fn read(
        root: &Node<'_>,
        model: &Node<'_>,
        normalizer: &Normalizer<'_>,
    ) -> Result<Pre> {
        let node = root.opt_node("pre_tokenizer")?;
        let mut parts = Vec::new();
        if let Some(node) = &node {
            parts = if node.str("type")? == "Sequence" {
                node.nodes("pretokenizers")?
            } else {
                vec![node.clone()]
            };
        }
        let is = |name: &str| {
            parts.iter().any(|part| part.opt_str("type").is_ok_and(|found| found == Some(name)))
        };
        let byte_fallback = model.opt_bool("byte_fallback")?.unwrap_or(false);
        let is_characters = is("Metaspace") || normalizer.replaces_spaces;
        match (is("ByteLevel"), is_characters, byte_fallback) {
            (true, _, true) => {
                return Err(
                    model.wrong("byte_fallback", "false beside the pre-tokenizer ByteLevel")
                );
            }
            (false, false, true) => {
                let expected =
                    "a Replace of spaces by ▁ and none back, or a pre-tokenizer that does it";
                return Err(root.wrong("normalizer", expected));
            }
            (true, ..) | (_, false, _) => return byte_level(root, &parts),
            (false, true, _) => {}
        }
        match parts.as_slice() {
            [] => Ok(Pre::Characters { prefix: "never", split: false }),
            [part] => characters(part, normalizer),
            _ => Err(root.invalid(
                "pre_tokenizer",
                "Metaspace, a Split at spaces or none",
                "a Sequence of several",
            )),
        }
    }

    /// Whether a space is set before a text.
    pub(super) fn sets_space(&self) -> bool {
        matches!(
            self,
            Pre::ByteLevel { prefix: true, .. }
                | Pre::Characters { prefix: "first" | "always", .. }
        )
    }

    /// Sets the keys that say it.
    pub(super) fn put(&self, metadata: &mut Metadata) {
        let prefix = match self {
            Pre::ByteLevel { name, prefix } => {
                metadata.set("tokenizer.ggml.pre", Value::String((*name).into()));
                if *prefix { "always" } else { "never" }
            }
            Pre::Characters { prefix, split } => {
                metadata.set("tokenizer.pacemark.split_at_spaces", Value::Bool(*split));
                prefix
            }
        };
        metadata.set("tokenizer.pacemark.space_prefix", Value::String(prefix.into()));
    }
}

fn byte_level(root: &Node<'_>, parts: &[Node<'_>]) -> Result<Pre> {
    root.node("pre_tokenizer")?;
    let mut prefix = false;
    let mut steps = Vec::new();
    for part in parts {
        steps.push(step(part, &mut prefix)?);
    }
    let Some((_, name)) = KNOWN.iter().find(|(known, _)| *known == steps) else {
        let names: Vec<&str> = KNOWN.iter().map(|(_, name)| *name).collect();
        return Err(root.invalid(
            "pre_tokenizer",
            format!("that of {}", names.join(", ")),
            format!("{steps:?}"),
        ));
    };
    // Behind another step it would set a space before each of that one's pieces.
    if let (true, Some(last)) = (prefix && steps.len() > 1, parts.last()) {
        return Err(last.wrong("add_prefix_space", "false where something else cuts before"));
    }
    Ok(Pre::ByteLevel { name, prefix })
}

fn step<'a>(node: &Node<'a>, prefix: &mut bool) -> Result<Step<'a>> {
    match node.str("type")? {
        "ByteLevel" => {
            node.only(&["type", "add_prefix_space", "trim_offsets", "use_regex"])?;
            *prefix |= node.opt_bool("add_prefix_space")?.unwrap_or(true);
            Ok(Step::Bytes(node.opt_bool("use_regex")?.unwrap_or(true)))
        }
        "Digits" => {
            node.only(&["type", "individual_digits"])?;
            match node.opt_bool("individual_digits")? {
                Some(true) => Ok(Step::Digits),
                _ => Err(node.wrong("individual_digits", "true")),
            }
        }
        "Split" => {
            node.only(&["type", "pattern", "behavior", "invert"])?;
            if node.str("behavior")? != "Isolated" || node.opt_bool("invert")?.unwrap_or(false) {
                return Err(node.wrong("behavior", "Isolated, not inverted"));
            }
            Ok(Step::Split(node.node("pattern")?.str("Regex")?))
        }
        _ => Err(node.wrong("type", "ByteLevel, Digits or Split")),
    }
}

fn characters(node: &Node<'_>, normalizer: &Normalizer<'_>) -> Result<Pre> {
    match node.str("type")? {
        // Gemma's cuts at spaces, of which the normalizer has left none.
        "Split" if normalizer.replaces_spaces => {
            node.only(&["type", "pattern", "behavior", "invert"])?;
            if node.node("pattern")?.opt_str("String")? != Some(" ")
                || node.opt_bool("invert")?.unwrap_or(false)
            {
                return Err(node.wrong("pattern", "the String of a space, not inverted"));
            }
            Ok(Pre::Characters { prefix: "never", split: false })
        }
        "Metaspace" => {
            node.only(&[
                "type",
                "replacement",
                "str_rep",
                "add_prefix_space",
                "prepend_scheme",
                "split",
            ])?;
            if node.str("replacement")? != "▁" {
                return Err(node.wrong("replacement", "▁"));
            }
            let old = node.opt_bool("add_prefix_space")?.unwrap_or(true);
            let prefix = match node.opt_str("prepend_scheme")? {
                Some("never") => "never",
                None if !old => "never",
                Some("first") => "first",
                Some("always") | None => "always",
                Some(_) => return Err(node.wrong("prepend_scheme", "never, first or always")),
            };
            if !old && prefix != "never" {
                return Err(node.wrong("prepend_scheme", "never beside add_prefix_space: false"));
            }
            // It is the first of the text as it was given that counts.
            if prefix == "first" && normalizer.may_cut_start {
                return Err(node.wrong(
                    "prepend_scheme",
                    "another beside a normalizer that may take the first character",
                ));
            }
            Ok(Pre::Characters { prefix, split: node.opt_bool("split")?.unwrap_or(true) })
        }
        _ => Err(node.wrong(
            "type",
            "Metaspace, a Split at spaces that the normalizer has replaced, or none",
        )),
    }
}
