//! `pacemark fit` through the real binary: what it says of models of every architecture, that it is
//! shown again from its record, that a proof runs, and everything that is refused.

mod binary;

use pacemark_modelfile::Value as Key;
use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;

/// A folder of its own for each test; removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("pacemark-fit-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn with(name: &str, model: &TestModel) -> Folder {
        let folder = Folder::new(name);
        model.write(&folder.0.join("m.gguf")).unwrap();
        folder
    }

    /// Runs `pacemark` there, words apart by spaces.
    fn run(&self, line: &str) -> Output {
        let mut command = binary::pacemark();
        command.current_dir(&self.0).env("PACEMARK_HOME", self.0.join("home"));
        command.args(line.split_whitespace()).output().unwrap()
    }

    /// Runs `pacemark fit`, which is to end with that code; the rows, and standard error.
    fn fit(&self, line: &str, code: i32) -> (Vec<Value>, String) {
        let output = self.run(&format!("fit -t 1 -o json {line}"));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line}: {error}");
        let rows = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (rows, error)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_else(|| panic!("{name}: {row}"))
}

#[test]
fn every_architecture_has_memory_and_rates() {
    for (name, model) in TestModel::all() {
        let folder = Folder::with(name, &model);
        let (rows, _) = folder.fit("-m m.gguf -c 128 --parallel 2", 0);
        assert_eq!(rows.len(), 1, "{name}");
        for row in &rows {
            for rate in ["prefill_ts", "prefill_full_ts", "decode_ts", "decode_full_ts"] {
                let [low, mean, high] =
                    ["_low", "", "_high"].map(|end| number(row, &format!("{rate}{end}")));
                assert!(
                    low > 0.0 && low <= mean && mean <= high,
                    "{name} {rate}: {low} {mean} {high}"
                );
            }
            let parts = ["process", "weights", "table", "kv", "work"];
            let sum: f64 = parts.iter().map(|part| number(row, &format!("{part}_bytes"))).sum();
            assert_eq!(sum, number(row, "running_bytes"), "{name}");
            assert!(number(row, "memory_bytes") >= sum && row["fits"] == true, "{name}");
            assert_eq!(number(row, "largest_ctx"), 256.0, "{name}: the trained context");
        }
    }
}

#[test]
fn twice_the_sequences_take_twice_the_keys_and_values() {
    let folder = Folder::with("twice", &TestModel::llama());
    let (rows, _) = folder.fit("-m m.gguf -c 64,128 --parallel 1,2 -r 1", 0);
    let kv: Vec<f64> = rows.iter().map(|row| number(row, "kv_bytes") / 64.0).collect();
    assert_eq!(kv.len(), 4);
    assert_eq!([kv[1], kv[2], kv[3]], [2.0 * kv[0], 2.0 * kv[0], 4.0 * kv[0]]);
    assert!(rows[0]["decode_ts_low"].is_null(), "one round has no interval");
}

#[test]
fn types_and_policies_take_less() {
    let folder = Folder::with("types", &TestModel::llama());
    let line =
        "-m m.gguf -c 200 -r 1 -ctk f16,q8_0,q4_0 -ctv f16,q8_0,q4_0 --kv full --kv recent:32";
    let (rows, _) = folder.fit(line, 0);
    let bytes: Vec<f64> = rows.iter().map(|row| number(row, "kv_bytes")).collect();
    // Of each type everything, then what a policy keeps: 33 slots of 200.
    assert!(bytes[0] > bytes[2] && bytes[2] > bytes[4], "{bytes:?}");
    assert!(bytes.chunks(2).all(|pair| pair[1] < 0.4 * pair[0]), "{bytes:?}");
    assert!(rows[1]["decode_ts"].is_null(), "no guess");
    assert!(rows[1]["why"].as_str().unwrap().contains("a policy's own work"), "{}", rows[1]["why"]);
}

