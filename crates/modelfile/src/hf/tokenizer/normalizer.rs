//! The `normalizer` of a `tokenizer.json` as the words of `tokenizer.pacemark.normalizer`: a name
//! and its arguments, for each step. Left out are those whose effect hangs on data or rules of
//! their own (`Precompiled`, `BertNormalizer`, `Nmt`, a `Replace` by a regular expression): they
//! are refused by name.

use crate::Result;
use crate::hf::json::Node;

const KNOWN: &str = "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace of a String, Prepend or a Sequence of them";

/// What a document's normalizer does.
#[derive(Debug, Default)]
pub(super) struct Normalizer<'a> {
    /// Names and arguments.
    pub words: Vec<&'a str>,
    /// Spaces become `▁`, and what comes after that brings no space back.
    pub replaces_spaces: bool,
    /// `▁` is set before a text.
    pub prepends_space: bool,
    /// The first character may go.
    pub may_cut_start: bool,
}

impl<'a> Normalizer<'a> {
    pub(super) fn read(root: &Node<'a>) -> Result<Normalizer<'a>> {
        let mut normalizer = Normalizer::default();
        if let Some(node) = root.opt_node("normalizer")? {
            normalizer.add(&node)?;
        }
        Ok(normalizer)
    }

    fn add(&mut self, node: &Node<'a>) -> Result<()> {
        let name = node.str("type")?;
        match name {
            "Sequence" => {
                node.only(&["type", "normalizers"])?;
                return node.nodes("normalizers")?.iter().try_for_each(|part| self.add(part));
            }
            "NFC" | "NFD" | "NFKC" | "NFKD" | "Lowercase" | "StripAccents" => {
                node.only(&["type"])?;
                self.words.push(name);
                // Compatibility forms of other spaces are spaces.
                self.replaces_spaces &= !name.starts_with("NFK");
                self.may_cut_start |= name == "StripAccents";
            }
            "Strip" => {
                node.only(&["type", "strip_left", "strip_right"])?;
                let left = node.opt_bool("strip_left")?.unwrap_or(true);
                let right = node.opt_bool("strip_right")?.unwrap_or(true);
                self.words.extend(left.then_some("StripLeft"));
                self.words.extend(right.then_some("StripRight"));
                self.may_cut_start |= left;
            }
            "Prepend" => {
                node.only(&["type", "prepend"])?;
                let text = node.str("prepend")?;
                self.words.extend([name, text]);
                self.replaces_spaces &= !text.contains(' ');
                self.prepends_space |= text == "▁";
            }
            "Replace" => {
                node.only(&["type", "pattern", "content"])?;
                let pattern = node.node("pattern")?;
                pattern.only(&["String"])?;
                let (from, to) = (pattern.str("String")?, node.str("content")?);
                self.words.extend([name, from, to]);
                self.replaces_spaces = (self.replaces_spaces || from == " ") && !to.contains(' ');
                if from == " " && to != "▁" {
                    return Err(node.wrong("content", "▁ in place of a space"));
                }
                self.may_cut_start |= to.is_empty();
            }
            _ => return Err(node.wrong("type", KNOWN)),
        }
        Ok(())
    }
}
