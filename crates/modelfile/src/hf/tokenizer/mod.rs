//! `tokenizer.json` as GGUF's `tokenizer.ggml.*` keys, with what the files beside it add: special
//! tokens, chat templates.
//!
//! Two kinds are known, by what the document says and not by the model's name: byte-level BPE with
//! one of the pre-tokenizers in [`pre`], and BPE over characters with `▁` for spaces, which is what
//! SentencePiece models are converted to. What GGUF has no key for (normalizers, flags of added
//! tokens, …) stands under `tokenizer.pacemark.*`, so that the ids of a text are Hugging Face's. A
//! field that is not known is an error, and so is a setting that would change ids and is not
//! followed; docs/tokenizers.md lists both, and what is passed over because it changes none.

mod decoder;
mod normalizer;
mod older;
mod pre;
mod special;
mod templates;
mod vocab;

use super::json::{Document, Node};
use crate::{Metadata, Result, Strings, Value};
use normalizer::Normalizer;
use pre::Pre;
use serde_json::Value as Json;
use special::Beside;
use std::path::Path;
use vocab::Vocab;

/// The largest known, Gemma's, has 33 MB.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// Sets the keys of the directory's tokenizer for a model of `n_vocab` tokens; what it passes over
/// goes to `warnings`.
pub(super) fn describe(
    directory: &Path,
    config: &Node<'_>,
    n_vocab: usize,
    metadata: &mut Metadata,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let document = Document::open(&directory.join("tokenizer.json"), MAX_TOKENIZER_BYTES)?;
    let root = document.root();
    // Truncation and padding are what a caller may ask for; transformers resets both where it does
    // not.
    let parts =
        ["added_tokens", "normalizer", "pre_tokenizer", "model", "post_processor", "decoder"];
    root.only(&[&["version", "truncation", "padding"], parts.as_slice()].concat())?;
    let beside = Beside::open(directory)?;
    let (model, settings) = (root.node("model")?, beside.tokenizer_config());
    check_model(&model)?;
    let mut vocab = Vocab::read(&root, &model, settings.as_ref(), n_vocab)?;
    let merges = merges(&model)?;
    let normalizer = Normalizer::read(&root)?;
    let pre = Pre::read(&root, &model, &normalizer)?;
    let byte_fallback = model.opt_bool("byte_fallback")?.unwrap_or(false);
    let sets_space = normalizer.prepends_space || pre.sets_space();
    if let Some(settings) = &settings {
        check_settings(settings, sets_space)?;
    }
    let strips_space = decoder::read(&root, &pre, normalizer.prepends_space, byte_fallback)?;

    let is_bytes = matches!(pre, Pre::ByteLevel { .. });
    metadata
        .set("tokenizer.ggml.model", Value::String(if is_bytes { "gpt2" } else { "llama" }.into()));
    let pairs: Strings = merges.iter().map(|(a, b)| format!("{a} {b}")).collect();
    metadata.set("tokenizer.ggml.merges", Value::Strings(pairs));
    if !is_bytes {
        // For llama.cpp, which merges by score and knows one kind of prefix.
        metadata.set("tokenizer.ggml.scores", Value::F32s(vocab.scores(&merges)));
        metadata.set("tokenizer.ggml.add_space_prefix", Value::Bool(sets_space));
        if byte_fallback {
            vocab.mark_bytes();
        }
    }
    metadata.set("tokenizer.pacemark.rules", Value::String("huggingface".into()));
    let words: Strings = normalizer.words.into_iter().collect();
    metadata.set("tokenizer.pacemark.normalizer", Value::Strings(words));
    metadata.set("tokenizer.pacemark.strip_space", Value::Bool(strips_space));
    pre.put(metadata);
    if let Some(id) = unknown(&model, &vocab, metadata)?.filter(|_| !is_bytes) {
        vocab.mark_unknown(id);
    }
    beside.describe(&root, config, &vocab, metadata, warnings)?;
    templates::put(directory, beside.tokenizer_config(), metadata)?;
    vocab.put(!is_bytes, metadata);
    Ok(())
}

