//! What a command is given: text by flag, file or standard input; the type that weights are to have.

use crate::exit::UsageError;
use anyhow::{Context, Result};
use pacemark_backends::native::{KvType, KvTypes};
use pacemark_modelfile::DType;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

/// The flag beside `-m` of every command that computes.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct WeightType {
    /// Convert the weights of a Hugging Face directory to this type on load, e.g. Q8_0
    #[arg(long = "type", value_name = "TYPE", value_parser = weight_type)]
    weights: Option<DType>,
}

impl WeightType {
    /// The type, if one was given.
    pub fn get(self) -> Option<DType> {
        self.weights
    }
}

fn weight_type(name: &str) -> Result<DType, String> {
    DType::from_name(name).ok_or_else(|| format!("not one of {}", DType::names()))
}

/// The types of the KV cache, of every command that computes.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct KvArgs {
    /// Store keys as f32, f16, q8_0 or q4_0 (-ctk)
    #[arg(long, value_name = "TYPE", default_value = KvType::F16.name(), value_parser = kv_type)]
    cache_type_k: KvType,
    /// Store values as f32, f16, q8_0 or q4_0 (-ctv)
    #[arg(long, value_name = "TYPE", default_value = KvType::F16.name(), value_parser = kv_type)]
    cache_type_v: KvType,
}

impl KvArgs {
    /// The types; a usage error if they do not go together.
    pub fn get(self) -> Result<KvTypes, UsageError> {
        KvTypes::new(self.cache_type_k, self.cache_type_v).map_err(|error| UsageError(format!("-ctk, -ctv: {error}")))
    }
}

fn kv_type(name: &str) -> Result<KvType, String> {
    KvType::from_name(name).ok_or_else(|| format!("not one of {}", KvType::ALL.map(KvType::name).join(", ")))
}

/// The prompt given by `-p` or `-f`, else standard input byte for byte.
pub fn prompt(text: Option<&str>, file: Option<&PathBuf>) -> Result<String> {
    match (text, file) {
        (Some(text), _) => Ok(text.to_string()),
        (None, Some(path)) => read_file(path),
        (None, None) if std::io::stdin().is_terminal() => {
            Err(UsageError("no prompt: give -p TEXT, -f FILE, or text on standard input".into()).into())
        }
        (None, None) => read_stdin(),
    }
}

/// A file's text.
pub fn read_file(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    utf8(bytes, &path.display().to_string())
}

/// All of standard input.
pub fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    utf8(bytes, "standard input")
}

fn utf8(bytes: Vec<u8>, source: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes()[at];
        anyhow::anyhow!("{source}: expected UTF-8 text, found byte 0x{byte:02x} at offset {at}")
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn types_go_by_the_names_of_the_table() {
        assert_eq!(super::weight_type("q8_0"), Ok(super::DType::Q8_0));
        assert!(super::weight_type("Q9_0").unwrap_err().contains("Q8_0, "));
    }

    #[test]
    fn broken_text_is_located() {
        let error = super::utf8(b"ab\xffc".to_vec(), "prompt.txt").unwrap_err().to_string();
        assert_eq!(error, "prompt.txt: expected UTF-8 text, found byte 0xff at offset 2");
    }
}
