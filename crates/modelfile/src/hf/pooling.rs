//! How a directory of sentence-transformers makes one vector of a text's states: `1_Pooling/config.json` as GGUF's
//! `{architecture}.pooling_type`.

use super::json::{Document, Node};
use crate::Result;
use std::path::Path;

const MAX_BYTES: u64 = 1 << 20;

/// The switches of sentence-transformers' `Pooling`, their names since its version 5.3, and GGUF's numbers of those that are
/// known.
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
    let Some(document) = Document::open_if_there(&directory.join("1_Pooling/config.json"), MAX_BYTES)? else {
        return Ok(None);
    };
    let root = document.root();
    let mut found = None;
    for (switch, name, number) in MODES {
        if !is_on(&root, switch, name)? {
            continue;
        }
        let field = if root.get(switch).is_some() { switch } else { "pooling_mode" };
        match (found, number) {
            (None, Some(number)) => found = Some(*number),
            (None, None) => return Err(root.wrong(field, "the mean, the first or the last token's")),
            (Some(_), _) => return Err(root.wrong(field, "one mode of pooling: several make a longer vector")),
        }
    }
    match found {
        None => Err(root.invalid("pooling_mode", "a mode of pooling", "none that is switched on")),
        found => Ok(found),
    }
}

/// Whether a mode is on, by its switch or by its name.
fn is_on(root: &Node<'_>, switch: &str, name: &str) -> Result<bool> {
    let named = match root.get("pooling_mode") {
        Some(serde_json::Value::Array(names)) => names.iter().any(|other| other == name),
        Some(_) => root.str("pooling_mode")? == name,
        None => false,
    };
    Ok(named || root.opt_bool(switch)?.unwrap_or(false))
}
