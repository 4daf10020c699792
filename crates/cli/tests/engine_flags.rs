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
