//! The weight files of a directory: one `model.safetensors`, or the shards that
//! `model.safetensors.index.json` lists.

use super::json::Document;
use super::safetensors::{self, Entry};
use crate::mapping::Mapping;
use crate::{ModelFileError, Result};
use pacemark_files::look;
use std::collections::HashMap;
use std::path::{Component, Path};
use std::sync::Arc;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Known models have up to a few hundred kilobytes.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// All tensors and the files that hold them.
#[derive(Debug)]
pub(crate) struct Shards {
    pub files: Vec<Arc<Mapping>>,
    /// Each with its number in `files`.
    pub tensors: Vec<(usize, Entry)>,
}

impl Shards {
    /// Maps the directory's weight files and reads their headers.
    pub(crate) fn open(directory: &Path) -> Result<Shards> {
        let (single, index) = (directory.join(SINGLE), directory.join(INDEX));
        let there =
            |path: &Path| look::at(path).map_err(|e| ModelFileError::io(path, "open the file", e));
        if there(&single)?.is_some() {
            let mapping = Mapping::open(&single)?;
            let entries = safetensors::parse(mapping.bytes(), &single)?;
            let tensors = entries.into_iter().map(|entry| (0, entry)).collect();
            return Ok(Shards { files: vec![Arc::new(mapping)], tensors });
        }
        if there(&index)?.is_none() {
            let expected = format!("{SINGLE} or {INDEX}");
            return Err(ModelFileError::invalid(directory, "weights", expected, "neither"));
        }
        from_index(directory, &Document::open(&index, MAX_INDEX_BYTES)?)
    }
}

fn from_index(directory: &Path, index: &Document) -> Result<Shards> {
    let root = index.root();
    let map = root.required("weight_map", "an object", root.opt_map("weight_map")?)?;
    let node = root.node("weight_map")?;
    // Shards in the order in which the index first names them, and for each tensor the one it is to
    // be in.
    let (mut names, mut expected) = (Vec::new(), HashMap::new());
    let mut numbers = HashMap::new();
    for tensor in map.keys() {
        let name = node.str(tensor)?;
        let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || name.is_empty() || name.contains(['/', '\\']) {
            return Err(node.wrong(tensor, "the name of a file in the same directory"));
        }
        let number = *numbers.entry(name).or_insert_with(|| {
            names.push(name);
            names.len() - 1
        });
        expected.insert(tensor.as_str(), number);
    }
    let mut shards = Shards { files: Vec::new(), tensors: Vec::new() };
    for (number, name) in names.iter().enumerate() {
        let path = directory.join(name);
        let mapping = Mapping::open(&path)?;
        for entry in safetensors::parse(mapping.bytes(), &path)? {
            if expected.remove(entry.name.as_str()) != Some(number) {
                let should = format!("{name} in the index, once");
                return Err(node.invalid(
                    &entry.name,
                    should,
                    "a tensor that the index has elsewhere or not at all",
                ));
            }
            shards.tensors.push((number, entry));
        }
        shards.files.push(Arc::new(mapping));
    }
    match expected.into_iter().next() {
        Some((tensor, number)) => {
            Err(node.invalid(tensor, format!("a tensor in {}", names[number]), "no such tensor"))
        }
        None => Ok(shards),
    }
}
