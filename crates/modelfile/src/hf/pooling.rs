//! How a directory of sentence-transformers makes one vector of a text's states: `modules.json` and
//! `1_Pooling/config.json` as GGUF's `{architecture}.pooling_type`.

use super::json::{self, Document, Node};
use crate::{ModelFileError, Result};
use serde_json::Value;
use std::path::Path;

const MAX_BYTES: u64 = 1 << 20;

/// The switches of sentence-transformers' `Pooling`, their names since its version 5.3, and GGUF's
/// numbers of those that are known.
const MODES: &[(&str, &str, Option<u32>)] = &[
    ("pooling_mode_mean_tokens", "mean", Some(1)),
    ("pooling_mode_cls_token", "cls", Some(2)),
    ("pooling_mode_lasttoken", "lasttoken", Some(3)),
    ("pooling_mode_max_tokens", "max", None),
    ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", None),
    ("pooling_mode_weightedmean_tokens", "weightedmean", None),
];

/// The number of the directory's pooling, where it has one.
pub(super) fn pooling_type(directory: &Path) -> Result<Option<u32>> {
    let Some(path) = path(directory)? else { return Ok(None) };
    let Some(document) = Document::open_if_there(&directory.join(path), MAX_BYTES)? else {
        return Ok(None);
    };
    let root = document.root();
    check_modes(&root)?;
    let mut found = None;
    for (switch, name, number) in MODES {
        if !is_on(&root, switch, name)? {
            continue;
        }
        let field = if root.get(switch).is_some() { switch } else { "pooling_mode" };
        match (found, number) {
            (None, Some(number)) => found = Some(*number),
            (None, None) => {
                return Err(root.wrong(field, "the mean, the first or the last token's"));
            }
            (Some(_), _) => {
                return Err(root.wrong(field, "one mode of pooling: several make a longer vector"));
            }
        }
    }
    match found {
        None => Err(root.invalid("pooling_mode", "a mode of pooling", "none that is switched on")),
        found => Ok(found),
    }
}

/// That no mode is on which is not known, and not several by their names.
fn check_modes(root: &Node<'_>) -> Result<()> {
    let is_known = |name: &str| MODES.iter().any(|(switch, ..)| *switch == name);
    let is_other = |name: &&str| name.starts_with("pooling_mode_") && !is_known(name);
    for name in root.names().filter(is_other) {
        if root.opt_bool(name)?.unwrap_or(false) {
            return Err(root.wrong(name, "a mode of pooling that is known"));
        }
    }
    match root.get("pooling_mode") {
        Some(Value::Array(names)) if names.len() != 1 => {
            Err(root.wrong("pooling_mode", "one mode of pooling"))
        }
        _ => Ok(()),
    }
}

/// Where `modules.json` says that the pooling is described; `1_Pooling` where there is no such
/// file. A module that does something else to a vector than scale it, which is always done, is
/// refused.
fn path(directory: &Path) -> Result<Option<String>> {
    let file = directory.join("modules.json");
    let Some(text) = json::text_if_there(&file, MAX_BYTES)? else {
        return Ok(Some("1_Pooling/config.json".into()));
    };
    let invalid = |expected: &str, found: String| {
        Err(ModelFileError::invalid(&file, "modules", expected, found))
    };
    let Ok(Value::Array(modules)) = serde_json::from_str(&text) else {
        return invalid("an array of modules", "something else".into());
    };
    let mut pooling = None;
    for module in &modules {
        let text = |field: &str| module.get(field).and_then(Value::as_str).unwrap_or_default();
        let (kind, path) = (text("type"), text("path"));
        let is_beside = !path.is_empty() && !path.contains(['/', '\\']) && !path.starts_with('.');
        match kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" | "Normalize" => {}
            "Pooling" if pooling.is_none() && is_beside => {
                pooling = Some(format!("{path}/config.json"))
            }
            _ => {
                let expected = "Transformer, Normalize, and one Pooling in a directory of this one";
                return invalid(expected, format!("{kind:?} in {path:?}"));
            }
        }
    }
    Ok(pooling)
}

/// Whether a mode is on, by its switch or by its name.
fn is_on(root: &Node<'_>, switch: &str, name: &str) -> Result<bool> {
    let named = match root.get("pooling_mode") {
        Some(Value::Array(names)) => names.iter().any(|other| other == name),
        Some(_) => root.str("pooling_mode")? == name,
        None => false,
    };
    Ok(named || root.opt_bool(switch)?.unwrap_or(false))
}