/// Settings of `tokenizer_config.json` that make other ids of a text, or another text of ids, than
/// `tokenizer.json` does.
fn check_settings(settings: &Node<'_>, sets_space: bool) -> Result<()> {
    let others = [
        "split_special_tokens",
        "do_lower_case",
        "fix_mistral_regex",
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
    ];
    for field in others {
        if settings.opt_bool(field)?.unwrap_or(false) {
            return Err(settings.wrong(field, "false: the other is not supported"));
        }
    }
    let specific = "model_specific_special_tokens";
    if settings.opt_map(specific)?.is_some_and(|tokens| !tokens.is_empty()) {
        return Err(settings.wrong(specific, "none: not supported"));
    }
    match settings.opt_bool("add_prefix_space")? {
        Some(adds) if adds != sets_space => {
            Err(settings
                .wrong("add_prefix_space", format!("{sets_space}, as tokenizer.json has it")))
        }
        _ => Ok(()),
    }
}

/// Sets the keys of what becomes of a character that is no token, and of a piece that is one.
/// Returns the unknown token.
fn unknown(model: &Node<'_>, vocab: &Vocab<'_>, metadata: &mut Metadata) -> Result<Option<u32>> {
    let is = |field: &str| model.opt_bool(field).map(|value| value.unwrap_or(false));
    metadata.set("tokenizer.pacemark.ignore_merges", Value::Bool(is("ignore_merges")?));
    metadata.set("tokenizer.pacemark.fuse_unknown", Value::Bool(is("fuse_unk")?));
    let Some(text) = model.opt_str("unk_token")?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let id = vocab
        .ids
        .get(text)
        .copied()
        .ok_or_else(|| model.wrong("unk_token", "a token of the vocabulary"))?;
    metadata.set("tokenizer.pacemark.unknown_token_id", Value::U32(id));
    Ok(Some(id))
}

/// That the model is BPE without what GGUF has no place for.
fn check_model(model: &Node<'_>) -> Result<()> {
    model.only(&[
        "type",
        "vocab",
        "merges",
        "dropout",
        "unk_token",
        "fuse_unk",
        "byte_fallback",
        "ignore_merges",
        "continuing_subword_prefix",
        "end_of_word_suffix",
    ])?;
    // Documents of 2020 do not name the type, but only BPE has merges.
    match model.opt_str("type")? {
        Some("BPE") => {}
        None if model.get("merges").is_some() => {}
        _ => return Err(model.wrong("type", "BPE (byte-level, or with byte_fallback)")),
    }
    for affix in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if !model.opt_str(affix)?.unwrap_or_default().is_empty() {
            return Err(model.wrong(affix, "none"));
        }
    }
    if model.opt_f32("dropout")?.unwrap_or(0.0) != 0.0 {
        return Err(model.wrong("dropout", "none"));
    }
    Ok(())
}

/// Pairs in order of rank, written `"a b"` or, since tokenizers 0.20, `["a", "b"]`.
fn merges<'a>(model: &Node<'a>) -> Result<Vec<(&'a str, &'a str)>> {
    let entries = model.required("merges", "an array", model.opt_array("merges")?)?;
    let pair = |(at, entry): (usize, &'a Json)| {
        let pair = match entry {
            Json::String(text) => text.split_once(' '),
            Json::Array(pair) => match pair.as_slice() {
                [a, b] => a.as_str().zip(b.as_str()),
                _ => None,
            },
            _ => None,
        };
        let whole = pair.filter(|(a, b)| {
            !a.is_empty() && !b.is_empty() && !a.contains(' ') && !b.contains(' ')
        });
        let expected = "two tokens without spaces";
        whole.ok_or_else(|| {
            model.invalid(&format!("merges[{at}]"), expected, super::json::describe(entry))
        })
    };
    entries.iter().enumerate().map(pair).collect()
}
