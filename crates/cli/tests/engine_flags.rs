//! The flags that steer the engine (threads, KV types, memory), through the real binary on a tiny model: each shows in what the
//! command says about itself, or is refused.

use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A tiny model in a file of its own, removed at the end.
struct Model(PathBuf);

impl Model {
    fn new(name: &str) -> Model {
        let path = std::env::temp_dir().join(format!("pacemark-flags-{}-{name}.gguf", std::process::id()));
        TestModel::llama().write(&path).unwrap();
        Model(path)
    }

    fn pacemark(&self, command: &str, line: &str) -> Output {
        let mut process = Command::new(env!("CARGO_BIN_EXE_pacemark"));
        process.args([command, "-m", self.0.to_str().unwrap()]).args(line.split_whitespace());
        process.output().unwrap()
    }

    /// Perplexity as JSON.
    fn eval(&self, line: &str) -> Value {
        let mut process = Command::new(env!("CARGO_BIN_EXE_pacemark"));
        process.args(["eval", "perplexity", "-m", self.0.to_str().unwrap(), "-o", "json"]);
        let output = process.args(line.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn json(&self, command: &str, line: &str) -> Value {
        let output = self.pacemark(command, &format!("{line} -o json"));
        assert!(output.status.success(), "{command} {line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn prompts_and_decoding_have_threads_of_their_own() {
    let model = Model::new("threads");
    let run = |line: &str| model.json("run", &format!("-p in_the_in_the -n 6 --ignore-eos {line}"));
    let (one, mixed) = (run("-t 1"), run("-t 1 -tb 3"));
    assert_eq!((&one["timings"]["n_threads"], &one["timings"]["n_threads_batch"]), (&1.into(), &1.into()));
    assert_eq!((&mixed["timings"]["n_threads"], &mixed["timings"]["n_threads_batch"]), (&1.into(), &3.into()));
    assert_eq!(one["ids"], mixed["ids"]);

    let rows = model.json("bench", "-p 8 -n 2 -r 1 --no-warmup -t 2 -tb 1,3");
    let threads: Vec<_> = rows.as_array().unwrap().iter().map(|r| (&r["n_threads"], &r["n_threads_batch"])).collect();
    let expected = [1, 1, 3, 3].map(|n| (Value::from(2), Value::from(n)));
    assert_eq!(threads, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    let text = model.pacemark("bench", "-p 8 -n 0 -r 1 --no-warmup -t 2 -tb 3").stdout;
    assert!(String::from_utf8(text).unwrap().contains("| t batch |"));
    let rows = model.json("bench", "-npp 8 -ntg 2 -npl 2 -r 1 --no-warmup -t 1 -tb 2");
    assert_eq!(rows[0]["n_threads_batch"], 2);
}

#[test]
fn keys_and_values_are_stored_as_asked() {
    let model = Model::new("kv");
    let text = std::env::temp_dir().join(format!("pacemark-flags-{}-kv.txt", std::process::id()));
    std::fs::write(&text, "in the on in the ".repeat(12)).unwrap();
    let ppl = |kv: &str| model.eval(&format!("-f {} -c 64 {kv}", text.display()));
    let exact = ppl("-ctk f32 -ctv f32");
    // Two KV heads of 64 elements in six layers.
    for (kv, bytes, tolerance) in [
        ("-ctk f32 -ctv f32", 4 * 64 + 4 * 64, 0.0),
        ("", 2 * 64 + 2 * 64, 0.02),
        ("-ctk q8_0 -ctv q8_0", 2 * 34 + 2 * 34, 0.02),
        ("-ctk q8_0 -ctv q4_0", 2 * 34 + 2 * 18, 0.2),
        ("-ctk f16 -ctv q4_0", 2 * 64 + 2 * 18, 0.2),
    ] {
        let found = ppl(kv);
        assert_eq!(found["kv_bytes_per_token"], 6 * 2 * bytes, "{kv}");
        let off = found["ppl"].as_f64().unwrap() / exact["ppl"].as_f64().unwrap() - 1.0;
        assert!(off.abs() <= tolerance, "{kv}: {off}");
    }
    std::fs::remove_file(text).unwrap();
    let run = model.json("run", "-p in_the -n 4 --ignore-eos -ctk q8_0 -ctv q4_0");
    assert_eq!(run["timings"]["kv_bytes_per_token"], 6 * 2 * (2 * 34 + 2 * 18));
    let rows = model.json("bench", "-p 8 -n 2 -r 1 --no-warmup -ctk f16,q8_0 -ctv q4_0");
    let types: Vec<_> = rows.as_array().unwrap().iter().map(|r| (r["type_k"].as_str(), r["type_v"].as_str())).collect();
    assert_eq!(types, ["f16", "f16", "q8_0", "q8_0"].map(|k| (Some(k), Some("q4_0"))));
}

/// `ulimit` is the shell's, so the limit is set by one.
#[cfg(target_os = "linux")]
#[test]
fn weights_are_locked_or_the_limit_is_named() {
    let model = Model::new("mlock");
    let run = |limit: &str, flags: &str| {
        let binary = env!("CARGO_BIN_EXE_pacemark");
        let line = format!("ulimit -l {limit} && exec {binary} run -m {} -p in_the -n 1 {flags}", model.0.display());
        Command::new("sh").args(["-c", &line]).output().unwrap()
    };
    assert!(run("0", "").status.success());
    let locked = run("0", "--mlock");
    let text = String::from_utf8_lossy(&locked.stderr).into_owned();
    // Who may lock without a limit (CAP_IPC_LOCK) does.
    assert!(locked.status.success() || text.contains("(--mlock)") && text.contains("may lock 0 KiB"), "{text}");
}
