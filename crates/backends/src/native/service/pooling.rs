//! How a model's own file says that states become an embedding.

use pacemark_backend::Pooling;
use pacemark_modelfile::{Metadata, ModelFileError};

/// `{architecture}.pooling_type`, by llama.cpp's numbers (`enum llama_pooling_type`); the mean
/// where the file does not say.
pub(super) fn of_model(metadata: &Metadata) -> Result<Pooling, ModelFileError> {
    let key = format!("{}.pooling_type", metadata.architecture()?);
    match metadata.opt_u32(&key)? {
        None | Some(1) => Ok(Pooling::Mean),
        Some(2) => Ok(Pooling::Cls),
        Some(3) => Ok(Pooling::Last),
        Some(other) => {
            let expected =
                "1 (mean), 2 (first token) or 3 (last token), or a pooling in the request";
            Err(ModelFileError::invalid(metadata.file(), key, expected, other.to_string()))
        }
    }
}