#[test]
fn a_proof_stands_beside_what_was_said() {
    let folder = Folder::with("proof", &TestModel::gemma3());
    let (rows, _) = folder.fit("-m m.gguf -c 100 --parallel 2 --prove --save run.json", 0);
    for name in
        ["measured_prefill_ts", "measured_decode_full_ts", "decode_ratio", "prefill_full_ratio"]
    {
        assert!(number(&rows[0], name) > 0.0, "{name}");
    }
    if cfg!(target_os = "linux") {
        // A tiny model is hardly more than its process.
        let ratio = number(&rows[0], "running_ratio");
        assert!((0.8..1.2).contains(&ratio), "{ratio}");
    }
    let record = std::fs::read_to_string(folder.0.join("run.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["trials"][0]["measured"], "fit");
    assert_eq!(record["trials"][0]["rounds"].as_array().map(Vec::len), Some(10));
    let again = folder.run("show run.json -o json");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&again.stdout).unwrap(), rows);
    let page = String::from_utf8(folder.run("show run.json").stdout).unwrap();
    for part in
        ["Recommended: ", "largest ctx", "| memory, running ", "ratio: predicted over measured"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_model_that_is_not_here_is_known_by_its_shape() {
    let folder = Folder::new("absent");
    let line = "-c 512 -r 1 --budget 1MiB -m";
    let (rows, error) = folder.fit(&format!("{line} smollm2-135m"), 3);
    assert!(error.contains("smollm2-135m was not pulled"), "{error}");
    assert!(number(&rows[0], "weights_bytes") > 90e6);
    let (_, error) = folder.fit(&format!("{line} hf:org/repo/file.gguf"), 2);
    assert!(error.contains("models pull hf:org/repo/file.gguf"), "{error}");
    assert!(!folder.0.join("home").exists(), "nothing was fetched");
}

#[test]
fn a_directory_is_reckoned_in_the_type_that_it_will_have() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/tests/data/golden/qwen3");
    let folder = Folder::new("directory");
    let weights = |more: &str| {
        let (rows, _) = folder.fit(&format!("-m {data} -c 32 -r 1 --prove {more}"), 0);
        assert!(number(&rows[0], "decode_ratio") > 0.0, "{more}");
        number(&rows[0], "weights_bytes") + number(&rows[0], "table_bytes")
    };
    assert!(weights("--type Q8_0") <= weights(""));
}

#[test]
fn a_budget_that_nothing_fits_tells_the_smallest_need() {
    let folder = Folder::with("budget", &TestModel::llama());
    let (rows, error) = folder.fit("-m m.gguf -c 64,128 -r 1 --budget 2MB", 3);
    let least = number(&rows[0], "memory_bytes").min(number(&rows[1], "memory_bytes"));
    let least = format!("the smallest need is {:.2} MiB (c64 x1 f16)", least / 1048576.0);
    assert!(error.contains("error: nothing fits: ") && error.contains(&least), "{error}");
    assert!(rows.iter().all(|row| row["fits"] == false && row["largest_ctx"] == 0));
    assert!(number(&rows[0], "decode_ts") > 0.0, "what it would do here is known all the same");
}

#[test]
fn a_header_without_what_a_prediction_needs_is_named() {
    for (name, change) in [
        ("llama.attention.head_count", None),
        ("llama.block_count", None),
        ("mamba", Some(Key::String("mamba".into()))),
    ] {
        let mut model = TestModel::llama();
        match change {
            Some(architecture) => model.set("general.architecture", architecture),
            None => {
                let mut kept = pacemark_modelfile::Metadata::new();
                for (key, value) in model.metadata.iter().filter(|(key, _)| *key != name) {
                    kept.set(key, value.clone());
                }
                model.metadata = kept;
            }
        }
        let folder = Folder::with(&name.replace('.', "-"), &model);
        let (rows, _) = folder.fit("-m m.gguf", 1);
        let why = rows[0]["why"].as_str().unwrap();
        assert!(why.starts_with("no rates") && why.contains(name), "{why}");
        assert!(number(&rows[0], "weights_bytes") > 0.0 && rows[0]["decode_ts"].is_null());
        assert!(rows[0]["fits"].is_null() && rows[0]["largest_ctx"].is_null());
    }
    let mut model = TestModel::llama();
    model.tensors.retain(|(info, _)| info.name != "blk.3.ffn_up.weight");
    let (rows, _) = Folder::with("tensor", &model).fit("-m m.gguf", 1);
    assert!(rows[0]["why"].as_str().unwrap().contains("blk.3.ffn_up.weight: no such tensor"));
}

#[test]
fn what_cannot_be_is_refused_in_the_words_of_its_flag() {
    let folder = Folder::with("refused", &TestModel::of("gpt2"));
    std::fs::write(folder.0.join("no.gguf"), "GGUF and then nothing").unwrap();
    for (line, code, expected) in [
        ("-m m.gguf --budget lots", 2, "expected a size above 0 such as 8GiB"),
        ("-m m.gguf --budget=-1GiB", 2, "expected a size above 0"),
        ("-m m.gguf -c 1", 2, "-c 1: expected at least 2 tokens"),
        ("-m m.gguf -c 300", 2, "-c 300: the model has positions for 256 tokens"),
        ("-m m.gguf -c 0", 2, "--ctx-size"),
        ("-m m.gguf --parallel 0", 2, "--parallel"),
        ("-m m.gguf --parallel 18446744073709551615", 2, "more than 64 PiB"),
        ("-m m.gguf --parallel 99999999", 3, "nothing fits: the smallest need is"),
        ("-m m.gguf -ctk f16,q8_0 -ctv f16,q8_0,q4_0", 2, "-ctk (2 types): expected as many"),
        ("-m m.gguf -ctk q5_0", 2, "not one of f32, f16, q8_0, q4_0"),
        ("-m m.gguf -ctk f32 -ctv f16", 2, "-ctk, -ctv: KV cache with keys in f32"),
        ("-m m.gguf --kv nothing:4", 2, "KV policy `nothing:4`: expected "),
        ("-m m.gguf --kv streaming:4+8", 2, "its positions are learned"),
        ("-m m.gguf --kv recent:9,skip=7", 2, "expected layers from 0 to 5"),
        ("-m no-such-model", 2, "is neither a file nor a known model"),
        ("-m no.gguf", 1, "no.gguf"),
        ("-m synth:nope", 1, "expected one of smollm2-135m"),
        ("-m m.gguf --save m.gguf", 2, "m.gguf"),
    ] {
        let (_, error) = folder.fit(line, code);
        assert!(error.contains(expected), "{line}: {error}");
    }
}
