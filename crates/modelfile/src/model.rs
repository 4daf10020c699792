//! An open model: one file, all parts of a split one, or a source that makes its tensors.

use crate::dequantized::dequantized;
use crate::mapping::Mapping;
use crate::quantize::Recipe;
use crate::unmapped::Unmapped;
use crate::{
    Metadata, ModelFileError, Result, TensorBytes, TensorInfo, TensorSource, gguf, hf, split, synth,
};
use pacemark_files::look;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A model, its description read and checked, its weights where they are until they are asked for.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    by_name: HashMap<String, usize>,
    storage: Storage,
    /// Of each part that is a file.
    part_paths: Vec<PathBuf>,
    warnings: Vec<String>,
}

/// How to open a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// The type that matrices of a Hugging Face directory are converted to when they are asked for.
    /// The weights of a GGUF file are what they are: with a type for them it is an error.
    pub weights: Option<Recipe>,
    /// Read tensors when they are asked for, instead of mapping the file. GGUF files only.
    pub no_mmap: bool,
    /// Every weight in single precision, as its file's blocks stand for it.
    pub dequantize: bool,
}

/// Where the bytes are.
#[derive(Debug)]
enum Storage {
    /// In GGUF files; [`TensorInfo`] says in which, and where.
    Files(Vec<Part>),
    /// Made on demand.
    Source(Box<dyn TensorSource>),
}

/// One file of a model.
#[derive(Debug)]
enum Part {
    Mapped(Arc<Mapping>),
    Read(Unmapped),
}

impl Part {
    fn open(path: &Path, no_mmap: bool) -> Result<(Part, gguf::read::Header)> {
        if no_mmap {
            return Unmapped::open(path).map(|(file, header)| (Part::Read(file), header));
        }
        let mapping = Mapping::open(path)?;
        let header = gguf::read::parse(mapping.bytes(), path)?;
        Ok((Part::Mapped(Arc::new(mapping)), header))
    }

    fn len(&self) -> u64 {
        match self {
            Part::Mapped(mapping) => mapping.bytes().len() as u64,
            Part::Read(file) => file.len(),
        }
    }
}

impl ModelFile {
    /// Maps the file and reads its header. Of a split model give the first part
    /// (`…-00001-of-0000N.gguf`); the others are expected beside it. A directory is read as Hugging
    /// Face lays models out ([`crate::hf`]); a path that begins with `synth:` is no file but a
    /// [synthetic](crate::synth) model. The weights themselves are not touched.
    pub fn open(path: impl AsRef<Path>) -> Result<ModelFile> {
        ModelFile::open_with(path, OpenOptions::default())
    }

    /// As [`Self::open`], for who hands the model to another engine and needs its words alone: a directory
    /// that [`Self::open`] refuses is described by its `config.json` and tokenizer, without tensors.
    ///
    /// # Errors
    /// Where it is no model at all.
    pub fn describe(path: impl AsRef<Path>) -> Result<ModelFile> {
        let path = path.as_ref();
        match ModelFile::open(path) {
            Err(_) if path.is_dir() => hf::described(path),
            opened => opened,
        }
    }

    /// As [`Self::open`], with the type that the matrices of a directory are to have.
    pub fn open_as(path: impl AsRef<Path>, weights: Option<Recipe>) -> Result<ModelFile> {
        ModelFile::open_with(path, OpenOptions { weights, ..OpenOptions::default() })
    }

    /// As [`Self::open`], in another way.
    pub fn open_with(path: impl AsRef<Path>, options: OpenOptions) -> Result<ModelFile> {
        let model = ModelFile::open_stored(path.as_ref(), options)?;
        if options.dequantize { dequantized(model) } else { Ok(model) }
    }

    /// With the weights as they are stored.
    fn open_stored(path: &Path, options: OpenOptions) -> Result<ModelFile> {
        let OpenOptions { weights, no_mmap, .. } = options;
        let invalid = |weights: Recipe, found| {
            let expected = format!(
                "a Hugging Face directory, whose weights can become {} on load",
                weights.info().name
            );
            Err(ModelFileError::invalid(path, "type", expected, found))
        };
        let synthetic = path.to_str().filter(|name| name.starts_with(synth::PREFIX));
        // What cannot be looked at is told when it is opened.
        let is_directory = synthetic.is_none() && path.is_dir();
        match (synthetic, weights) {
            (Some(_), Some(weights)) => {
                return invalid(weights, "a synthetic model, whose type is part of its name");
            }
            (Some(name), None) => return synth::open(name),
            _ if is_directory && no_mmap => {
                let found = "a Hugging Face directory, whose files are mapped";
                return Err(ModelFileError::invalid(path, "--no-mmap", "a GGUF file", found));
            }
            _ if is_directory => return hf::open(path, weights),
            (None, Some(weights)) => {
                return invalid(weights, "a GGUF file, whose weights have their types");
            }
            (None, None) => {}
        }
        let (part, first) = Part::open(path, no_mmap)?;
        let split = split::Split::of(&first.metadata, path)?;
        let mut model = ModelFile::empty(path);
        let mut parts = vec![part];
        model.part_paths.push(path.to_owned());
        model.add_tensors(path, first.tensors, 0)?;
        model.metadata = first.metadata;
        if let Some(split) = split {
            for number in 1..split.count {
                let path = split.part_path(number);
                let (part, header) = Part::open(&path, no_mmap)?;
                split.check_part(&header.metadata, number)?;
                model.add_tensors(&path, header.tensors, parts.len())?;
                parts.push(part);
                model.part_paths.push(path);
            }
            split.check_total(model.tensors.len())?;
        }
        model.storage = Storage::Files(parts);
        Ok(model)
    }

