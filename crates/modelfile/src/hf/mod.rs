//! A Hugging Face directory as a model file: `config.json`, safetensors and `tokenizer.json` under
//! GGUF's keys and names.
//!
//! What a directory holds is translated, once, to what a GGUF file of the same model would hold, so
//! that nothing above this crate knows the difference. Tensors are reordered, converted and
//! quantized when they are asked for (`tensors`). What is in a directory and not understood is an
//! error, except buffers that a family is known to carry along.

mod described;
pub(crate) mod family;
pub(crate) mod json;
mod pooling;
pub mod safetensors;
mod shards;
mod tensors;
mod tokenizer;

pub(crate) use described::described;

use crate::arch::{ARCHS, Arch, Part, TensorName};
use crate::mapping::Mapping;
use crate::quantize::{self, Recipe};
use crate::{Metadata, ModelFile, ModelFileError, Result, TensorInfo, Value};
use family::{Family, HfShape, How};
use json::{Document, Node};
use pacemark_files::excerpt;
use pacemark_quant::DType;
use safetensors::Entry;
use shards::Shards;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tensors::{Origin, Tensors};

const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Opens a directory. Tensors get the types that quantizing a GGUF file of the model to `weights`
/// would give them, where it is given; where not, matrices stay what they are stored as.
pub(crate) fn open(directory: &Path, weights: Option<Recipe>) -> Result<ModelFile> {
    let Some(config) = Document::open_if_there(&directory.join("config.json"), MAX_CONFIG_BYTES)?
    else {
        let expected = "a GGUF file, or a directory with config.json as on Hugging Face";
        let found = match directory.join(described::OPENVINO).is_file() {
            true => {
                "a directory in OpenVINO's format, which only OpenVINO reads (--backend openvino)"
            }
            false => "a directory without it",
        };
        return Err(ModelFileError::invalid(directory, "path", expected, found));
    };
    open_as(directory, &config.accounted(), weights)
}

/// Opens a directory whose configuration has been read.
fn open_as(directory: &Path, document: &Document, weights: Option<Recipe>) -> Result<ModelFile> {
    let config = document.root();
    let arch = arch_of(&config)?;
    let family = &arch.hf;
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", Value::String(arch.name.into()));
    metadata.set("general.name", Value::String(name(directory)));
    let shape = family.read(arch.name, &config, &mut metadata)?;
    if let Some(pooling) = pooling::pooling_type(directory)? {
        metadata.set(format!("{}.pooling_type", arch.name), Value::U32(pooling));
    }
    let shards = Shards::open(directory)?;
    let mut plan =
        Plan { family, shape: &shape, directory, infos: Vec::new(), origins: HashMap::new() };
    for (file, entry) in shards.tensors {
        plan.add(&shards.files[file], entry)?;
    }
    plan.check_output(&config)?;
    plan.add_rope_factors();
    let n_vocab = plan.vocabulary(&config)?;
    if let Some(recipe) = weights {
        quantize::describe(recipe, &mut metadata, &mut plan.infos)?;
    }
    let mut warnings = Vec::new();
    tokenizer::describe(directory, &config, n_vocab, &mut metadata, &mut warnings)?;
    warnings.extend(unread(document, family));
    let source =
        Tensors { directory: directory.to_owned(), origins: plan.origins, files: shards.files };
    Ok(ModelFile::from_source(directory, metadata, plan.infos, Box::new(source))?
        .with_warnings(warnings))
}

/// What to say of fields that nothing has read: a list of the first ones.
fn unread(document: &Document, family: &Family) -> Option<String> {
    const SHOWN: usize = 20;
    let is_unread = |field: &&str| !document.was_asked(field) && !family.is_harmless(field);
    let fields = document.root().names().filter(is_unread).take(SHOWN);
    let fields: Vec<String> =
        fields.map(|field| excerpt(field).escape_debug().to_string()).collect();
    let what = format!(
        "config.json: not read, since {} has no such fields: {}",
        family.model_type,
        fields.join(", ")
    );
    (!fields.is_empty()).then_some(what)
}

