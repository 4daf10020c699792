//! The `decoder` of a `tokenizer.json`: whether it undoes what was read before. A document without
//! one is decoded so too, and not with a space between any two tokens as Hugging Face would.

use super::pre::Pre;
use crate::Result;
use crate::hf::json::Node;

/// Checks the decoder. Whether it takes off the space before a text.
pub(super) fn read(
    root: &Node<'_>,
    pre: &Pre,
    prepends_space: bool,
    byte_fallback: bool,
) -> Result<bool> {
    let Some(node) = root.opt_node("decoder")? else {
        return Ok(matches!(pre, Pre::Characters { .. }) && (prepends_space || pre.sets_space()));
    };
    let parts = if node.str("type")? == "Sequence" {
        node.only(&["type", "decoders"])?;
        node.nodes("decoders")?
    } else {
        vec![node.clone()]
    };
    match pre {
        Pre::ByteLevel { .. } => byte_level(root, &parts),
        Pre::Characters { .. } => characters(root, &parts, byte_fallback),
    }
}

fn byte_level(root: &Node<'_>, parts: &[Node<'_>]) -> Result<bool> {
    for part in parts {
        match part.str("type")? {
            "ByteLevel" => part.only(&["type", "add_prefix_space", "trim_offsets", "use_regex"])?,
            "Fuse" => part.only(&["type"])?,
            _ => return Err(part.wrong("type", "ByteLevel")),
        }
    }
    match parts.iter().filter(|part| part.str("type").is_ok_and(|name| name == "ByteLevel")).count()
    {
        1 => Ok(false),
        n => Err(root.invalid("decoder", "ByteLevel, once", format!("it {n} times"))),
    }
}

/// `Replace` of `▁` by a space or `Metaspace`, then `ByteFallback`, `Fuse`, and `Strip` of one
/// space.
fn characters(root: &Node<'_>, parts: &[Node<'_>], byte_fallback: bool) -> Result<bool> {
    let (mut spaces, mut bytes, mut fused, mut strips) = (false, false, false, false);
    for part in parts {
        match part.str("type")? {
            "Metaspace" if !spaces => {
                part.only(&[
                    "type",
                    "replacement",
                    "str_rep",
                    "add_prefix_space",
                    "prepend_scheme",
                    "split",
                ])?;
                if part.str("replacement")? != "▁" {
                    return Err(part.wrong("replacement", "▁"));
                }
                let old = part.opt_bool("add_prefix_space")?.unwrap_or(true);
                strips =
                    part.opt_str("prepend_scheme")?.unwrap_or(if old { "always" } else { "never" })
                        != "never";
                spaces = true;
            }
            "Replace" if !spaces => {
                part.only(&["type", "pattern", "content"])?;
                if part.node("pattern")?.opt_str("String")? != Some("▁")
                    || part.str("content")? != " "
                {
                    return Err(part.wrong("content", "a space in place of the String ▁"));
                }
                spaces = true;
            }
            "ByteFallback" => {
                part.only(&["type"])?;
                bytes = true;
            }
            "Fuse" => {
                part.only(&["type"])?;
                fused = true;
            }
            // Before all is one text it would strip every token.
            "Strip" if fused => {
                part.only(&["type", "content", "start", "stop"])?;
                let (content, stop) = (part.str("content")?, part.opt_f32("stop")?.unwrap_or(0.0));
                if content != " " || part.size("start")? != 1 || stop != 0.0 {
                    return Err(part.wrong("content", "one space to take off the start"));
                }
                strips = true;
            }
            _ => {
                return Err(part.wrong(
                    "type",
                    "Metaspace or Replace, ByteFallback, Fuse, Strip, in this order",
                ));
            }
        }
    }
    if !spaces {
        return Err(root.invalid("decoder", "a Replace of ▁ by spaces, or Metaspace", "neither"));
    }
    if byte_fallback && !bytes {
        return Err(root.invalid(
            "decoder",
            "ByteFallback, as the model falls back to bytes",
            "none",
        ));
    }
    Ok(strips)
}
