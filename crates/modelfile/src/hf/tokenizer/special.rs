//! What the files beside `tokenizer.json` say of special tokens: which of them start and end a
//! text.

use super::Vocab;
use super::older::Older;
use crate::hf::json::{Document, Node, describe};
use crate::{Metadata, Result, Value};
use serde_json::Value as Json;
use std::collections::HashSet;
use std::path::Path;

const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// The files beside the tokenizer, each of which may be missing.
pub(super) struct Beside {
    tokenizer_config: Option<Document>,
    generation_config: Option<Document>,
    older: Older,
}

impl Beside {
    pub(super) fn open(directory: &Path) -> Result<Beside> {
        let json = |name: &str| Document::open_if_there(&directory.join(name), MAX_CONFIG_BYTES);
        let (tokenizer_config, generation_config) =
            (json("tokenizer_config.json")?, json("generation_config.json")?);
        let describes = |config: &Document| config.root().get("added_tokens_decoder").is_some();
        let older = if tokenizer_config.as_ref().is_some_and(describes) {
            Older::default()
        } else {
            Older::open(directory)?
        };
        Ok(Beside { tokenizer_config, generation_config, older })
    }

    /// `tokenizer_config.json`.
    pub(super) fn tokenizer_config(&self) -> Option<Node<'_>> {
        self.tokenizer_config.as_ref().map(Document::root)
    }

    /// Sets the keys of special tokens.
    pub(super) fn describe(
        &self,
        root: &Node<'_>,
        config: &Node<'_>,
        vocab: &Vocab<'_>,
        metadata: &mut Metadata,
        warnings: &mut Vec<String>,
    ) -> Result<()> {
        let n_vocab = vocab.texts.len();
        let mut ids = |node: &Node<'_>, field: &str| ids(node, field, n_vocab, warnings);
        let mut starts = ids(config, "bos_token_id")?;
        let mut ends = ids(config, "eos_token_id")?;
        if let Some(generation) = self.generation_config.as_ref().map(Document::root) {
            ends.extend(ids(&generation, "eos_token_id")?);
            starts.extend(ids(&generation, "bos_token_id")?);
        }
        let tokenizer = self.tokenizer_config.as_ref().map(Document::root);
        let named = |field: &str| match tokenizer
            .as_ref()
            .map_or(Ok(None), |node| named(node, field, vocab))?
        {
            Some(id) => Ok(Some(id)),
            None => self.older.named(field).map_or(Ok(None), |node| named(&node, field, vocab)),
        };
        self.older.check(vocab)?;
        // The tokenizer's own configuration comes first; the others add what also ends a
        // generation.
        let bos = named("bos_token")?.or(starts.first().copied());
        if let Some(eos) = named("eos_token")? {
            ends.insert(0, eos);
        }
        let mut seen = HashSet::new();
        ends.retain(|id| seen.insert(*id));
        let eos = ends.first().copied();
        let (unknown, padding) = (named("unk_token")?, named("pad_token")?);
        let (eot, eom) = (ends.get(1).copied(), ends.get(2).copied());
        let special = [
            ("bos", bos),
            ("eos", eos),
            ("eot", eot),
            ("eom", eom),
            ("unknown", unknown),
            ("padding", padding),
        ];
        for (name, id) in special {
            if let Some(id) = id {
                metadata.set(format!("tokenizer.ggml.{name}_token_id"), Value::U32(id));
            }
        }
        if ends.len() > 3 {
            metadata.set("tokenizer.pacemark.end_token_ids", Value::U32s(ends.clone())); // GGUF has keys for three
        }
        let (add_bos, add_eos) = match added(root, vocab, bos, eos)? {
            Some(added) => added,
            None => {
                // transformers 5 takes them out of the configuration before it makes a tokenizer.
                for field in ["add_bos_token", "add_eos_token"] {
                    let said = tokenizer.as_ref().map_or(Ok(None), |node| node.opt_bool(field))?;
                    if said == Some(true) {
                        let what = "not followed, as in transformers 5: the post_processor of tokenizer.json adds none";
                        warnings.push(format!("tokenizer_config.json: {field}: {what}"));
                    }
                }
                (false, false)
            }
        };
        metadata.set("tokenizer.ggml.add_bos_token", Value::Bool(add_bos && bos.is_some()));
        metadata.set("tokenizer.ggml.add_eos_token", Value::Bool(add_eos && eos.is_some()));
        Ok(())
    }
}

