//! What a directory says of a model that another engine computes: its name, its vocabulary and its
//! size on disk, without a look at a single weight.
//!
//! For engines that read what Pacemark's own does not: architectures that no file of `arch` knows, and
//! OpenVINO's intermediate representation. Nothing of it is computed here, so that nothing that is not
//! understood can change an answer of ours.

use super::json::Document;
use super::{MAX_CONFIG_BYTES, name, tokenizer};
use crate::{
    Metadata, ModelFile, ModelFileError, Result, TensorBytes, TensorInfo, TensorSource, Value,
};
use std::path::Path;

/// What OpenVINO calls the graph of a model.
pub(super) const OPENVINO: &str = "openvino_model.xml";

/// Describes a directory that has `config.json` or is OpenVINO's.
pub(crate) fn described(directory: &Path) -> Result<ModelFile> {
    let config = Document::open_if_there(&directory.join("config.json"), MAX_CONFIG_BYTES)?;
    let is_openvino = directory.join(OPENVINO).is_file();
    if config.is_none() && !is_openvino {
        let expected = format!("a directory with config.json or {OPENVINO}");
        return Err(ModelFileError::invalid(directory, "path", expected, "a directory without"));
    }
    let mut metadata = Metadata::new();
    metadata.set("general.name", Value::String(name(directory)));
    let mut warnings = Vec::new();
    let mut architecture = "unknown".to_owned();
    if let Some(config) = &config {
        let root = config.root();
        if let Some(found) = root.opt_str("model_type")? {
            architecture = found.chars().take(40).collect();
        }
        // Models of several parts have the language model's numbers one level down.
        let inner = root.opt_node("text_config")?;
        let own = root.opt_size("vocab_size")?;
        let n_vocab = match (own, &inner) {
            (None, Some(inner)) => inner.opt_size("vocab_size")?,
            (own, _) => own,
        };
        let described = n_vocab.map(|n_vocab| {
            let mut read = metadata.clone();
            let n_vocab = n_vocab as usize;
            tokenizer::describe(directory, &root, n_vocab, &mut read, &mut warnings).map(|()| read)
        });
        match described {
            Some(Ok(read)) => metadata = read,
            Some(Err(error)) => warnings.push(format!("no tokenizer: {error}")),
            None => warnings.push("no tokenizer: config.json has no vocab_size".into()),
        }
    } else {
        warnings.push("no tokenizer: there is no config.json beside the graph".into());
    }
    metadata.set("general.architecture", Value::String(architecture));
    let source = Box::new(Elsewhere { bytes: weights_bytes(directory) });
    Ok(ModelFile::from_source(directory, metadata, Vec::new(), source)?.with_warnings(warnings))
}

/// Bytes of what lies in the directory and holds weights.
fn weights_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_weights = |path: &Path| {
        path.extension().is_some_and(|end| end == "safetensors" || end == "bin" || end == "pt")
    };
    entries
        .filter(|entry| is_weights(&entry.path()))
        .filter_map(|entry| entry.metadata().ok())
        .fold(0, |sum, metadata| sum.saturating_add(metadata.len()))
}

/// Weights that another engine reads.
#[derive(Debug)]
struct Elsewhere {
    bytes: u64,
}

impl TensorSource for Elsewhere {
    fn bytes(&self, tensor: &TensorInfo) -> Result<TensorBytes> {
        let expected = "a model that this engine reads";
        Err(ModelFileError::invalid(
            Path::new(&tensor.name),
            "tensor",
            expected,
            "one described only",
        ))
    }

    fn file_bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_here_computes_is_described_all_the_same() {
        let directory = std::env::temp_dir().join(format!("described-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let missing = described(&directory).unwrap_err().to_string();
        assert!(missing.contains("config.json or openvino_model.xml"), "{missing}");
        let config = r#"{"model_type": "mamba", "vocab_size": 300, "state_size": 16}"#;
        std::fs::write(directory.join("config.json"), config).unwrap();
        std::fs::write(directory.join("model.safetensors"), [0; 100]).unwrap();
        let model = described(&directory).unwrap();
        assert_eq!(model.metadata().architecture().unwrap(), "mamba");
        assert_eq!((model.file_bytes(), model.n_params()), (100, 0));
        assert!(model.warnings()[0].starts_with("no tokenizer"), "{:?}", model.warnings());
        assert!(ModelFile::open(&directory).is_err(), "it is not computed here");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
