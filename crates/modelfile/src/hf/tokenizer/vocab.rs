//! The vocabulary of a `tokenizer.json` by id: the model's tokens, and the tokens added to them
//! there or beside it.

use crate::hf::json::{Node, describe};
use crate::{Metadata, Result, Strings, Value};
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap};

/// Token types of GGUF.
const NORMAL: i32 = 1;
pub(super) const UNKNOWN: i32 = 2;
pub(super) const CONTROL: i32 = 3;
pub(super) const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// Fields of an added token that are flags of `tokenizer.pacemark.added_flags`, lowest bit first.
const FLAGS: [&str; 4] = ["lstrip", "rstrip", "normalized", "special"];
const SPECIAL: u32 = 8;
/// Set for a text with `▁` where the vocabulary shows a space.
const SPACED: u32 = 16;

/// Texts and types by id. Ids without a text are padding: rows of the embedding that no text
/// becomes.
pub(super) struct Vocab<'a> {
    pub texts: Vec<Option<&'a str>>,
    pub ids: HashMap<&'a str, u32>,
    pub(super) types: Vec<i32>,
    /// Flags of the added tokens.
    added: BTreeMap<u32, u32>,
}

impl<'a> Vocab<'a> {
    /// Of the document, and of `tokenizer_config.json`.
    pub(super) fn read(
        root: &Node<'a>,
        model: &Node<'a>,
        beside: Option<&Node<'a>>,
        n_vocab: usize,
    ) -> Result<Vocab<'a>> {
        let (texts, types) = (vec![None; n_vocab], vec![UNUSED; n_vocab]);
        let mut vocab = Vocab { texts, types, ids: HashMap::new(), added: BTreeMap::new() };
        let entries = model.required("vocab", "an object", model.opt_map("vocab")?)?;
        let node = model.node("vocab")?;
        for (text, id) in entries {
            let known = id.as_u64().filter(|&id| id < n_vocab as u64);
            let expected = || format!("an id below vocab_size = {n_vocab}");
            let id = known.ok_or_else(|| node.invalid(text, expected(), describe(id)))? as u32;
            vocab.add(text, id).map_err(|other| node.invalid(text, "an id of its own", other))?;
        }
        for token in root.nodes("added_tokens")? {
            token.only(&[
                "id",
                "content",
                "single_word",
                "lstrip",
                "rstrip",
                "normalized",
                "special",
            ])?;
            vocab.add_added(&token)?;
        }
        if let Some(beside) = beside {
            vocab.add_described(beside)?;
            vocab.add_named(beside)?;
        }
        Ok(vocab)
    }

    /// Gives an id its text; the message if it has another.
    fn add(&mut self, text: &'a str, id: u32) -> std::result::Result<(), String> {
        let at = id as usize;
        if let Some(other) = self.texts[at].filter(|&other| other != text) {
            return Err(format!("{id}, the id of {other:?}"));
        }
        if let Some(other) = self.ids.insert(text, id).filter(|&other| other != id) {
            return Err(format!("{id}, and {other} elsewhere"));
        }
        (self.texts[at], self.types[at]) = (Some(text), NORMAL);
        Ok(())
    }

    fn add_added(&mut self, token: &Node<'a>) -> Result<()> {
        let text = token.str("content")?;
        let id =
            token.get("id").and_then(Json::as_u64).ok_or_else(|| token.wrong("id", "a number"))?;
        // Gemma's text models share the vocabulary of those that see; what lies beyond the
        // embedding cannot be computed.
        if id >= self.texts.len() as u64 {
            return Ok(());
        }
        self.add(text, id as u32)
            .map_err(|other| token.invalid("content", "a text and id of its own", other))?;
        let flags = flags(token)?;
        self.mark_added(id as u32, flags);
        Ok(())
    }

    fn mark_added(&mut self, id: u32, flags: u32) {
        self.types[id as usize] = if flags & SPECIAL != 0 { CONTROL } else { USER_DEFINED };
        self.added.insert(id, flags);
    }

    /// `added_tokens_decoder` of `tokenizer_config.json`: its flags count before those of the
    /// document, as they do in transformers.
    fn add_described(&mut self, beside: &Node<'a>) -> Result<()> {
        let Some(entries) = beside.opt_node("added_tokens_decoder")? else { return Ok(()) };
        for number in entries.names() {
            let token = entries.node(number)?;
            token.only(&[
                "__type",
                "content",
                "single_word",
                "lstrip",
                "rstrip",
                "normalized",
                "special",
            ])?;
            let text = token.str("content")?;
            match self.ids.get(text) {
                Some(&id) => {
                    let flags = flags(&token)?;
                    self.mark_added(id, flags);
                }
                None if number.parse().is_ok_and(|id: usize| id >= self.texts.len()) => {}
                None => {
                    return Err(token.invalid(
                        "content",
                        "a token of tokenizer.json",
                        format!("{text:?}"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Special tokens that `tokenizer_config.json` names: those that were not added are.
    fn add_named(&mut self, beside: &Node<'a>) -> Result<()> {
        for field in beside.names() {
            if field.ends_with("_token")
                && matches!(beside.get(field), Some(Json::String(_) | Json::Object(_)))
            {
                self.add_special(beside, field)?;
            }
        }
        for field in ["additional_special_tokens", "extra_special_tokens"] {
            match beside.get(field) {
                Some(Json::Object(_)) => {
                    let named = beside.node(field)?;
                    named.names().try_for_each(|name| self.add_special(&named, name))?;
                }
                Some(Json::Array(list)) => {
                    for entry in list {
                        let text = entry.as_str().or_else(|| entry.get("content")?.as_str());
                        let expected = "a list of tokens";
                        let text =
                            text.ok_or_else(|| beside.invalid(field, expected, describe(entry)))?;
                        self.add_special_text(beside, field, text, SPECIAL)?;
                    }
                }
                None => {}
                Some(_) => return Err(beside.wrong(field, "a list or an object of tokens")),
            }
        }
        Ok(())
    }

    fn add_special(&mut self, node: &Node<'a>, field: &str) -> Result<()> {
        match node.get(field) {
            Some(Json::Object(_)) => {
                let token = node.node(field)?;
                let flags = flags(&token)? | SPECIAL;
                self.add_special_text(node, field, token.str("content")?, flags)
            }
            _ => self.add_special_text(node, field, node.str(field)?, SPECIAL),
        }
    }

    fn add_special_text(
        &mut self,
        node: &Node<'a>,
        field: &str,
        text: &str,
        flags: u32,
    ) -> Result<()> {
        match self.ids.get(text).copied() {
            Some(id) if self.added.contains_key(&id) => Ok(()),
            Some(id) => {
                self.mark_added(id, flags);
                Ok(())
            }
            // It would get the next id; one beyond the embedding cannot be computed.
            None if self.ids.len() >= self.texts.len() => Ok(()),
            None => Err(node.invalid(field, "a token of the vocabulary", format!("{text:?}"))),
        }
    }

    /// GGUF's scores of SentencePiece: a merge of a lower rank is better, and all are better than
    /// what no merge makes.
    pub(super) fn scores(&self, merges: &[(&str, &str)]) -> Vec<f32> {
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

    /// Marks `<0x00>` to `<0xFF>`.
    pub(super) fn mark_bytes(&mut self) {
        for byte in 0..=255 {
            if let Some(&id) = self.ids.get(format!("<0x{byte:02X}>").as_str()) {
                self.types[id as usize] = BYTE;
            }
        }
    }

    /// Marks the unknown token.
    pub(super) fn mark_unknown(&mut self, id: u32) {
        self.types[id as usize] = UNKNOWN;
    }

    /// Sets the keys. `spaced` says that `▁` stands for a space, which GGUF has in the texts of
    /// added tokens. (Of a text that has both, the one that was given could not be told from the
    /// other, so it stays as it is.)
    pub(super) fn put(mut self, spaced: bool, metadata: &mut Metadata) {
        let mut texts = Strings::default();
        for (id, text) in (0..).zip(&self.texts) {
            let is_spaced = |text: &str| {
                spaced
                    && self.types[id as usize] == USER_DEFINED
                    && text.contains('▁')
                    && !text.contains(' ')
            };
            match text {
                Some(text) if is_spaced(text) => {
                    self.added.entry(id).and_modify(|flags| *flags |= SPACED);
                    texts.push(&text.replace('▁', " "));
                }
                Some(text) => texts.push(text),
                None => texts.push(&format!("[PAD{id}]")),
            }
        }
        metadata.set("tokenizer.ggml.tokens", Value::Strings(texts));
        metadata.set("tokenizer.ggml.token_type", Value::I32s(self.types));
        metadata
            .set("tokenizer.pacemark.added_ids", Value::U32s(self.added.keys().copied().collect()));
        metadata
            .set("tokenizer.pacemark.added_flags", Value::U32s(self.added.into_values().collect()));
    }
}

/// The flags of an added token.
fn flags(token: &Node<'_>) -> Result<u32> {
    if token.opt_bool("single_word")?.unwrap_or(false) {
        return Err(token.wrong("single_word", "false: the other is not supported"));
    }
    let special = token.opt_bool("special")?.unwrap_or(false);
    let mut flags = 0;
    for (bit, field) in FLAGS.iter().enumerate() {
        let default = *field == "normalized" && !special;
        flags |= u32::from(token.opt_bool(field)?.unwrap_or(default)) << bit;
    }
    Ok(flags)
}
