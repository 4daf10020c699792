//! Text → tree. The only module that names the library (`serde-saphyr`).
//!
//! YAML 1.2 is <https://yaml.org/spec/1.2.2/>. Of YAML 1.1 only merge keys (`<<`) are taken, which
//! that version alone has and many files use.

mod raw;
mod refused;

use crate::mistakes::joined;
use crate::{Entry, Mistake, Node, Value, YamlError};
use raw::Raw;
use serde_saphyr::{DuplicateKeyPolicy, NonFiniteFloatPolicy, Options, Spanned};

/// Bytes of the largest text that is read.
pub const LARGEST: usize = 1 << 20;
/// The most values that a file may have after its aliases are written out.
pub const MOST_VALUES: usize = 20_000;
/// The most tables and lists within one another.
const DEEPEST: usize = 32;

/// The tree of a text, which is one document. `file` is its name in errors.
pub fn parse(file: &str, text: &str) -> Result<Node, YamlError> {
    let refused = |mistakes| YamlError { file: file.to_owned(), mistakes };
    if text.len() > LARGEST {
        let what = format!("expected at most {LARGEST} bytes, found {}", text.len());
        return Err(refused(vec![Mistake { line: 0, path: String::new(), what }]));
    }
    let tree: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| refused(vec![refused::mistake(&error, text)]))?;
    let node = Node::from(tree);
    let mut repeated = Vec::new();
    find_repeated(&node, "", &mut repeated);
    if repeated.is_empty() { Ok(node) } else { Err(refused(repeated)) }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            // Above the bound that is told in our words.
            flow_nesting_limit: 4 * DEEPEST,
            max_nodes: MOST_VALUES,
            max_events: 4 * MOST_VALUES,
            max_documents: 1,
            enforce_alias_anchor_ratio: false,
        },
        // Both lines of a key that is there twice are told, which the library does not keep.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_VALUES,
            max_replay_stack_depth: DEEPEST,
        },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        // Refused where a number is expected, with the keys that lead there.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

/// Keys that are there twice: each with the line of the first.
fn find_repeated(node: &Node, path: &str, found: &mut Vec<Mistake>) {
    match &node.value {
        Value::List(list) => {
            for (i, item) in list.iter().enumerate() {
                find_repeated(item, &format!("{path}[{i}]"), found);
            }
        }
        Value::Map(map) => {
            let mut first = std::collections::HashMap::new();
            for Entry { key, line, node, .. } in map {
                let path = joined(path, key);
                if let Some(first) = first.insert(key.as_str(), *line) {
                    let what = format!("the key is there twice, first in line {first}");
                    found.push(Mistake { line: *line, path: path.clone(), what });
                }
                find_repeated(node, &path, found);
            }
        }
        _ => {}
    }
}
