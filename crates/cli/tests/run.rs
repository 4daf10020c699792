//! `pacemark run` and its errors, through the real binary on tiny models.

mod binary;

use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder =
            std::env::temp_dir().join(format!("pacemark-run-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn model(&self, model: &TestModel) -> PathBuf {
        let path = self.0.join("model.gguf");
        model.write(&path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn pacemark(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = binary::pacemark()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments may be gone before it reads.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn run(model: &Path, arguments: &[&str], stdin: &[u8]) -> Output {
    pacemark(&[&["run", "-m", model.to_str().unwrap()], arguments].concat(), stdin)
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code and stderr.
fn failure(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code().unwrap(), text)
}

#[test]
fn json_has_the_documented_fields() {
    let folder = Folder::new("json");
    let model = folder.model(&TestModel::llama());
    let run = json(&run(
        &model,
        &["-p", "in the", "-n", "6", "--ignore-eos", "--logprobs", "3", "-o", "json"],
        b"",
    ));
    assert_eq!(run["ids"].as_array().unwrap().len(), 6);
    assert_eq!(run["finish_reason"], "length");
    for (top, id) in run["top"].as_array().unwrap().iter().zip(run["ids"].as_array().unwrap()) {
        assert_eq!(top.as_array().unwrap().len(), 3);
        assert_eq!(top[0][0], *id, "greedy takes the most likely");
        assert!(top[0][1].as_f64().unwrap() <= 0.0);
    }
    for figure in [
        "ttft_ms",
        "prefill_tokens_per_second",
        "tpot_ms",
        "decode_tokens_per_second",
        "total_ms",
        "load_ms",
    ] {
        assert!(run["timings"][figure].as_f64().unwrap() > 0.0, "{figure}");
    }
}

#[test]
fn prompts_come_by_flag_file_or_standard_input() {
    let folder = Folder::new("prompts");
    let model = folder.model(&TestModel::gemma3());
    let file = folder.0.join("prompt.txt");
    std::fs::write(&file, "the tin\n").unwrap();
    let by_file = json(&run(&model, &["-f", file.to_str().unwrap(), "-n", "3", "-o", "json"], b""));
    let by_stdin = json(&run(&model, &["-n", "3", "-o", "json"], b"the tin\n"));
    let by_flag = json(&run(&model, &["-p", "the tin\n", "-n", "3", "-o", "json"], b""));
    assert_eq!(by_file["prompt_ids"], by_stdin["prompt_ids"]);
    assert_eq!(by_file["ids"], by_stdin["ids"]);
    assert_eq!(by_flag["ids"], by_stdin["ids"]);
    assert_eq!(by_flag["prompt_ids"][0], 2, "BOS as the model wants it");
}

#[test]
fn every_isa_gives_an_answer_and_unknown_ones_are_refused() {
    let folder = Folder::new("isa");
    let model = folder.model(&TestModel::llama());
    let with = |isa: &str| {
        binary::pacemark()
            .args(["run", "-m", model.to_str().unwrap(), "-p", "in", "-n", "2", "-o", "json"])
            .env("PACEMARK_ISA", isa)
            .output()
            .unwrap()
    };
    assert_eq!(json(&with("portable"))["timings"]["isa"], "portable");
    let (code, text) = failure(&with("mmx"));
    assert!(
        code == 1
            && text.contains("PACEMARK_ISA=mmx: this machine has")
            && text.contains("portable"),
        "{text}"
    );
}

#[test]
fn a_seed_repeats_and_another_differs() {
    let folder = Folder::new("seed");
    let model = folder.model(&TestModel::llama());
    let ids = |seed: &str| {
        json(&run(
            &model,
            &["-p", "a", "-n", "20", "--temp", "1.5", "--ignore-eos", "--seed", seed, "-o", "json"],
            b"",
        ))["ids"]
            .clone()
    };
    assert_eq!(ids("7"), ids("7"));
    assert_ne!(ids("7"), ids("8"));
}

#[test]
fn chats_use_the_models_template_or_say_that_they_do_not() {
    let folder = Folder::new("chat");
    let model = folder.model(&TestModel::llama());
    let chat =
        json(&run(&model, &["--chat", "--system", "s", "-p", "u", "-n", "1", "-o", "json"], b""));
    assert_eq!(
        chat["prompt"],
        "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(chat["prompt_ids"][0], 1, "the template's <|im_start|> is one token");
    let messages =
        br#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]"#;
    let chat = json(&run(&model, &["--chat", "--messages", "-n", "1", "-o", "json"], messages));
    assert!(chat["prompt"].as_str().unwrap().contains("assistant\nb<|im_end|>"));
    let model = folder.model(&TestModel::gemma3());
    let output = run(&model, &["--chat", "-p", "u", "-n", "1"], b"");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("brings no chat template; using ChatML")
    );
}

#[test]
fn the_summary_and_the_breakdown_name_every_stage() {
    let folder = Folder::new("summary");
    let model = folder.model(&TestModel::llama());
    let output = run(&model, &["-p", "in the", "-n", "5", "--ignore-eos", "--breakdown"], b"");
    let text = String::from_utf8(output.stderr).unwrap();
    let named = [
        "load", "map", "pack", "warm", "prompt", "TTFT", "prefill", "output", "TPOT", "decode",
        "total", "peak RSS",
    ];
    for name in named.iter().chain(&["start", "tokenize", "detokenize", "exit", "whole"]) {
        assert!(text.contains(name), "{name} is not in {text}");
    }
}

/// `pacemark run` in a shell, with its record in `record`.
fn in_shell(line: &str, model: &Path, record: &Path) -> Output {
    binary::shell()
        .args(["-c", line, env!("CARGO_BIN_EXE_pacemark")])
        .args([model, record])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_record_outlives_whoever_reads_the_text() {
    let folder = Folder::new("unread");
    let (model, record) = (folder.model(&TestModel::llama()), folder.0.join("r.json"));
    let line = "\"$0\" run -m \"$1\" -p 'in the' -n 40 --ignore-eos --save \"$2\" | head -c 1";
    in_shell(line, &model, &record);
    let shown = json(&pacemark(&["show", record.to_str().unwrap(), "-o", "json"], b""));
    assert!(!shown["ids"].as_array().unwrap().is_empty());
    assert_eq!(shown["figures"][0]["experiment"], "run");
}

#[test]
fn what_is_read_is_no_record() {
    let folder = Folder::new("read");
    let model = folder.model(&TestModel::llama());
    let file = folder.0.join("prompt.jinja");
    std::fs::write(&file, "in the {{ messages[0].content }}").unwrap();
    for line in [
        "\"$0\" run -m \"$1\" -f \"$2\" --save \"$2\"",
        "\"$0\" run -m \"$1\" --save \"$2\" < \"$2\"",
        "\"$0\" run -m \"$1\" -p a --chat --chat-template \"$2\" --save \"$2\"",
    ] {
        let (code, said) = failure(&in_shell(line, &model, &file));
        assert!(code == 2 && said.contains("it is read too"), "{line}: {said}");
    }
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("in the"));
}

#[test]
fn synthetic_models_of_every_architecture_run_and_have_no_quality() {
    for architecture in ["llama", "qwen2", "qwen3", "gemma3", "gpt2", "gptneox"] {
        let shape = format!(
            r#"synth:{{"architecture":"{architecture}","n_embd":64,"n_ff":96,"n_layers":2,"n_heads":4,"n_vocab":300}}:Q8_0"#
        );
        let output =
            run(Path::new(&shape), &["-n", "3", "-p", "the", "--ignore-eos", "-o", "json"], b"");
        assert_eq!(json(&output)["ids"].as_array().map(Vec::len), Some(3), "{architecture}");
        let (code, text) =
            failure(&pacemark(&["eval", "perplexity", "-m", &shape, "-f", "Cargo.toml"], b""));
        assert!(code == 2 && text.contains("synthetic model"), "{text}");
    }
}

#[test]
fn bad_command_lines_are_usage_errors() {
    let folder = Folder::new("usage");
    let model = folder.model(&TestModel::llama());
    let cases: &[(&[&str], &str)] = &[
        (&["-p", "a", "-t", "0"], "-t"),
        (&["-p", "a", "-c", "0"], "-c"),
        (&["-p", "a", "-n", "-2"], "-n"),
        (&["-p", "a", "-f", "b"], "cannot be used with"),
        (&["-p", "a", "--system", "s"], "--chat"),
        (&["-p", "a", "--logprobs", "2"], "-o json"),
        (&["-p", ""], "prompt is empty"),
    ];
    for (arguments, part) in cases {
        let (code, text) = failure(&run(&model, arguments, b""));
        assert!(code == 2 && text.contains(part), "{arguments:?}: {code} {text}");
    }
}

#[test]
fn bad_input_fails_with_its_reason() {
    let folder = Folder::new("input");
    let model = folder.model(&TestModel::llama());
    let (code, text) = failure(&run(&model, &["-n", "1"], b"good \xff bad"));
    assert!(
        code == 1 && text.contains("expected UTF-8 text, found byte 0xff at offset 5"),
        "{text}"
    );
    let (code, text) = failure(&run(&model, &["-n", "1"], &[b'a'; 5000]));
    assert!(code == 1 && text.contains("the context holds 256"), "{text}");
    let (code, text) = failure(&run(&model, &["-p", "a", "-n", "1", "--temp", "nan"], b""));
    assert!(code == 1 && text.contains("temperature"), "{text}");
    let (code, text) = failure(&run(&model, &["--chat", "--messages"], b"[{}"));
    assert!(code == 1 && text.contains("JSON array of messages"), "{text}");
    let (code, text) = failure(&run(&folder.0.join("absent.gguf"), &["-p", "a"], b""));
    assert!(code != 0 && text.contains("absent.gguf"), "{text}");
    std::fs::write(&model, b"GGUF\x03\0\0\0 not a model").unwrap();
    let (code, text) = failure(&run(&model, &["-p", "a"], b""));
    assert!(code == 1 && text.contains("model.gguf"), "{text}");
}
