//! The chat templates of a directory, put under GGUF's keys.
//!
//! Where they stand is the rule of transformers 5: `chat_template.jinja` is the default one and
//! `additional_chat_templates/` has the others, and if there is any of these files, what
//! `tokenizer_config.json` has counts no more. A `chat_template.json` is of the time before;
//! transformers reads it for processors only, so here it counts where there is nothing else.

use crate::hf::json::{Document, Node, describe, text, text_if_there};
use crate::templates::{DEFAULT_KEY, MAX_TEMPLATES, NAMES_KEY, check_count, check_name};
use crate::{Metadata, ModelFileError, Result, Strings, Value};
use pacemark_files::look;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;

const MAX_TEMPLATE_BYTES: u64 = 4 << 20;
const DEFAULT: &str = "default";

/// Sets the keys of the directory's templates.
pub(super) fn put(
    directory: &Path,
    tokenizer_config: Option<Node<'_>>,
    metadata: &mut Metadata,
) -> Result<()> {
    let mut templates = files(directory)?;
    if templates.is_empty()
        && let Some(config) = tokenizer_config
    {
        templates = fields(&config)?;
    }
    if templates.is_empty()
        && let Some(legacy) =
            Document::open_if_there(&directory.join("chat_template.json"), MAX_TEMPLATE_BYTES)?
    {
        templates = fields(&legacy.root())?;
    }
    let names: Strings = templates.keys().filter(|name| *name != DEFAULT).collect();
    if names.iter().next().is_some() {
        metadata.set(NAMES_KEY, Value::Strings(names));
    }
    for (name, template) in templates {
        let key =
            if name == DEFAULT { DEFAULT_KEY.into() } else { format!("{DEFAULT_KEY}.{name}") };
        metadata.set(key, Value::String(template));
    }
    Ok(())
}

/// Those in files of their own.
fn files(directory: &Path) -> Result<BTreeMap<String, String>> {
    let mut templates = BTreeMap::new();
    if let Some(template) =
        text_if_there(&directory.join("chat_template.jinja"), MAX_TEMPLATE_BYTES)?
    {
        templates.insert(DEFAULT.to_owned(), template);
    }
    let additional = directory.join("additional_chat_templates");
    let failed = |error| ModelFileError::io(&additional, "list the directory", error);
    if !look::at(&additional).map_err(failed)?.is_some_and(|about| about.is_dir()) {
        return Ok(templates);
    }
    for entry in std::fs::read_dir(&additional).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(name) = file_name.strip_suffix(".jinja") {
            check_name(&path, "name", name)?;
            check_count(&additional, "content", templates.len() + 1)?;
            templates.insert(name.to_owned(), text(&path, MAX_TEMPLATE_BYTES)?);
        }
    }
    Ok(templates)
}

/// Those of the field `chat_template`: a text, a list of objects with name and template, or an
/// object of texts. Of two with one name the later counts.
fn fields(node: &Node<'_>) -> Result<BTreeMap<String, String>> {
    const FIELD: &str = "chat_template";
    let mut templates = BTreeMap::new();
    let mut add = |node: &Node<'_>, field: &str, name: &str, template: &str| {
        check_name(node.file(), &node.full_name(field), name)?;
        templates.insert(name.to_owned(), template.to_owned());
        Ok::<_, ModelFileError>(())
    };
    match node.get(FIELD) {
        None => {}
        Some(Json::String(template)) => add(node, FIELD, DEFAULT, template)?,
        Some(Json::Array(list)) if list.len() <= MAX_TEMPLATES => {
            for entry in node.nodes(FIELD)? {
                add(&entry, "name", entry.str("name")?, entry.str("template")?)?;
            }
        }
        Some(Json::Object(object)) if object.len() <= MAX_TEMPLATES => {
            let object = node.node(FIELD)?;
            for name in object.names() {
                add(&object, name, name, object.str(name)?)?;
            }
        }
        Some(other) => {
            let expected = format!("a template, or at most {MAX_TEMPLATES} with their names");
            return Err(node.invalid(FIELD, expected, describe(other)));
        }
    }
    Ok(templates)
}