    /// A model whose tensors `source` makes, described as a GGUF file would describe it. `label` is
    /// what error messages call it. The description is checked as a file's header is: names once,
    /// shapes that can be, a size that fits.
    pub fn from_source(
        label: impl AsRef<Path>,
        metadata: Metadata,
        tensors: Vec<TensorInfo>,
        source: Box<dyn TensorSource>,
    ) -> Result<ModelFile> {
        let label = label.as_ref();
        gguf::check_counts(tensors.len() as u64, metadata.len() as u64, label)?;
        let mut model = ModelFile::empty(label);
        model.metadata = metadata.named(label);
        tensors.iter().try_for_each(|tensor| tensor.check(label))?;
        model.add_tensors(label, tensors, 0)?;
        model.storage = Storage::Source(source);
        Ok(model)
    }

    fn empty(path: &Path) -> ModelFile {
        ModelFile {
            path: path.to_owned(),
            metadata: Metadata::new(),
            tensors: Vec::new(),
            by_name: HashMap::new(),
            storage: Storage::Files(Vec::new()),
            part_paths: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn add_tensors(&mut self, path: &Path, tensors: Vec<TensorInfo>, part: usize) -> Result<()> {
        for mut tensor in tensors {
            tensor.part = part;
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

    /// What was passed over while the model was read, in words for its user.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The same model with warnings to tell.
    pub(crate) fn with_warnings(self, warnings: Vec<String>) -> ModelFile {
        ModelFile { warnings, ..self }
    }

    /// All tensors in file order.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.get(name).map(|&at| &self.tensors[at])
    }

    /// The bytes of a tensor of this model. A mapped tensor is only pointed to; one of a file that
    /// is not mapped is read now, one of a [`TensorSource`] made now, each time anew, and both can
    /// fail.
    ///
    /// # Panics
    /// When `tensor` belongs to another model and does not lie within this one.
    pub fn bytes(&self, tensor: &TensorInfo) -> Result<TensorBytes> {
        match &self.storage {
            Storage::Files(parts) => match &parts[tensor.part] {
                Part::Mapped(mapping) => {
                    let end = tensor.start.saturating_add(tensor.n_bytes() as usize);
                    Ok(TensorBytes::mapped(mapping.clone(), tensor.start..end))
                }
                Part::Read(file) => file.bytes(tensor),
            },
            Storage::Source(source) => {
                let bytes = source.bytes(tensor)?;
                if bytes.len() as u64 != tensor.n_bytes() {
                    let (expected, found) = (tensor.n_bytes(), bytes.len());
                    let (expected, found) = (format!("{expected} bytes"), found.to_string());
                    return Err(ModelFileError::invalid(&self.path, &tensor.name, expected, found));
                }
                Ok(bytes)
            }
        }
    }

    /// Number of parameters: the elements of all tensors.
    pub fn n_params(&self) -> u64 {
        self.tensors.iter().map(TensorInfo::n_elements).sum()
    }

    /// Size of all tensors in bytes, without metadata and padding.
    pub fn n_bytes(&self) -> u64 {
        self.tensors.iter().map(TensorInfo::n_bytes).sum()
    }

    /// Size of the file on disk, all parts together; 0 for weights that lie in no file.
    pub fn file_bytes(&self) -> u64 {
        match &self.storage {
            Storage::Files(parts) => parts.iter().map(Part::len).sum(),
            Storage::Source(source) => source.file_bytes(),
        }
    }

    /// Number of files the model is made of.
    pub fn n_parts(&self) -> usize {
        match &self.storage {
            Storage::Files(parts) => parts.len(),
            Storage::Source(source) => source.n_parts(),
        }
    }

    /// Whether `file` is one of those that the model was read from, by whatever name or link: any
    /// part of a split model, any file in a directory.
    pub fn is_read_from(&self, file: &Path) -> bool {
        self.part_paths.iter().any(|part| look::is_same(part, file))
            || (self.path.is_dir() && holds(&self.path, file, MAX_DIRECTORIES))
    }

    /// The tensor's bytes are pages of a file, which come and go with the system's memory, and not
    /// the process's own.
    pub fn is_mapped(&self, tensor: &TensorInfo) -> bool {
        match &self.storage {
            Storage::Files(parts) => matches!(parts.get(tensor.part), Some(Part::Mapped(_))),
            Storage::Source(source) => source.is_mapped(tensor),
        }
    }

    /// Drops the pages of mapped files from this process's memory. The bytes stay readable: an
    /// access brings them back.
    pub fn release(&self) {
        let Storage::Files(parts) = &self.storage else { return };
        for part in parts {
            if let Part::Mapped(mapping) = part {
                mapping.release(0..mapping.bytes().len());
            }
        }
    }

    /// Its tensors are made when they are asked for, and lie in no file as they are.
    pub(crate) fn is_made(&self) -> bool {
        matches!(self.storage, Storage::Source(_))
    }

    /// Keeps the mapped files in memory: the system will not drop their pages until the model is
    /// closed. Fails where the process may not lock so much, and where nothing is mapped.
    pub fn lock(&self) -> std::io::Result<()> {
        let Storage::Files(parts) = &self.storage else {
            return Err(std::io::ErrorKind::Unsupported.into());
        };
        parts.iter().try_for_each(|part| match part {
            Part::Mapped(mapping) => mapping.lock(),
            Part::Read(_) => Err(std::io::ErrorKind::Unsupported.into()),
        })
    }
}

/// Directories within each other in which a model's files may lie; those of Hugging Face use two.
const MAX_DIRECTORIES: usize = 4;

fn holds(directory: &Path, file: &Path, depth: usize) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => depth > 1 && holds(&path, file, depth - 1),
        false => look::is_same(&path, file),
    })
}
