//! The model that is asked about: its header, from its file or, where that is not here, from its
//! known shape; and what a process takes that has read it.

use crate::exit::UsageError;
use crate::hub::{self, Here};
use crate::setup::WeightType;
use anyhow::Result;
use pacemark_engine::{Account, ModelConfig, Usage, model_config};
use pacemark_kernels::KernelSet;
use pacemark_modelfile::{ModelFile, OpenOptions, TensorInfo};
use pacemark_record::{FitMemory, Layers, env};
use pacemark_setup::Residence;
use pacemark_tokenizer::Tokenizer;
use std::path::PathBuf;

/// A model by its header.
pub(super) struct Model {
    /// What is loaded to run it.
    pub path: PathBuf,
    pub file: ModelFile,
    /// How its weights are held.
    pub weights: Residence,
    /// Its configuration; or why the engine has none, naming the key or the architecture.
    pub config: Result<ModelConfig, String>,
    /// What a process takes that has read header and vocabulary.
    pub process_bytes: u64,
    pub kernels: &'static KernelSet,
    /// What is to be known of it.
    pub notes: Vec<String>,
}

impl Model {
    /// Opens the header of what the user named; nothing is fetched.
    pub(super) fn open(name: &str, weights: WeightType) -> Result<Model> {
        let mut notes = Vec::new();
        let path = match hub::here(name)? {
            Here::Path(path) => path,
            Here::Shape(synthetic) => {
                notes.push(format!(
                    "{name} was not pulled: the figures are those of {synthetic}, its shape and types"
                ));
                PathBuf::from(synthetic)
            }
            Here::Absent => {
                let why = "it was not pulled, and its header is not known";
                return Err(
                    UsageError(format!("-m {name}: {why} (pacemark models pull {name})")).into()
                );
            }
        };
        let weights = weights.residence();
        let options = OpenOptions { weights: weights.quantize, ..OpenOptions::default() };
        let file = ModelFile::open_with(&path, options)?;
        let config = model_config(&file).map_err(|error| error.to_string());
        // As the engine does: what it brings into memory stays there.
        let tokenizer = Tokenizer::from_metadata(file.metadata());
        file.release();
        let process_bytes = env::rss_bytes().unwrap_or(0);
        if let Err(error) = &tokenizer {
            notes.push(format!("the memory of its vocabulary is not counted: {error}"));
        }
        let kernels = pacemark_kernels::kernels()?;
        Ok(Model { path, file, weights, config, process_bytes, kernels, notes })
    }

    /// What it takes that is run so; or why that is not known.
    pub(super) fn memory(&self, usage: &Usage) -> Result<FitMemory, String> {
        let config = self.config.as_ref().map_err(Clone::clone)?;
        let account = Account::of(&self.file, config, self.kernels, usage);
        let account = account.map_err(|error| error.to_string())?;
        Ok(FitMemory {
            process: self.process_bytes,
            weights: account.weights,
            table: account.table,
            kv: account.kv,
            work: account.work,
            loading: account.loading,
        })
    }
}

/// The layers of a model, as predictions look at them.
pub(super) fn layers(file: &ModelFile, config: &ModelConfig) -> Layers {
    let mut windows: Vec<(u64, u64)> = Vec::new();
    for window in config.layers.iter().filter_map(|layer| layer.window) {
        match windows.iter_mut().find(|(known, _)| *known == window as u64) {
            Some((_, n)) => *n += 1,
            None => windows.push((window as u64, 1)),
        }
    }
    let of_layers = file.tensors().iter().filter(|info| info.name.starts_with("blk."));
    let bytes = of_layers.map(TensorInfo::n_bytes).fold(0, u64::saturating_add);
    Layers { n: config.layers.len() as u64, bytes, windows }
}
