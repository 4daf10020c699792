//! Tiny models for tests: complete GGUF files with a vocabulary and seeded random weights, made in
//! milliseconds.
//!
//! They answer nonsense, but every reader, kernel and command treats them as it would treat a real
//! model. Their weights use every type that the real models of the catalog use. For tests only:
//! nothing else may depend on this crate.

pub mod long;
mod vocabulary;
mod weights;

use pacemark_modelfile::{Metadata, ModelFileError, TensorInfo, Value, write_gguf_file};
use pacemark_quant::DType;
use std::path::Path;

/// Width of the residual stream, of the feed-forward block and of a superblock.
pub const N_EMBD: usize = 256;
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
        let mut model = TestModel { metadata: Metadata::new(), tensors: Vec::new() };
        model.set("general.architecture", Value::String("llama".into()));
        model.set("general.file_type", Value::U32(3));
        model.dimensions("llama", 4, 2);
        model.set("llama.rope.freq_base", Value::F32(10_000.0));
        model.set("llama.rope.dimension_count", Value::U32(64));
        vocabulary::byte_level(&mut model.metadata);
        let types = Types {
            embedding: DType::Q8_0,
            attention: &[DType::Q4_1],
            ffn: &[DType::Q4_1, DType::Q4_0],
        };
        model.weights(4, 2, 64, &types, false);
        model
    }

    /// `gemma3` with the SPM vocabulary; types as in the Q4_K_M file of its 270M model.
    pub fn gemma3() -> TestModel {
        let mut model = TestModel { metadata: Metadata::new(), tensors: Vec::new() };
        model.set("general.architecture", Value::String("gemma3".into()));
        model.set("general.file_type", Value::U32(15));
        model.dimensions("gemma3", 4, 1);
        model.set("gemma3.attention.key_length", Value::U32(64));
        model.set("gemma3.attention.value_length", Value::U32(64));
        model.set("gemma3.attention.sliding_window", Value::U32(24));
        model.set("gemma3.rope.freq_base", Value::F32(1_000_000.0));
        vocabulary::sentence_piece(&mut model.metadata);
        let types = Types {
            embedding: DType::Q8_0,
            attention: &[DType::Q5_0, DType::Q8_0, DType::Q4K],
            ffn: &[DType::Q5_0, DType::Q6K, DType::Q5_1, DType::Q5K, DType::F16, DType::BF16],
        };
        model.weights(4, 1, 64, &types, true);
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

    fn dimensions(&mut self, prefix: &str, n_heads: u32, n_kv_heads: u32) {
        let sizes = [
            ("block_count", N_LAYERS as u32),
            ("context_length", N_CTX as u32),
            ("embedding_length", N_EMBD as u32),
            ("feed_forward_length", N_EMBD as u32),
            ("attention.head_count", n_heads),
            ("attention.head_count_kv", n_kv_heads),
        ];
        for (key, value) in sizes {
            self.set(&format!("{prefix}.{key}"), Value::U32(value));
        }
        self.set(&format!("{prefix}.attention.layer_norm_rms_epsilon"), Value::F32(1e-5));
    }

    fn weights(
        &mut self,
        n_heads: u64,
        n_kv_heads: u64,
        head_dim: u64,
        types: &Types,
        gemma: bool,
    ) {
        let d = N_EMBD as u64;
        let (q, kv) = (n_heads * head_dim, n_kv_heads * head_dim);
        let mut random = weights::Random::new(1);
        let mut add = |name: String, dims: Vec<u64>, dtype: DType| {
            let bytes = weights::tensor(&mut random, &dims, dtype);
            self.tensors.push((TensorInfo::new(name, dims, dtype), bytes));
        };
        add("token_embd.weight".into(), vec![d, N_VOCAB as u64], types.embedding);
        add("output_norm.weight".into(), vec![d], DType::F32);
        for layer in 0..N_LAYERS {
            let attention = |i: usize| types.attention[(layer + i) % types.attention.len()];
            let ffn = |i: usize| types.ffn[(layer + i) % types.ffn.len()];
            let name = |tensor: &str| format!("blk.{layer}.{tensor}.weight");
            add(name("attn_norm"), vec![d], DType::F32);
            add(name("attn_q"), vec![d, q], attention(0));
            add(name("attn_k"), vec![d, kv], attention(1));
            add(name("attn_v"), vec![d, kv], attention(2));
            add(name("attn_output"), vec![q, d], attention(3));
            add(name("ffn_norm"), vec![d], DType::F32);
            add(name("ffn_gate"), vec![d, d], ffn(0));
            add(name("ffn_up"), vec![d, d], ffn(1));
            add(name("ffn_down"), vec![d, d], ffn(2));
            if gemma {
                add(name("attn_q_norm"), vec![head_dim], DType::F32);
                add(name("attn_k_norm"), vec![head_dim], DType::F32);
                add(name("post_attention_norm"), vec![d], DType::F32);
                add(name("post_ffw_norm"), vec![d], DType::F32);
            }
        }
    }
}

/// Which types the weights take in turn.
struct Types {
    embedding: DType,
    attention: &'static [DType],
    ffn: &'static [DType],
}
