//! Normalizers and pre-tokenizers: recognized by their content, named as GGUF names them.

use crate::Result;
use crate::hf::json::Node;

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
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Steps, `ignore_merges`, and the value of `tokenizer.ggml.pre` that means them.
const KNOWN: &[(&[Step<'_>], bool, &str)] = &[
    (&[Step::Bytes(true)], false, "gpt-2"),
    (&[Step::Digits, Step::Bytes(true)], false, "smollm"),
    (&[Step::Split(QWEN2), Step::Bytes(false)], false, "qwen2"),
    (&[Step::Split(LLAMA3), Step::Bytes(false)], true, "llama-bpe"),
];

/// The name of a byte-level document's pre-tokenizer.
pub(super) fn byte_level(root: &Node<'_>, model: &Node<'_>) -> Result<&'static str> {
    if let Some(normalizer) = root.opt_node("normalizer")? {
        match normalizer.str("type")? {
            "NFC" => {}
            "Sequence" if normalizer.nodes("normalizers")?.is_empty() => {}
            _ => return Err(normalizer.wrong("type", "NFC, or no normalizer")),
        }
    }
    let ignore_merges = model.opt_bool("ignore_merges")?.unwrap_or(false);
    let pre = root.node("pre_tokenizer")?;
    let parts = if pre.str("type")? == "Sequence" { pre.nodes("pretokenizers")? } else { vec![pre.clone()] };
    let steps = parts.iter().map(step).collect::<Result<Vec<_>>>()?;
    match KNOWN.iter().find(|(known, ..)| *known == steps) {
        Some((_, ignores, name)) if *ignores == ignore_merges => Ok(name),
        Some((_, ignores, name)) => {
            Err(model.wrong("ignore_merges", format!("{ignores}, as other models with the pre-tokenizer {name} have")))
        }
        None => {
            let names: Vec<&str> = KNOWN.iter().map(|(.., name)| *name).collect();
            let expected = format!("that of {}", names.join(", "));
            Err(root.invalid("pre_tokenizer", expected, format!("{steps:?}")))
        }
    }
}

fn step<'a>(node: &Node<'a>) -> Result<Step<'a>> {
    match node.str("type")? {
        "ByteLevel" => {
            if node.opt_bool("add_prefix_space")?.unwrap_or(true) {
                return Err(node.wrong("add_prefix_space", "false"));
            }
            Ok(Step::Bytes(node.opt_bool("use_regex")?.unwrap_or(true)))
        }
        "Digits" => match node.opt_bool("individual_digits")? {
            Some(true) => Ok(Step::Digits),
            _ => Err(node.wrong("individual_digits", "true")),
        },
        "Split" => {
            if node.str("behavior")? != "Isolated" || node.opt_bool("invert")?.unwrap_or(false) {
                return Err(node.wrong("behavior", "Isolated, not inverted"));
            }
            Ok(Step::Split(node.node("pattern")?.str("Regex")?))
        }
        _ => Err(node.wrong("type", "ByteLevel, Digits or Split")),
    }
}

/// Whether a document of SentencePiece's kind sets a space before a text. Spaces become `▁` in all of them.
pub(super) fn sentence_piece(root: &Node<'_>) -> Result<bool> {
    let mut prefix = None;
    let mut replaces = false;
    if let Some(normalizer) = root.opt_node("normalizer")? {
        let sequence = normalizer.str("type")? == "Sequence";
        for part in if sequence { normalizer.nodes("normalizers")? } else { vec![normalizer] } {
            match part.str("type")? {
                "Prepend" if part.str("prepend")? == "▁" => prefix = Some(true),
                "Replace" if part.node("pattern")?.str("String")? == " " && part.str("content")? == "▁" => {
                    replaces = true;
                }
                _ => return Err(part.wrong("type", "Prepend of ▁ or Replace of spaces by ▁")),
            }
        }
    }
    if let Some(pre) = root.opt_node("pre_tokenizer")? {
        match pre.str("type")? {
            // Gemma's cuts at spaces, of which the normalizer has left none.
            "Split" if replaces && pre.node("pattern")?.str("String")? == " " => {}
            "Metaspace" if prefix.is_none() => {
                if pre.str("replacement")? != "▁" {
                    return Err(pre.wrong("replacement", "▁"));
                }
                let old = pre.opt_bool("add_prefix_space")?.unwrap_or(true);
                let scheme = pre.opt_str("prepend_scheme")?.unwrap_or(if old { "always" } else { "never" });
                prefix = Some(scheme != "never");
                replaces = true;
            }
            _ => return Err(pre.wrong("type", "Metaspace or none")),
        }
    }
    if !replaces {
        return Err(root.wrong("normalizer", "a Replace of spaces by ▁, or a pre-tokenizer that does it"));
    }
    Ok(prefix.unwrap_or(false))
}