/// A field that is one id or a list of them. Ids that are no tokens can neither be read nor
/// written: they are left out, with warnings of the first ones.
fn ids(
    node: &Node<'_>,
    field: &str,
    n_vocab: usize,
    warnings: &mut Vec<String>,
) -> Result<Vec<u32>> {
    let listed = match node.get(field) {
        None => &[],
        Some(Json::Array(list)) => list.as_slice(),
        Some(value) => std::slice::from_ref(value),
    };
    const TOLD: usize = 8;
    let mut known = Vec::new();
    let mut n_beyond = 0;
    for value in listed {
        let id = value
            .as_i64()
            .ok_or_else(|| node.invalid(field, "an id or a list of ids", describe(value)))?;
        match u32::try_from(id).ok().filter(|&id| (id as usize) < n_vocab) {
            Some(id) => known.push(id),
            None if n_beyond < TOLD => {
                let expected = format!("an id below vocab_size = {n_vocab}");
                warnings.push(node.invalid(field, expected, id.to_string()).to_string());
                n_beyond += 1;
            }
            None => {}
        }
    }
    Ok(known)
}

/// A token that is given by its text, alone or as the `content` of an object.
pub(super) fn named(node: &Node<'_>, field: &str, vocab: &Vocab<'_>) -> Result<Option<u32>> {
    let text = match node.get(field) {
        None => return Ok(None),
        Some(Json::Object(_)) => node.node(field)?.str("content")?,
        Some(_) => node.str(field)?,
    };
    match vocab.ids.get(text) {
        Some(&id) => Ok(Some(id)),
        None => Err(node.invalid(field, "a token of the vocabulary", format!("{text:?}"))),
    }
}

/// Whether the post-processor adds BOS and EOS to a text; `None` where it adds nothing by template.
fn added(
    root: &Node<'_>,
    vocab: &Vocab<'_>,
    bos: Option<u32>,
    eos: Option<u32>,
) -> Result<Option<(bool, bool)>> {
    let Some(processor) = root.opt_node("post_processor")? else { return Ok(None) };
    let sequence = processor.str("type")? == "Sequence";
    let mut found = None;
    for part in if sequence { processor.nodes("processors")? } else { vec![processor] } {
        match part.str("type")? {
            // Moves offsets, which nobody asks for here.
            "ByteLevel" => part.only(&["type", "add_prefix_space", "trim_offsets", "use_regex"])?,
            "TemplateProcessing" if found.is_none() => {
                found = Some(template(&part, vocab, bos, eos)?)
            }
            _ => return Err(part.wrong("type", "ByteLevel or one TemplateProcessing")),
        }
    }
    Ok(found)
}

/// The tokens around the text in a template for one text: BOS before it, EOS behind it, and no
/// others.
fn template(
    part: &Node<'_>,
    vocab: &Vocab<'_>,
    bos: Option<u32>,
    eos: Option<u32>,
) -> Result<(bool, bool)> {
    part.only(&["type", "single", "pair", "special_tokens"])?;
    let (mut add_bos, mut add_eos, mut text_seen) = (false, false, false);
    for piece in part.nodes("single")? {
        if let Some(text) = piece.opt_node("Sequence")? {
            if text_seen || text.str("id")? != "A" {
                return Err(piece.wrong("Sequence", "the text A, once"));
            }
            text_seen = true;
            continue;
        }
        let name = piece.node("SpecialToken")?.str("id")?;
        let id = vocab.ids.get(name).copied();
        let (wanted, adds, place) = if text_seen {
            (eos, &mut add_eos, "EOS behind")
        } else {
            (bos, &mut add_bos, "BOS before")
        };
        if id.is_none() || id != wanted || *adds {
            return Err(piece.invalid(
                "SpecialToken.id",
                format!("{place} the text, once"),
                format!("{name:?}"),
            ));
        }
        // The ids that it adds stand beside the template.
        let described = part.node("special_tokens")?.node(name)?;
        if described.opt_array("ids")?.is_none_or(|ids| ids != [Json::from(id)]) {
            return Err(described
                .wrong("ids", format!("[{}], the id in the vocabulary", id.unwrap_or_default())));
        }
        *adds = true;
    }
    if !text_seen {
        return Err(part.wrong("single", "a template with the text A"));
    }
    Ok((add_bos, add_eos))
}
