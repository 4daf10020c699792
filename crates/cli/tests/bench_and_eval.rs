//! The commands `bench` and `eval` through the real binary, as far as no model is needed: what is
//! refused, and how.

mod binary;

use std::path::PathBuf;
use std::process::Output;

fn pacemark(line: &str) -> Output {
    let mut command = binary::pacemark();
    command.args(line.split_whitespace()).output().unwrap()
}

/// Exit code 2, nothing on stdout, and all of `says` on stderr.
fn refused(line: &str, says: &[&str]) {
    let output = pacemark(line);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{line}: {stderr}");
    // clap wraps its messages.
    let text = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(says.iter().all(|part| text.contains(part)), "{line}: {stderr}");
}

#[test]
fn flags_of_other_hardware_are_refused_with_the_backend_that_takes_them() {
    refused("bench -ngl 99", &["-ngl 99: ", "Here it may be -1 or 0"]);
    refused("bench -m x.gguf -ngl 99 -fa off", &["-ngl 99"]);
    refused("bench -fa off", &["-fa off: ", "fused attention", "--backend llama-cpp"]);
    refused(
        "bench --backend vllm",
        &["--backend vllm: ", "no such backend", "llama-cpp (llama.cpp, to compare with)"],
    );
    refused(
        "bench --cache_type_k q4_1",
        &["-ctk q4_1: ", "f32 or f16 or q8_0 or q4_0", "--backend llama-cpp"],
    );
    refused("run -p x -ctk q9", &["--cache-type-k", "q9", "f32, f16, q8_0, q4_0"]);
    refused("eval perplexity -f x.txt -ctv q5_0", &["--cache-type-v", "q5_0"]);
    refused(
        "run -p x -ctk f32",
        &["-ctk, -ctv: ", "keys in f32 and values in f16", "f32/f32, f16/f16"],
    );
    refused("bench -ctk q4_0", &["keys in q4_0 and values in f16"]);
    refused("bench -sm row", &["-sm row: ", "none or layer"]);
    refused("bench -ot blk=CPU", &["-ot blk=CPU: ", "GPU"]);
}

#[test]
fn bad_lists_name_the_flag() {
    refused("bench -p 5-2", &["'5-2'", "--n-prompt", "ends before it begins"]);
    refused("bench -n x", &["--n-gen", "expected a number"]);
    refused("bench -p -5", &["'-5'", "--n-prompt"]);
    refused("bench -pg 512", &["--pg", "two numbers"]);
    refused("bench -d 1-9*1", &["--n-depth", "never reaches its end"]);
    refused("bench -t 0", &["-t 0"]);
    refused("bench -tb 0", &["-tb 0"]);
    refused("bench -tb 1,513", &["-tb 513: from 1 to 512"]);
    refused("run -tb 0 -p x", &["--threads-batch"]);
    refused("bench -r 0", &["--repetitions"]);
    refused("bench -o xml", &["--output", "csv, json, jsonl, md, sql"]);
    refused("bench --n-prompts 1", &["--n-prompts", "--n-prompt"]);
    refused("bench -p 0 -n 0", &["nothing to measure"]);
    refused("bench -hf org/repo", &["-hff"]);
}

#[test]
fn an_unknown_model_is_found_before_anything_runs() {
    refused("bench -m no-such-model -ngl 0 -mmp 1", &["no-such-model", "smollm2-135m"]);
}

#[test]
fn help_teaches_by_example() {
    let output = pacemark("bench -h");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("pacemark bench -m a.gguf,b.gguf"), "{text}");
    assert!(!text.contains("--n-gpu-layers"), "flags that change nothing are for --help only");
    let text = String::from_utf8(pacemark("bench --help").stdout).unwrap();
    assert!(text.contains("--n-gpu-layers"), "{text}");
    let text = String::from_utf8(pacemark("eval perplexity -h").stdout).unwrap();
    assert!(text.contains("pacemark eval perplexity -f book.txt"), "{text}");
}

