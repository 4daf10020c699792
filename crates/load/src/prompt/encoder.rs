//! Who counts tokens: a tokenizer of this process, or the server's own over `/tokenize`.

/// Counting failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot count tokens: {0}")]
pub struct EncodeError(pub String);

/// Text to tokens, as the model reads it.
pub trait Encoder: Send + Sync {
    /// The ids of `text`; with those that start a sequence, if `special`.
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, EncodeError>;

    /// Each call is a request to a server: not for every prompt of a long run.
    fn is_remote(&self) -> bool {
        false
    }
}

impl<F: Fn(&str, bool) -> Vec<u32> + Send + Sync> Encoder for F {
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, EncodeError> {
        Ok(self(text, special))
    }
}
