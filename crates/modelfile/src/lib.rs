//! Model files: what is in them, and where its bytes lie.
//!
//! [`ModelFile::open`] maps a GGUF file (or all parts of a split one, or a Hugging Face directory,
//! see [`hf`]), checks every count, length and offset in it against the file, and hands out
//! [`Metadata`], [`TensorInfo`]s and [`TensorBytes`]: views of the mapped bytes, which are not
//! copied. A [`TensorSource`] stands behind a model that is no GGUF file and makes its tensors on
//! demand. [`arch`] describes the architectures. [`GgufWriter`] writes such files, [`quantize`] makes one of another type, [`catalog`]
//! lists the models that Pacemark knows by name, and [`summary`] says what a model costs to run.
//!
//! What is computed with the tensors is left to `engine`, what the vocabulary means to `tokenizer`, and the
//! fetching of a model to the binary: nothing here opens a network connection or starts a process.

pub mod arch;
pub mod catalog;
mod dequantized;
mod error;
mod foreign;
pub mod gguf;
pub mod hf;
mod mapping;
mod metadata;
mod model;
pub mod quantize;
mod source;
mod split;
mod strings;
pub mod summary;
pub mod synth;
mod templates;
mod tensor;
mod unmapped;
mod value;

pub use error::ModelFileError;
pub use foreign::foreign;
pub use gguf::write::{GgufFile, GgufWriter, write_gguf, write_gguf_file};
pub use metadata::Metadata;
pub use model::{ModelFile, OpenOptions};
pub use pacemark_quant::DType;
pub use source::TensorSource;
pub use strings::Strings;
pub use templates::chat_templates;
pub use tensor::{TensorBytes, TensorInfo};
pub use value::{Value, ValueType};

/// Result of this crate's functions.
pub type Result<T, E = ModelFileError> = std::result::Result<T, E>;
