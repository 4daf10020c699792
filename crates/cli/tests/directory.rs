//! Hugging Face directories through the real binary: every command that takes `-m`, on a tiny one
//! of the engine's golden models, as it is and quantized on load.

mod binary;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

fn golden(name: &str) -> String {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/data/golden").join(name);
    path.to_str().unwrap().to_string()
}

fn pacemark(arguments: &[&str]) -> Output {
    binary::pacemark().args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = pacemark(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code and standard error, without clap's line breaks.
fn failure(arguments: &[&str]) -> (i32, String) {
    let output = pacemark(arguments);
    let text =
        String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code().unwrap(), text)
}

#[test]
fn a_directory_runs_as_the_file_made_of_it() {
    // Not those with SentencePiece's vocabulary: without tokenizer.model the converter gives all
    // its tokens one score.
    for name in ["gpt2", "gptneox", "qwen2", "qwen3"] {
        let line = |model: &str| {
            json(&["run", "-m", model, "-p", "the thing", "-n", "12", "--ignore-eos", "-o", "json"])
        };
        let (directory, file) = (line(&golden(name)), line(&golden(&format!("{name}.gguf"))));
        assert_eq!(directory["ids"], file["ids"], "{name}");
        assert_eq!(directory["ids"].as_array().unwrap().len(), 12);
    }
}

#[test]
fn weights_are_quantized_on_load() {
    let model = golden("llama");
    let line = |more: &[&str]| {
        json(
            &[&["bench", "-m", &model, "-p", "8", "-n", "0", "-r", "2", "-o", "json"], more]
                .concat(),
        )
    };
    let (plain, small) = (line(&[]), line(&["--type", "q4_0"]));
    let size = |rows: &Value| rows[0]["model_size"].as_u64().unwrap();
    // 18 bytes for 128, but 34 in the output; vectors stay as they are.
    assert!(size(&small) * 5 < size(&plain), "{} {}", size(&small), size(&plain));
    let mixture = line(&["--type", "Q4_K_M"]);
    assert!(
        mixture[0]["model_type"].as_str().unwrap().ends_with(" Q4_K - Medium"),
        "{}",
        mixture[0]["model_type"]
    );
    let text = std::env::temp_dir().join(format!("pacemark-directory-{}.txt", std::process::id()));
    std::fs::write(&text, "the thing in the end ".repeat(40)).unwrap();
    let file = text.to_str().unwrap();
    let perplexity = |more: &[&str]| {
        let line = ["eval", "perplexity", "-m", &model, "-f", file, "-c", "64", "-o", "json"];
        json(&[&line[..], more].concat())["ppl"].as_f64().unwrap()
    };
    let (plain, q8, q4) =
        (perplexity(&[]), perplexity(&["--type", "Q8_0"]), perplexity(&["--type", "Q4_0"]));
    std::fs::remove_file(&text).unwrap();
    assert!((q8 / plain - 1.0).abs() < 0.02, "{plain} {q8}");
    assert!(q8 != plain && q4 != q8, "{plain} {q8} {q4}");
}

#[test]
fn info_and_tokenize_read_directories() {
    let info = json(&["models", "info", &golden("llama-grouped"), "-o", "json"]);
    assert_eq!((&info["architecture"], &info["n_files"]), (&Value::from("llama"), &Value::from(3)));
    let ids = json(&["tokenize", "-m", &golden("gemma3"), "--text", "the", "-o", "json"]);
    assert_eq!(ids["ids"][0], 2, "{ids}");
}

#[test]
fn a_type_for_a_file_is_refused() {
    let file = golden("llama.gguf");
    let (code, text) = failure(&["run", "-m", &file, "-p", "x", "--type", "Q8_0"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("type: expected a Hugging Face directory")
            && text.contains("found a GGUF file"),
        "{text}"
    );
    let (code, text) = failure(&["run", "-m", &golden("llama"), "-p", "x", "--type", "Q9_0"]);
    assert_eq!(code, 2);
    assert!(text.contains("--type") && text.contains("Q8_0"), "{text}");
    let (code, text) = failure(&["run", "-m", env!("CARGO_MANIFEST_DIR"), "-p", "x"]);
    assert_eq!(code, 2);
    assert!(text.contains("is a directory without config.json"), "{text}");
}
