//! Embeddings.

use crate::{Prompt, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of `POST /v1/embeddings`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingRequest {
    /// Which model; the only one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Texts or token ids.
    pub input: Prompt,
    /// How vectors are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding_format: Option<EncodingFormat>,
    /// Whose request it is; informs nobody but the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Which states make the vector (Pacemark); the model's own choice by default, `mean` where it
    /// has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<PoolingType>,
    /// What else was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncodingFormat {
    /// As numbers.
    #[default]
    Float,
    /// As the bytes of little-endian 32-bit floats, in base64.
    Base64,
}

/// Which states make the vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolingType {
    /// The mean over the prompt.
    Mean,
    /// That of the first token.
    Cls,
    /// That of the last token.
    Last,
}

/// Answer of `POST /v1/embeddings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingResponse {
    /// Always `list`.
    pub object: String,
    /// One for each input, in order.
    pub data: Vec<Embedding>,
    /// The model.
    pub model: String,
    /// Token counts.
    pub usage: Usage,
}

/// One input's embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    /// Always `embedding`.
    pub object: String,
    /// Which input.
    pub index: u64,
    /// The vector.
    pub embedding: Vector,
}

/// A vector as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Vector {
    /// As numbers.
    Float(Vec<f32>),
    /// As base64 of little-endian 32-bit floats.
    Base64(String),
}
