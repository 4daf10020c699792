//! The chat templates of a model's metadata: `tokenizer.chat_template`, and those with names.
//!
//! gguf-py writes a template named `NAME` as `tokenizer.chat_template.NAME` and lists the names in
//! `tokenizer.chat_templates`; the one named `default` is `tokenizer.chat_template`. What a
//! template says, and which is used, is left to `tokenizer`.

use crate::{Metadata, ModelFileError, Result};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) const DEFAULT_KEY: &str = "tokenizer.chat_template";
pub(crate) const NAMES_KEY: &str = "tokenizer.chat_templates";
/// Templates of a model at most; the most that is known are three.
pub(crate) const MAX_TEMPLATES: usize = 64;
const MAX_NAME_BYTES: usize = 64;

/// The templates that `metadata` has, by their names.
pub fn chat_templates(metadata: &Metadata) -> Result<BTreeMap<&str, &str>> {
    let mut templates = BTreeMap::new();
    let keys = metadata
        .iter()
        .filter_map(|(key, _)| Some((key, key.strip_prefix(DEFAULT_KEY)?.strip_prefix('.')?)));
    for (key, name) in keys {
        check_name(metadata.file(), key, name)?;
        templates.insert(name, metadata.string(key)?);
    }
    if let Some(source) = metadata.opt_string(DEFAULT_KEY)? {
        templates.insert("default", source);
    }
    check_count(metadata.file(), NAMES_KEY, templates.len())?;
    for name in metadata.opt_strings(NAMES_KEY)?.into_iter().flat_map(|names| names.iter()) {
        if !templates.contains_key(name) {
            let expected = format!("names of templates, each with its key {DEFAULT_KEY}.NAME");
            return Err(ModelFileError::invalid(
                metadata.file(),
                NAMES_KEY,
                expected,
                format!("{name:?}"),
            ));
        }
    }
    Ok(templates)
}

/// Names stand in keys, in flags and in messages: nothing may be in them that is taken for
/// something else there.
pub(crate) fn check_name(file: &Path, field: &str, name: &str) -> Result<()> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.chars().all(is_part) {
        return Ok(());
    }
    let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
    let expected =
        format!("a template's name of 1 to {MAX_NAME_BYTES} letters, digits, _, - and .");
    Err(ModelFileError::invalid(file, field, expected, format!("{shown:?}")))
}

pub(crate) fn check_count(file: &Path, field: &str, n: usize) -> Result<()> {
    if n <= MAX_TEMPLATES {
        return Ok(());
    }
    Err(ModelFileError::invalid(
        file,
        field,
        format!("at most {MAX_TEMPLATES} chat templates"),
        n.to_string(),
    ))
}
