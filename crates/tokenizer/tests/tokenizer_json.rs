//! Vocabularies read from `tokenizer.json` against ids by Hugging Face's own tokenizers library, on
//! the tiny models of the engine's golden tests (`crates/engine/tests/data/golden/make_golden.py`
//! made both).

use pacemark_modelfile::ModelFile;
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/data/golden")
}

/// The names of the models and their tokenizers.
fn tokenizers() -> Vec<(String, ModelFile, Tokenizer)> {
    let directories = std::fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    let open = |path: PathBuf| {
        let model = ModelFile::open(&path).unwrap_or_else(|error| panic!("{error}"));
        let tokenizer =
            Tokenizer::from_metadata(model.metadata()).unwrap_or_else(|error| panic!("{error}"));
        (path.file_name().unwrap().to_string_lossy().into_owned(), model, tokenizer)
    };
    directories.map(open).collect()
}

#[test]
fn ids_are_those_of_the_tokenizers_library() {
    let mut n_texts = 0;
    for (name, _, tokenizer) in tokenizers() {
        let json = std::fs::read_to_string(golden().join(format!("{name}.json"))).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        for case in json["texts"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let expected: Vec<u32> = case["ids"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_u64().unwrap() as u32)
                .collect();
            assert_eq!(
                tokenizer.encode(text, EncodeOptions::SPECIAL),
                expected,
                "{name}: {text:?}"
            );
            n_texts += 1;
        }
    }
    assert!(n_texts >= 60, "{n_texts}");
}

#[test]
fn every_kind_of_pre_tokenizer_occurs_and_is_known() {
    let kinds: BTreeSet<String> = tokenizers()
        .iter()
        .map(|(_, model, _)| {
            let metadata = model.metadata();
            let pre = metadata.opt_string("tokenizer.ggml.pre").unwrap().unwrap_or("-");
            format!("{} {pre}", metadata.string("tokenizer.ggml.model").unwrap())
        })
        .collect();
    let expected = ["gpt2 gpt-2", "gpt2 llama-bpe", "gpt2 qwen2", "gpt2 smollm", "llama -"];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn special_tokens_and_templates_come_from_the_files_beside() {
    let all = tokenizers();
    let of = |wanted: &str| {
        all.iter().find(|(name, ..)| name == wanted).map(|(_, model, t)| (model, t)).unwrap()
    };
    let (_, llama) = of("llama");
    assert_eq!(
        (llama.bos(), llama.eos(), llama.adds_bos(), llama.adds_eos()),
        (Some(1), Some(2), true, false)
    );
    let (_, gemma) = of("gemma3");
    assert_eq!((gemma.bos(), gemma.eos(), gemma.adds_bos()), (Some(2), Some(1), true));
    // config.json has a list of ends; the tokenizer's own comes first.
    let (_, llama3) = of("llama-rope3");
    assert_eq!(
        (llama3.bos(), llama3.eos(), llama3.eot(), llama3.adds_bos()),
        (Some(262), Some(263), Some(261), false)
    );
    assert!(
        [261, 263].iter().all(|&id| llama3.is_end_of_generation(id))
            && !llama3.is_end_of_generation(5)
    );
    let (model, _) = of("qwen2");
    let template = model.metadata().string("tokenizer.chat_template").unwrap();
    assert!(template.contains("for m in messages"), "{template}");
}
