//! Templates and vocabularies of real models, which are not ours to commit: `.ci/corpora` fetches
//! them, has Python render the templates (`tests/corpora/templates.py`), and runs these tests with
//! `PACEMARK_TEST_CORPORA` set to where all that is.

use pacemark_modelfile::ModelFile;
use pacemark_tokenizer::{ChatTemplate, EncodeOptions, Message, RenderOptions, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

fn corpora() -> PathBuf {
    std::env::var_os("PACEMARK_TEST_CORPORA")
        .expect("PACEMARK_TEST_CORPORA: run .ci/corpora, which sets it")
        .into()
}

#[derive(Deserialize)]
struct Renders {
    now: u64,
    templates: HashMap<String, String>,
    renders: Vec<Render>,
}

#[derive(Deserialize)]
struct Render {
    template: String,
    conversation: String,
    messages: Vec<Message>,
    tools: Option<Json>,
    extra: Map<String, Json>,
    add_generation_prompt: bool,
    prompt: Option<String>,
    error: Option<String>,
}

#[test]
#[ignore = "needs what .ci/corpora fetches"]
fn templates_of_real_models_render_as_in_jinja2() {
    let json = std::fs::read(corpora().join("renders.json")).unwrap();
    let Renders { now, templates, renders } = serde_json::from_slice(&json).unwrap();
    let (mut equal, mut both_refuse, mut different) = (0, 0, Vec::new());
    let n_renders = renders.len();
    for one in renders {
        let options = RenderOptions {
            tools: one.tools,
            add_generation_prompt: one.add_generation_prompt,
            extra: one.extra,
            now: Some(UNIX_EPOCH + Duration::from_secs(now)),
        };
        let template = ChatTemplate::new(&templates[&one.template], "<s>", "</s>");
        let line = match (
            template.and_then(|template| template.render(&one.messages, &options)),
            one.prompt,
        ) {
            (Ok(found), Some(expected)) if found == expected => {
                equal += 1;
                continue;
            }
            (Err(_), None) => {
                both_refuse += 1;
                continue;
            }
            (Ok(found), Some(expected)) => first_difference(&found, &expected),
            (Ok(_), None) => format!("a prompt, expected {}", one.error.unwrap_or_default()),
            (Err(error), Some(_)) => format!("{error}, expected a prompt"),
        };
        let prompt = if one.add_generation_prompt { " with generation prompt" } else { "" };
        different.push(format!("{}, {}{prompt}: {line}", one.template, one.conversation));
    }
    let n = templates.len();
    println!(
        "{n} templates, {n_renders} renders: {equal} equal, both refuse {both_refuse}, {} different",
        different.len()
    );
    assert!(different.is_empty(), "\n{}", different.join("\n"));
    assert!(n >= 60 && equal >= 1200, "cut short?");
}

/// Where two texts part, with what is around.
fn first_difference(found: &str, expected: &str) -> String {
    let at = found.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| text.chars().skip(at.saturating_sub(20)).take(60).collect::<String>();
    format!("at {at}: {:?}, expected {:?}", around(found), around(expected))
}

/// Vocabularies of other kinds than the two that are known, or with a pre-tokenizer that is not,
/// and the words to say so.
const REFUSED: &[(&str, &str)] = &[
    ("bert-bge", "found \"bert\""),
    ("deepseek-llm", "found \"deepseek-llm\""),
    ("gemma-4", "found \"gemma4\""),
    ("nomic-bert-moe", "found \"t5\""),
    ("qwen35", "found \"qwen35\""),
];

#[test]
#[ignore = "needs what .ci/corpora fetches"]
fn vocabularies_of_llama_cpp_give_its_ids_or_are_refused_by_name() {
    let directory = corpora().join("vocabularies");
    let files = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "gguf")).collect();
    files.sort();
    let (mut n_texts, mut wrong) = (0, Vec::new());
    for path in &files {
        let name = path.file_stem().unwrap().to_string_lossy().replace("ggml-vocab-", "");
        let model = ModelFile::open(path).unwrap();
        let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
        match (Tokenizer::from_metadata(model.metadata()), refused) {
            (Err(error), Some((_, words))) if error.to_string().contains(words) => {
                println!("{name}: refused: {error}")
            }
            (Err(error), _) => wrong.push(format!("{name}: {error}")),
            (Ok(_), Some((_, words))) => {
                wrong.push(format!("{name}: expected to be refused: {words}"))
            }
            (Ok(tokenizer), None) => {
                let cases = cases(path);
                println!("{name}: {} texts", cases.len());
                n_texts += cases.len();
                for (text, expected) in cases {
                    let found = tokenizer.encode(&text, EncodeOptions::PLAIN);
                    if found != expected {
                        wrong.push(format!(
                            "{name}: {text:?}\n  {found:?}\n  expected {expected:?}"
                        ));
                    }
                }
            }
        }
    }
    println!("{} vocabularies, {n_texts} texts, {} wrong", files.len(), wrong.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(files.len() >= 19 && n_texts >= 500, "cut short?");
}

/// A client that counts what the mock says with a model's tokenizer counts what the mock generated.
#[test]
#[ignore = "needs what .ci/corpora fetches"]
fn words_of_the_mock_are_one_token_each() {
    let words: Vec<&str> =
        include_str!("../../backend/src/mock_service/words.txt").split_whitespace().collect();
    let files = std::fs::read_dir(corpora().join("vocabularies"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (mut n, mut wrong) = (0, Vec::new());
    for path in files.filter(|path| path.extension().is_some_and(|ending| ending == "gguf")) {
        let model = ModelFile::open(&path).unwrap();
        let Ok(tokenizer) = Tokenizer::from_metadata(model.metadata()) else { continue };
        let count = |text: &str| tokenizer.encode(text, EncodeOptions::PLAIN).len();
        for text in [words.join(" "), words.iter().rev().copied().collect::<Vec<_>>().join(" ")] {
            // The first has no space before it.
            let expected = count(text.split(' ').next().unwrap()) + words.len() - 1;
            if count(&text) != expected {
                wrong.push(format!("{}: {} of {expected} tokens", path.display(), count(&text)));
            }
        }
        n += 1;
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(n >= 14, "cut short? {n}");
}

/// Texts and ids beside a vocabulary; none where llama.cpp has none. Neither BOS nor special tokens
/// are asked for (`tests/test-tokenizer-0.cpp`).
fn cases(vocabulary: &Path) -> Vec<(String, Vec<u32>)> {
    let beside =
        |ending: &str| std::fs::read_to_string(vocabulary.with_extension(format!("gguf.{ending}")));
    let (Ok(texts), Ok(ids)) = (beside("inp"), beside("out")) else { return Vec::new() };
    let texts: Vec<&str> = texts.split_terminator("\n__ggml_vocab_test__\n").collect();
    let ids =
        ids.lines().map(|line| line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    let ids: Vec<Vec<u32>> = ids.collect();
    assert_eq!(texts.len(), ids.len(), "{}", vocabulary.display());
    texts.into_iter().map(str::to_owned).zip(ids).collect()
}
