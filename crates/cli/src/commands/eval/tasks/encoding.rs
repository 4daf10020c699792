//! A model's tokenizer as tasks use it.

use anyhow::Result;
use pacemark_bench::tasks::Encoder;
use pacemark_modelfile::ModelFile;
use pacemark_tokenizer::{EncodeOptions, Tokenizer};

/// Special tokens that a text writes out are read as such, as Hugging Face's tokenizers do; what a
/// model wants at a text's beginning is added by the [`Encoder`].
const WRITTEN: EncodeOptions = EncodeOptions { add_special: false, parse_special: true };

/// Lends the encoder of a model's file.
pub(super) fn with<T>(file: &ModelFile, make: impl FnOnce(&Encoder<'_>) -> Result<T>) -> Result<T> {
    let tokenizer = Tokenizer::from_metadata(file.metadata())?;
    let encode = |text: &str| tokenizer.encode(text, WRITTEN);
    let bos = tokenizer.bos().filter(|_| tokenizer.adds_bos());
    let empty = tokenizer.bos().or_else(|| tokenizer.eos());
    make(&Encoder { encode: &encode, bos, empty })
}