/// What the model is called: the directory's name.
fn name(directory: &Path) -> String {
    let full = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    full.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned())
}

fn arch_of(config: &Node<'_>) -> Result<&'static Arch> {
    let found = config.str("model_type")?;
    ARCHS.iter().find(|arch| arch.hf.model_type == found).ok_or_else(|| {
        let known: Vec<&str> = ARCHS.iter().map(|arch| arch.hf.model_type).collect();
        config.wrong("model_type", format!("one of {}", known.join(", ")))
    })
}

/// The tensors of the model to be, as they are collected.
struct Plan<'a> {
    family: &'static Family,
    shape: &'a HfShape,
    directory: &'a Path,
    infos: Vec<TensorInfo>,
    origins: HashMap<String, Origin>,
}

impl Plan<'_> {
    /// Finds out what a stored tensor is, and how it becomes GGUF's.
    fn add(&mut self, mapping: &Arc<Mapping>, entry: Entry) -> Result<()> {
        let invalid = |expected: String, found: String| {
            Err(ModelFileError::invalid(self.directory, &entry.name, expected, found))
        };
        let (name, how) = match self.translate(&entry.name) {
            Name::Tensor(name, how) => (name, how),
            Name::Buffer => return Ok(()),
            Name::Unknown => {
                return invalid(
                    format!("a tensor of {}", self.family.model_type),
                    "an unknown name".into(),
                );
            }
        };
        let Some(stored) = entry.weight_type() else {
            return invalid("a dtype of F32, F16 or BF16".into(), entry.dtype.into());
        };
        let transform = how.transform(self.shape, entry.shape.len());
        let dims = match transform.dims(&entry.shape) {
            Ok(dims) => dims,
            Err(expected) => return invalid(expected, format!("{:?}", entry.shape)),
        };
        // Vectors are floats, as in GGUF files.
        let dtype = if dims.len() < 2 { DType::F32 } else { stored };
        let info = TensorInfo::new(name.clone(), dims, dtype);
        // Now, and not when the list is whole: the number of rows is about to be believed.
        info.check(self.directory)?;
        self.infos.push(info);
        let origin = Origin::Stored { mapping: mapping.clone(), entry, dtype: stored, transform };
        if let Some(Origin::Stored { entry, .. }) = self.origins.insert(name, origin) {
            let found = "another tensor that means the same";
            return Err(ModelFileError::invalid(
                self.directory,
                &entry.name,
                "each tensor once",
                found,
            ));
        }
        Ok(())
    }

    /// What a stored name means.
    fn translate(&self, stored: &str) -> Name {
        let family = self.family;
        let name = stored.strip_prefix(family.prefix).unwrap_or(stored);
        let find = |rules: &'static [family::Rule], layer: Option<usize>, name: &str| {
            let (stem, suffix) = name.rsplit_once('.')?;
            let rule = rules
                .iter()
                .find(|rule| rule.stored == stem && matches!(suffix, "weight" | "bias"))?;
            let name = TensorName { layer, part: rule.part, bias: suffix == "bias" };
            Some((name.to_string(), rule.how))
        };
        let in_layer = name.strip_prefix(family.layers).and_then(|rest| {
            let (number, rest) = rest.split_once('.')?;
            // A number has one way to be written.
            let layer = number.parse::<u32>().ok().filter(|n| n.to_string() == number)?;
            Some((layer as usize, rest))
        });
        let found = match in_layer {
            Some((_, rest)) if family.buffers.contains(&rest) => return Name::Buffer,
            Some((layer, rest)) => find(family.inside, Some(layer), rest),
            None => find(family.outside, None, name),
        };
        found.map_or(Name::Unknown, |(name, how)| Name::Tensor(name, how))
    }

    /// That there is an output matrix where the configuration does not say that the embedding is
    /// it. A stored one counts even where it does, as in transformers, unless it is the copy of the
    /// embedding that some checkpoints hold.
    fn check_output(&mut self, config: &Node<'_>) -> Result<()> {
        let tied = config.opt_bool("tie_word_embeddings")?.unwrap_or(self.family.tied);
        let [output, embedding] =
            [Part::Output, Part::Embedding].map(|part| TensorName::outside(part).to_string());
        match (tied, self.origins.contains_key(&output)) {
            (false, false) => {
                let stored = self
                    .family
                    .outside
                    .iter()
                    .find(|rule| rule.part == Part::Output)
                    .map_or("", |rule| rule.stored);
                let expected = format!("true, since there is no tensor {stored}.weight");
                return Err(config.invalid(
                    "tie_word_embeddings",
                    expected,
                    "false, or no such field",
                ));
            }
            (true, true) if self.same_bytes(&output, &embedding) => {
                self.origins.remove(&output);
                self.infos.retain(|info| info.name != output);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether two tensors are stored alike.
    fn same_bytes(&self, a: &str, b: &str) -> bool {
        let stored = |name: &str| match self.origins.get(name) {
            Some(Origin::Stored { mapping, entry, dtype, .. }) => {
                Some((&mapping.bytes()[entry.range.clone()], *dtype, &entry.shape))
            }
            _ => None,
        };
        stored(a) == stored(b)
    }

    /// The tensor in which GGUF keeps llama3's scaling.
    fn add_rope_factors(&mut self) {
        if let Some(factors) = &self.shape.rope_factors {
            let name = TensorName::outside(Part::RopeFactors).to_string();
            self.infos.push(TensorInfo::new(name.clone(), [factors.len() as u64], DType::F32));
            self.origins.insert(name, Origin::Made(factors.clone()));
        }
    }

    /// Rows of the embedding, which the configuration must agree with. The file holds them, so the
    /// number is no absurd one.
    fn vocabulary(&self, config: &Node<'_>) -> Result<usize> {
        let said = u64::from(config.size("vocab_size")?);
        let name = TensorName::outside(Part::Embedding).to_string();
        let embedding = self.infos.iter().find(|info| info.name == name);
        match embedding.map(|info| info.dims.as_slice()) {
            Some(&[_, rows]) if rows == said => Ok(rows as usize),
            Some(dims) => {
                let found = format!("an embedding of {:?}", dims.iter().rev().collect::<Vec<_>>());
                Err(config.invalid(
                    "vocab_size",
                    format!("the rows of the embedding, {said}"),
                    found,
                ))
            }
            None => {
                let embedding = self.family.outside[0].stored;
                Err(ModelFileError::invalid(
                    self.directory,
                    format!("{embedding}.weight"),
                    "a matrix",
                    "no such tensor",
                ))
            }
        }
    }
}

enum Name {
    /// GGUF's name.
    Tensor(String, How),
    /// Not needed.
    Buffer,
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attributes of transformers' classes, and what the code of its models asks them for
    /// (`engine/tests/data/configurations/make_configurations.py`): each is read, or known to be
    /// harmless.
    #[test]
    fn every_attribute_of_a_class_is_accounted_for() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR"));
        let attributes = std::fs::read(data.join("tests/data/config_attributes.json")).unwrap();
        let attributes: serde_json::Value = serde_json::from_slice(&attributes).unwrap();
        for arch in ARCHS {
            // The golden model of an architecture has its name.
            let (family, name) = (&arch.hf, arch.name);
            let model_type = family.model_type;
            let directory = data.join("../engine/tests/data/golden").join(name);
            let document = Document::open(&directory.join("config.json"), MAX_CONFIG_BYTES)
                .unwrap()
                .accounted();
            open_as(&directory, &document, None).unwrap();
            assert_eq!(arch_of(&document.root()).unwrap().name, name);
            let class = attributes["classes"][model_type].as_array().unwrap();
            assert!(class.len() > 20, "{model_type}: the list is not what it was made to be");
            let unaccounted = class.iter().filter_map(|name| name.as_str());
            let unaccounted: Vec<&str> = unaccounted
                .filter(|field| !document.was_asked(field) && !family.is_harmless(field))
                .collect();
            assert!(
                unaccounted.is_empty(),
                "{model_type}: neither read nor known to be harmless: {unaccounted:?}"
            );
        }
    }
}
