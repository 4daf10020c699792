//! `tokenizer.json` as GGUF's `tokenizer.ggml.*` keys, with what the files beside it add: special tokens, chat template.
//!
//! Two kinds are known, by what the document says and not by the model's name: byte-level BPE with one of the pre-tokenizers
//! in [`pre`], and BPE over characters with bytes to fall back to, which is what SentencePiece models are converted to. A
//! setting that would change the ids of a text and has no counterpart is an error. One is passed over as llama.cpp does:
//! the normalization to NFC, which most text is in.

mod pre;
mod special;

use super::json::{Document, Node};
use crate::{Metadata, ModelFileError, Result, Strings, Value};
use serde_json::Value as Json;
use special::Beside;
use std::collections::HashMap;
use std::path::Path;

/// The largest known, Gemma's, has 33 MB.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// Token types of GGUF.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// Sets the keys of the directory's tokenizer for a model of `n_vocab` tokens; what it passes over goes to `warnings`.
pub(super) fn describe(
    directory: &Path,
    config: &Node<'_>,
    n_vocab: usize,
    metadata: &mut Metadata,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let document = Document::open(&directory.join("tokenizer.json"), MAX_TOKENIZER_BYTES)?;
    let root = document.root();
    let model = root.node("model")?;
    check_model(&model)?;
    let mut vocab = Vocab::read(&root, &model, n_vocab)?;
    let merges = merges(&model)?;
    let model_name = if model.opt_bool("byte_fallback")?.unwrap_or(false) {
        let prefix = pre::sentence_piece(&root)?;
        metadata.set("tokenizer.ggml.add_space_prefix", Value::Bool(prefix));
        metadata.set("tokenizer.ggml.scores", Value::F32s(vocab.scores(&merges)));
        vocab.mark_bytes(model.opt_str("unk_token")?);
        "llama"
    } else {
        metadata.set("tokenizer.ggml.pre", Value::String(pre::byte_level(&root, &model)?.into()));
        let merges: Strings = merges.iter().map(|(a, b)| format!("{a} {b}")).collect();
        metadata.set("tokenizer.ggml.merges", Value::Strings(merges));
        "gpt2"
    };
    metadata.set("tokenizer.ggml.model", Value::String(model_name.into()));
    Beside::open(directory)?.describe(&root, config, &vocab, metadata, warnings)?;
    vocab.put(metadata);
    Ok(())
}

/// That the model is BPE without what GGUF has no place for.
fn check_model(model: &Node<'_>) -> Result<()> {
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
        let whole = pair.filter(|(a, b)| !a.is_empty() && !b.is_empty() && !a.contains(' ') && !b.contains(' '));
        let expected = "two tokens without spaces";
        whole.ok_or_else(|| model.invalid(&format!("merges[{at}]"), expected, super::json::describe(entry)))
    };
    entries.iter().enumerate().map(pair).collect()
}

/// Texts and types by id. Ids without a text are padding: rows of the embedding that no text becomes.
struct Vocab<'a> {
    texts: Vec<Option<&'a str>>,
    types: Vec<i32>,
    ids: HashMap<&'a str, u32>,
}

impl<'a> Vocab<'a> {
    fn read(root: &Node<'a>, model: &Node<'a>, n_vocab: usize) -> Result<Vocab<'a>> {
        let mut vocab = Vocab { texts: vec![None; n_vocab], types: vec![UNUSED; n_vocab], ids: HashMap::new() };
        let entries = model.required("vocab", "an object", model.opt_map("vocab")?)?;
        let node = model.node("vocab")?;
        for (text, id) in entries {
            let known = id.as_u64().filter(|&id| id < n_vocab as u64);
            let expected = || format!("an id below vocab_size = {n_vocab}");
            let id = known.ok_or_else(|| node.invalid(text, expected(), super::json::describe(id)))? as u32;
            vocab.add(text, id, NORMAL).map_err(|other| node.invalid(text, "an id of its own", other))?;
        }
        for token in root.nodes("added_tokens")? {
            vocab.add_added(&token, n_vocab)?;
        }
        Ok(vocab)
    }

    /// Gives an id its text; the message if it has another.
    fn add(&mut self, text: &'a str, id: u32, kind: i32) -> std::result::Result<(), String> {
        let at = id as usize;
        if let Some(other) = self.texts[at].filter(|&other| other != text) {
            return Err(format!("{id}, the id of {other:?}"));
        }
        if let Some(other) = self.ids.insert(text, id).filter(|&other| other != id) {
            return Err(format!("{id}, and {other} elsewhere"));
        }
        (self.texts[at], self.types[at]) = (Some(text), kind);
        Ok(())
    }

    fn add_added(&mut self, token: &Node<'a>, n_vocab: usize) -> Result<()> {
        let text = token.str("content")?;
        let id = token.get("id").and_then(Json::as_u64).ok_or_else(|| token.wrong("id", "a number"))?;
        // Gemma's text models share the vocabulary of those that see; what lies beyond the embedding cannot be computed.
        if id >= n_vocab as u64 {
            return Ok(());
        }
        for flag in ["single_word", "lstrip", "rstrip"] {
            if token.opt_bool(flag)?.unwrap_or(false) {
                return Err(token.wrong(flag, "false: the other is not supported"));
            }
        }
        let kind = if token.opt_bool("special")?.unwrap_or(false) { CONTROL } else { USER_DEFINED };
        self.add(text, id as u32, kind).map_err(|other| token.invalid("content", "a text and id of its own", other))
    }

    /// GGUF's scores of SentencePiece: a merge of a lower rank is better, and all are better than what no merge makes.
    fn scores(&self, merges: &[(&str, &str)]) -> Vec<f32> {
        let mut scores = vec![-1e9; self.texts.len()];
        let mut whole = String::new();
        for (rank, (a, b)) in merges.iter().enumerate().rev() {
            whole.clear();
            whole.extend([*a, *b]);
            if let Some(&id) = self.ids.get(whole.as_str()) {
                scores[id as usize] = -(rank as f32);
            }
        }
        scores
    }

    /// Marks `<0x00>` to `<0xFF>` and the unknown token.
    fn mark_bytes(&mut self, unknown: Option<&str>) {
        for byte in 0..=255 {
            if let Some(&id) = self.ids.get(format!("<0x{byte:02X}>").as_str()) {
                self.types[id as usize] = BYTE;
            }
        }
        if let Some(&id) = unknown.and_then(|text| self.ids.get(text)) {
            self.types[id as usize] = UNKNOWN;
        }
    }

    fn put(self, metadata: &mut Metadata) {
        let mut texts = Strings::default();
        for (id, text) in self.texts.iter().enumerate() {
            match text {
                // Where SentencePiece writes ▁, an added token has the space itself.
                Some(text) if self.types[id] == USER_DEFINED => texts.push(&text.replace('▁', " ")),
                Some(text) => texts.push(text),
                None => texts.push(&format!("[PAD{id}]")),
            }
        }
        metadata.set("tokenizer.ggml.tokens", Value::Strings(texts));
        metadata.set("tokenizer.ggml.token_type", Value::I32s(self.types));
    }
}

/// That an id is a token.
fn check_id(node: &Node<'_>, field: &str, id: u64, n_vocab: usize) -> Result<u32> {
    let known = u32::try_from(id).ok().filter(|&id| (id as usize) < n_vocab);
    let error =
        || -> ModelFileError { node.invalid(field, format!("an id below vocab_size = {n_vocab}"), id.to_string()) };
    known.ok_or_else(error)
}
