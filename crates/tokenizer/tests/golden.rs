//! Real vocabularies against ids and prompts that llama.cpp made of the same files (`data/*.json`).
//!
//! The models are not in the repository: `PACEMARK_TEST_MODELS` names the directory where `pacemark
//! models pull` puts them. Where it is set they must be there; where it is not, the tests say that
//! they were skipped.

use pacemark_modelfile::{Metadata, ModelFile, catalog};
use pacemark_tokenizer::{ChatTemplates, EncodeOptions, Message, RenderOptions, Tokenizer};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Reference {
    tokenize: Vec<Case>,
    chat: Vec<Chat>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids_special: Vec<u32>,
    ids_plain: Vec<u32>,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<Message>,
    prompt: String,
}

/// The model and its reference; `None` without `PACEMARK_TEST_MODELS`.
fn load(name: &str) -> Option<(Metadata, Tokenizer, Reference)> {
    let file_name = catalog::find(name).unwrap().file_name;
    let Some(directory) = std::env::var_os("PACEMARK_TEST_MODELS") else {
        eprintln!("skipped: set PACEMARK_TEST_MODELS to a directory with {file_name}");
        return None;
    };
    let path = Path::new(&directory).join(file_name);
    let model = ModelFile::open(&path)
        .unwrap_or_else(|error| panic!("PACEMARK_TEST_MODELS is set, but {error:#}"));
    let tokenizer = Tokenizer::from_metadata(model.metadata()).unwrap();
    let reference =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format!("{name}.json"));
    let reference = serde_json::from_str(&std::fs::read_to_string(reference).unwrap()).unwrap();
    Some((model.metadata().clone(), tokenizer, reference))
}

fn ids_are_the_references(name: &str) {
    let Some((_, tokenizer, reference)) = load(name) else { return };
    for case in &reference.tokenize {
        assert_eq!(
            tokenizer.encode(&case.text, EncodeOptions::SPECIAL),
            case.ids_special,
            "{:?}",
            case.text
        );
        assert_eq!(
            tokenizer.encode(&case.text, EncodeOptions::PLAIN),
            case.ids_plain,
            "{:?}",
            case.text
        );
        assert_eq!(tokenizer.decode(&case.ids_plain).unwrap(), case.text);
    }
    println!(
        "{name}: {} texts, special and plain: all ids as the reference",
        reference.tokenize.len()
    );
}

#[test]
fn smollm2_ids() {
    ids_are_the_references("smollm2-135m");
}

#[test]
fn gemma3_ids() {
    ids_are_the_references("gemma3-270m");
}

fn prompts_are_the_references(name: &str, is_fallback: bool) {
    let Some((metadata, tokenizer, reference)) = load(name) else { return };
    let templates = ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap();
    assert_eq!(templates.is_chatml(), is_fallback);
    let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
    for chat in &reference.chat {
        assert_eq!(templates.prompt(chat.messages.clone(), &options, false).unwrap(), chat.prompt);
    }
}

#[test]
fn smollm2_prompts() {
    prompts_are_the_references("smollm2-135m", false);
}

#[test]
fn gemma3_prompts() {
    prompts_are_the_references("gemma3-270m", true);
}

#[test]
fn smollm2_rules() {
    let Some((_, tokenizer, _)) = load("smollm2-135m") else { return };
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.adds_bos(), tokenizer.adds_eos()),
        (Some(1), Some(2), false, false)
    );
    assert_eq!(tokenizer.vocab_size(), 49152);
    let ends: Vec<_> =
        tokenizer.end_of_generation().iter().filter_map(|&id| tokenizer.token_text(id)).collect();
    assert_eq!(ends, ["<|endoftext|>", "<|im_end|>", "<reponame>"]);
    assert_eq!(
        (tokenizer.token_text(504), tokenizer.token_bytes(18234)),
        (Some("The"), Some(b" Sky".to_vec()))
    );
}

#[test]
fn gemma3_rules() {
    let Some((_, tokenizer, _)) = load("gemma3-270m") else { return };
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.adds_bos(), tokenizer.adds_eos()),
        (Some(2), Some(1), true, false)
    );
    assert_eq!(tokenizer.end_of_generation(), [1, 106]);
    assert_eq!(
        (tokenizer.token_text(251), tokenizer.token_bytes(251)),
        (Some("<0x0D>"), Some(b"\r".to_vec()))
    );
}
