//! Any bytes as a file of a Hugging Face directory: the others are links to a golden model of the
//! engine's tests.

use super::{EncodeOptions, Tokenizer};
use pacemark_modelfile::ModelFile;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// Families and the golden models of them.
const MODELS: [(&str, &str); 6] = [
    ("gemma3_text", "gemma3"),
    ("gpt_neox", "gptneox"),
    ("gpt2", "gpt2"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("llama", "llama-rope3"),
];

thread_local! {
    static SCRATCH: RefCell<Option<Scratch>> = const { RefCell::new(None) };
}

/// A directory of this thread, removed with it.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // of no consequence
    }
}

/// `config.json`: any is refused with a message, or describes a model.
pub(crate) fn config_json(bytes: &[u8]) -> Option<ModelFile> {
    let text = String::from_utf8_lossy(bytes);
    let family = MODELS
        .iter()
        .find(|(family, _)| text.contains(&format!("\"{family}\"")))
        .unwrap_or(&MODELS[5]);
    open(family.1, "config.json", bytes)
}

/// `tokenizer.json`: any is refused with a message, or encodes a text to ids that decode again.
pub(crate) fn tokenizer_json(bytes: &[u8]) {
    // Half of the documents have the model that llama's has, and half the one of qwen's.
    let golden =
        if bytes.windows(9).any(|window| window == b"ByteLevel") { "qwen2" } else { "llama" };
    let Some(file) = open(golden, "tokenizer.json", bytes) else { return };
    let tokenizer = match Tokenizer::from_metadata(file.metadata()) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return told(&error.to_string()),
    };
    for text in ["", " the  end\n", "e\u{301}▁x<|end|>é 12345 \u{200b}", "<s> </s>"] {
        for options in [EncodeOptions::SPECIAL, EncodeOptions::PLAIN] {
            let ids = tokenizer.encode(text, options);
            tokenizer.decode(&ids).expect("encoding gives ids of the vocabulary");
        }
    }
}

/// What an error says is bounded, however much there was to read.
fn told(error: &str) {
    assert!(
        error.contains("expected") && error.len() < 2500,
        "{} bytes: {error:.3000}",
        error.len()
    );
}

/// The golden model with one file replaced.
pub(crate) fn open(golden: &str, file: &str, bytes: &[u8]) -> Option<ModelFile> {
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/data/golden").join(golden);
    // The fuzz targets' manifest lies elsewhere in the tree.
    let golden = if golden.exists() {
        golden
    } else {
        let name = golden.file_name().unwrap_or_default().to_owned();
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/engine/tests/data/golden").join(name)
    };
    SCRATCH.with_borrow_mut(|scratch| {
        let root = &scratch.get_or_insert_with(Scratch::new).0;
        let directory =
            root.join(format!("{file}-{}", golden.file_name().unwrap().to_string_lossy()));
        if !directory.exists() {
            std::fs::create_dir(&directory).unwrap();
            for entry in std::fs::read_dir(&golden).unwrap().map(Result::unwrap) {
                if entry.file_name() != file {
                    std::os::unix::fs::symlink(entry.path(), directory.join(entry.file_name()))
                        .unwrap();
                }
            }
        }
        std::fs::write(directory.join(file), bytes).unwrap();
        match ModelFile::open(&directory) {
            Ok(model) => Some(model),
            Err(error) => {
                told(&error.to_string());
                None
            }
        }
    })
}

impl Scratch {
    fn new() -> Scratch {
        let thread = std::thread::current().id();
        let directory =
            std::env::temp_dir().join(format!("pacemark-inputs-{}-{thread:?}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory); // of a process that was killed
        std::fs::create_dir(&directory).unwrap();
        Scratch(directory)
    }
}
