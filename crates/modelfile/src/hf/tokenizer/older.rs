//! Files that say what `added_tokens_decoder` says today: `special_tokens_map.json` and
//! `added_tokens.json`. transformers reads them where `tokenizer_config.json` has no such field,
//! and adds their tokens. Here they may name BOS, EOS and the like, and must agree with
//! `tokenizer.json`: a token that it does not have as an added one is refused.

use super::Vocab;
use super::vocab::{CONTROL, UNKNOWN, USER_DEFINED};
use crate::Result;
use crate::hf::json::{Document, Node};
use serde_json::Value as Json;
use std::path::Path;

const MAX_BYTES: u64 = 16 << 20;

/// The files, each of which may be missing.
#[derive(Default)]
pub(super) struct Older {
    special: Option<Document>,
    added: Option<Document>,
}

impl Older {
    pub(super) fn open(directory: &Path) -> Result<Older> {
        let json = |name: &str| Document::open_if_there(&directory.join(name), MAX_BYTES);
        Ok(Older { special: json("special_tokens_map.json")?, added: json("added_tokens.json")? })
    }

    /// The object that may name a special token under `field`.
    pub(super) fn named(&self, field: &str) -> Option<Node<'_>> {
        self.special.as_ref().map(Document::root).filter(|root| root.get(field).is_some())
    }

    /// That every token of both is an added one of `tokenizer.json`.
    pub(super) fn check(&self, vocab: &Vocab<'_>) -> Result<()> {
        let is_added = |text: &str| {
            vocab
                .ids
                .get(text)
                .filter(|&&id| matches!(vocab.types[id as usize], CONTROL | UNKNOWN | USER_DEFINED))
        };
        if let Some(root) = self.special.as_ref().map(Document::root) {
            for field in root.names() {
                for text in texts(root.get(field)) {
                    if is_added(text).is_none() {
                        return Err(root.invalid(
                            field,
                            "an added token of tokenizer.json",
                            format!("{text:?}"),
                        ));
                    }
                }
            }
        }
        let Some(root) = self.added.as_ref().map(Document::root) else { return Ok(()) };
        for text in root.names() {
            // Beyond the embedding there is nothing that could be computed, as for those of
            // tokenizer.json.
            let id = root.get(text).and_then(Json::as_u64);
            let beyond = id.is_some_and(|id| id >= vocab.texts.len() as u64);
            if !beyond && is_added(text).map(|&other| u64::from(other)) != id {
                return Err(root.wrong(text, "the id of that added token in tokenizer.json"));
            }
        }
        Ok(())
    }
}

/// The texts of a field that is one token or a list of them, each a text or an object with one.
fn texts(value: Option<&Json>) -> Vec<&str> {
    let list = match value {
        Some(Json::Array(list)) => list.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    list.iter()
        .filter_map(|token| token.as_str().or_else(|| token.get("content")?.as_str()))
        .collect()
}
