//! An open model: one file or all parts of a split one.

use crate::mapping::Mapping;
use crate::{Metadata, ModelFileError, Result, TensorBytes, TensorInfo, gguf, split};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A model file mapped to memory, its header read and checked.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    by_name: HashMap<String, usize>,
    parts: Vec<Arc<Mapping>>,
}

impl ModelFile {
    /// Maps the file and reads its header. Of a split model give the first part (`…-00001-of-0000N.gguf`); the others are
    /// expected beside it. The weights themselves are not touched.
    pub fn open(path: impl AsRef<Path>) -> Result<ModelFile> {
        let path = path.as_ref();
        let mapping = Mapping::open(path)?;
        let first = gguf::read::parse(mapping.bytes(), path)?;
        let split = split::Split::of(&first.metadata, path)?;
        let mut model = ModelFile {
            path: path.to_owned(),
            metadata: Metadata::new(),
            tensors: Vec::new(),
            by_name: HashMap::new(),
            parts: Vec::new(),
        };
        model.add_part(path, mapping, first.tensors)?;
        model.metadata = first.metadata;
        if let Some(split) = split {
            for number in 1..split.count {
                let path = split.part_path(number);
                let mapping = Mapping::open(&path)?;
                let part = gguf::read::parse(mapping.bytes(), &path)?;
                split.check_part(&part.metadata, number)?;
                model.add_part(&path, mapping, part.tensors)?;
            }
            split.check_total(model.tensors.len())?;
        }
        Ok(model)
    }

    fn add_part(&mut self, path: &Path, mapping: Mapping, tensors: Vec<TensorInfo>) -> Result<()> {
        for mut tensor in tensors {
            tensor.part = self.parts.len();
            if self.by_name.insert(tensor.name.clone(), self.tensors.len()).is_some() {
                return Err(ModelFileError::invalid(
                    path,
                    &tensor.name,
                    "each tensor once",
                    "a second one of this name",
                ));
            }
            self.tensors.push(tensor);
        }
        self.parts.push(Arc::new(mapping));
        Ok(())
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keys and values; of a split model those of its first part.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// All tensors in file order.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.get(name).map(|&at| &self.tensors[at])
    }

    /// The bytes of a tensor of this model.
    ///
    /// # Panics
    /// When `tensor` belongs to another model and does not lie within this one.
    pub fn bytes(&self, tensor: &TensorInfo) -> TensorBytes {
        let end = tensor.start.saturating_add(tensor.n_bytes() as usize);
        TensorBytes::new(self.parts[tensor.part].clone(), tensor.start..end)
    }

    /// Number of parameters: the elements of all tensors.
    pub fn n_params(&self) -> u64 {
        self.tensors.iter().map(TensorInfo::n_elements).sum()
    }

    /// Size of all tensors in bytes, without metadata and padding.
    pub fn n_bytes(&self) -> u64 {
        self.tensors.iter().map(TensorInfo::n_bytes).sum()
    }

    /// Size of the file on disk, all parts together.
    pub fn file_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes().len() as u64).sum()
    }

    /// Number of files the model is made of.
    pub fn n_parts(&self) -> usize {
        self.parts.len()
    }
}