#[test]
fn devices_are_listed_without_a_model() {
    let output = pacemark("bench --list-devices");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.starts_with("Available devices:\n  CPU: "), "{text}");
}

#[test]
fn chunks_that_cannot_be_scored() {
    refused("eval perplexity -f x.txt -c 7", &["-c 7", "even"]);
    refused("eval perplexity -f x.txt -c 2", &["-c 2", "at least 4"]);
    refused("eval perplexity -f x.txt --chunks 0", &["--chunks"]);
    refused("eval perplexity", &["--file"]);
}

#[test]
fn a_text_that_is_no_text_is_located() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("broken.txt");
    std::fs::write(&path, b"ab\xffc").unwrap();
    let output = pacemark(&format!("eval perplexity -m no-such-model -f {}", path.display()));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("broken.txt") && stderr.contains("0xff at offset 2"), "{stderr}");
    let output = pacemark("eval perplexity -f no/such/file.txt");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && stderr.contains("no/such/file.txt"), "{stderr}");
}

/// clap repeats arguments in full, and so did messages of our own.
#[test]
fn no_refusal_repeats_a_long_argument() {
    let long = "x".repeat(50_000);
    for line in [
        "L",
        "--L",
        "run --L",
        "run -m L -p x",
        "run -m hf:L -p x",
        "run -m hf:o/r/L -p x",
        "run -m synth:L -p x",
        "run -m synth:{\"L\":1} -p x",
        "run -m synth:gpt2:L -p x",
        "bench -p L",
        "bench -m L",
        "bench -fa L",
        "bench --backend L",
        "bench --numa L",
        "bench -o L",
        "models info L",
        "models info ./L",
        "models quantize L L --type L",
        "models quantize L L --type F16",
        "models synth L -o x",
        "models synth gpt2:L -o x",
        "eval perplexity -f L",
        "load --url L",
        "load --url http://L:x",
        "load --url http://h --slo L",
        "load --url http://h --body {\"L\"",
        "load --url http://h --target L>=1",
        "load --url http://h --header L",
        "load --show L",
        "load --url http://127.0.0.1:9 --prompts L",
        "serve --mock L",
        "serve --host L",
        "stages --target L",
        "tokenize -m L",
        "models info hf:o/r/f.L@L",
        "run -C L -p x",
    ] {
        let words = line.split(' ').map(|word| word.replace('L', &long));
        let output = binary::pacemark().args(words).env("HF_HUB_OFFLINE", "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && !said.is_empty(), "{line}");
        assert!(
            said.len() + output.stdout.len() < 3000 && !said.contains("panicked"),
            "{line}: {} bytes: {said:.3000}",
            said.len()
        );
    }
}

/// llama-bench cannot be given such a path.
#[test]
fn a_file_whose_name_has_a_comma_is_one_model() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-comma");
    std::fs::create_dir_all(&directory).unwrap();
    for name in ["a,b.gguf", "it's \"c\" | 模型.gguf"] {
        pacemark_testmodel::TestModel::llama().write(&directory.join(name)).unwrap();
    }
    let few = ["-p", "4", "-n", "0", "-r", "1", "--no-warmup", "--no-roof", "-o", "json"];
    let bench = |models: &[&str]| {
        let mut command = binary::pacemark();
        command
            .arg("bench")
            .args(models.iter().flat_map(|model| ["-m", model]))
            .args(few)
            .current_dir(&directory);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{models:?}: {}", String::from_utf8_lossy(&output.stderr));
        let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let names = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["model_filename"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(bench(&["a,b.gguf"]), ["a,b.gguf"]);
    assert_eq!(bench(&["a,b.gguf,it's \"c\" | 模型.gguf"]), ["a,b.gguf", "it's \"c\" | 模型.gguf"]);
    let shape = "synth:{\"architecture\": \"llama\", \"n_embd\": 64, \"n_ff\": 64, \"n_layers\": 1, \"n_heads\": 2, \"n_vocab\": 300}:Q8_0";
    assert_eq!(bench(&[&format!("{shape},a,b.gguf")]), [shape, "a,b.gguf"]);
}
