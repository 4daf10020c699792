//! Tiny models for tests: complete GGUF files with a vocabulary and seeded random weights, made in
//! milliseconds from the description of their architecture.
//!
//! They answer nonsense, but every reader, kernel and command treats them as it would treat a real
//! model. Their weights use every type that the real models of the catalog use. For tests only:
//! nothing else may depend on this crate.

pub mod long;
mod vocabulary;
mod weights;

use pacemark_modelfile::arch::{ARCHS, Arch, Part, TensorName};
use pacemark_modelfile::synth::Shape;
use pacemark_modelfile::{Metadata, ModelFileError, TensorInfo, Value, write_gguf_file};
use pacemark_quant::DType;
use std::path::Path;

/// Width of the residual stream, of the feed-forward block and of a superblock.
const N_EMBD: usize = 256;
/// Layers; with gemma3's every sixth layer global, one of them is.
pub const N_LAYERS: usize = 6;
/// Tokens of the vocabulary.
pub const N_VOCAB: usize = 320;
/// Context the models say they were trained for.
pub const N_CTX: usize = 256;

/// A tiny model: its metadata and tensors, to be changed before it is written.
pub struct TestModel {
    /// Keys and values.
    pub metadata: Metadata,
    /// Tensors with their bytes, in file order.
    pub tensors: Vec<(TensorInfo, Vec<u8>)>,
}

impl TestModel {
    /// `llama` with the byte-level vocabulary; types as in SmolLM2's Q4_1 file.
    pub fn llama() -> TestModel {
        TestModel::of("llama")
    }

    /// `gemma3` with the SPM vocabulary; types as in the Q4_K_M file of its 270M model.
    pub fn gemma3() -> TestModel {
        TestModel::of("gemma3")
    }

    /// A model of every architecture, with its name.
    pub fn all() -> Vec<(&'static str, TestModel)> {
        ARCHS.iter().map(|arch| (arch.name, TestModel::of(arch.name))).collect()
    }

    /// A model of the architecture of this name. All are like `llama`'s but for what their
    /// description says; gemma3's has more types, and a window that a test can fill.
    pub fn of(architecture: &str) -> TestModel {
        let arch = Arch::named(architecture).expect("a test names an architecture that there is");
        let is_gemma = architecture == "gemma3";
        let types = if is_gemma { &GEMMA3_TYPES } else { &LLAMA_TYPES };
        let shape = Shape {
            name: "test".into(),
            architecture: architecture.into(),
            n_embd: N_EMBD as u32,
            n_ff: N_EMBD as u32,
            n_layers: N_LAYERS as u32,
            n_heads: 4,
            n_kv_heads: Some(if is_gemma { 1 } else { 2 }),
            head_dim: Some(64),
            n_vocab: N_VOCAB as u32,
            n_ctx: N_CTX as u32,
            rope_theta: if is_gemma { 1_000_000.0 } else { 10_000.0 },
            tied: true,
        };
        let mut model = TestModel { metadata: Metadata::new(), tensors: Vec::new() };
        model.set("general.architecture", Value::String(architecture.into()));
        model.set("general.file_type", Value::U32(types.file_type));
        arch.describe(&shape, &mut model.metadata);
        if is_gemma {
            model.set("gemma3.attention.sliding_window", Value::U32(24));
            vocabulary::sentence_piece(&mut model.metadata);
        } else {
            vocabulary::byte_level(&mut model.metadata);
        }
        model.weights(&shape, types);
        model
    }

    /// Sets a key.
    pub fn set(&mut self, key: &str, value: Value) {
        self.metadata.set(key, value);
    }

    /// Writes it as a GGUF file.
    pub fn write(&self, path: &Path) -> Result<(), ModelFileError> {
        write_gguf_file(path, &self.metadata, &self.tensors).map(|_| ())
    }

    /// All tensors that a model cannot do without, drawn one after another. The norms that only some
    /// architectures have come last in a layer, so that the others' weights do not depend on them.
    fn weights(&mut self, shape: &Shape, types: &Types) {
        let config = shape.config().expect("the shape is one of a model");
        let mut specs = config.tensors();
        specs.retain(|spec| !spec.optional);
        specs.sort_by_key(|spec| (spec.name.layer, is_of_some(spec.name.part)));
        let mut random = weights::Random::new(1);
        for spec in specs {
            let dtype = types.of(spec.name);
            let bytes = weights::tensor(&mut random, spec.role(), &spec.dims, dtype);
            self.tensors.push((TensorInfo::new(spec.name.to_string(), spec.dims, dtype), bytes));
        }
    }
}

fn is_of_some(part: Part) -> bool {
    matches!(part, Part::QNorm | Part::KNorm | Part::AttnPostNorm | Part::FfnPostNorm)
}

/// Which types the weights take, in turn from layer to layer.
struct Types {
    /// `general.file_type`.
    file_type: u32,
    embedding: DType,
    attention: &'static [DType],
    ffn: &'static [DType],
}

const LLAMA_TYPES: Types = Types {
    file_type: 3,
    embedding: DType::Q8_0,
    attention: &[DType::Q4_1],
    ffn: &[DType::Q4_1, DType::Q4_0],
};

const GEMMA3_TYPES: Types = Types {
    file_type: 15,
    embedding: DType::Q8_0,
    attention: &[DType::Q5_0, DType::Q8_0, DType::Q4K],
    ffn: &[DType::Q5_0, DType::Q6K, DType::Q5_1, DType::Q5K, DType::F16, DType::BF16],
};

impl Types {
    /// The type of a tensor; vectors and tables of positions are floats.
    fn of(&self, name: TensorName) -> DType {
        let (list, i) = match name.part {
            _ if name.bias => return DType::F32,
            Part::Embedding => return self.embedding,
            Part::Q | Part::Qkv => (self.attention, 0),
            Part::K => (self.attention, 1),
            Part::V => (self.attention, 2),
            Part::AttnOutput => (self.attention, 3),
            Part::Gate => (self.ffn, 0),
            Part::Up => (self.ffn, 1),
            Part::Down => (self.ffn, 2),
            _ => return DType::F32,
        };
        list[(name.layer.unwrap_or(0) + i) % list.len()]
    }
}
