//! Several hundred configurations beside Hugging Face transformers: each gives the logits that it
//! computes, or is refused.
//!
//! `data/configurations/make_configurations.py` changed fields of the golden models' `config.json`
//! and wrote down what transformers makes of each, in float32; it says with which version. What
//! transformers refuses may be refused or computed.

use pacemark_engine::*;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// As for the golden models, whose logits are of the same size.
const TOLERANCE: f32 = 3e-5;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// A directory of a golden model with another configuration; its other files are links.
struct Directory(PathBuf);

impl Directory {
    fn new(base: &Path, config: &Map<String, Value>) -> Directory {
        let name = format!("pacemark-configurations-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&directory); // of a run that was killed
        std::fs::create_dir(&directory).unwrap();
        for entry in std::fs::read_dir(base).unwrap().map(Result::unwrap) {
            if entry.file_name() != "config.json" {
                std::os::unix::fs::symlink(entry.path(), directory.join(entry.file_name()))
                    .unwrap();
            }
        }
        std::fs::write(directory.join("config.json"), Value::Object(config.clone()).to_string())
            .unwrap();
        Directory(directory)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // nothing depends on it
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The golden model's configuration with the fields of a case removed and set.
fn configuration(base: &Path, case: &Value) -> Map<String, Value> {
    let mut config = read(&base.join("config.json")).as_object().unwrap().clone();
    for field in case["remove"].as_array().unwrap() {
        config.remove(field.as_str().unwrap());
    }
    config.extend(case["set"].as_object().unwrap().clone());
    config
}

/// The logits of all positions, or why there are none.
fn logits(directory: &Path, tokens: &[TokenId]) -> Result<Vec<Vec<f32>>, EngineError> {
    let kv = KvTypes::new(KvType::F32, KvType::F32).unwrap();
    let cache = DecoderOptions { n_ctx: 64, kv };
    let (threads, residence) = (Threads::new(1), Residence::default());
    let model = Model::load(directory, threads, residence, cache, &mut |_, _| {})?;
    let n_vocab = model.config().n_vocab;
    let mut decoder = Decoder::new(model, cache);
    let item = BatchItem { kv: &mut SequenceKv::default(), tokens, logits: LogitRows::From(0) };
    Ok(decoder.forward(&mut [item])?.chunks_exact(n_vocab).map(<[f32]>::to_vec).collect())
}

/// The largest difference from what was written down.
fn worst(reference: &Value, case: &Value, found: &[Vec<f32>]) -> f32 {
    let step = reference["step"].as_u64().unwrap() as usize;
    let rows = reference["rows"].as_array().unwrap().iter().zip(case["logits"].as_array().unwrap());
    let of_row = |(row, expected): (&Value, &Value)| {
        let found = found[row.as_u64().unwrap() as usize].iter().step_by(step);
        let expected = expected.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32);
        assert_eq!(found.len(), expected.len());
        found.zip(expected).map(|(a, b)| (a - b).abs()).collect::<Vec<f32>>()
    };
    rows.flat_map(of_row).fold(0.0, f32::max)
}

#[test]
fn no_configuration_is_computed_otherwise_without_a_word() {
    let reference = read(&data().join("configurations/configurations.json"));
    let (mut refused, mut silent) = (String::new(), String::new());
    let mut counts = [0; 4];
    for case in reference["cases"].as_array().unwrap() {
        let base = case["base"].as_str().unwrap();
        let golden = data().join("golden");
        let config = configuration(&golden.join(base), case);
        let directory = Directory::new(&golden.join(base), &config);
        let tokens: Vec<TokenId> =
            serde_json::from_value(read(&golden.join(format!("{base}.json")))["tokens"].clone())
                .unwrap();
        let name = format!("{base} {} -{}", case["set"], case["remove"]);
        match (logits(&directory.0, &tokens), case.get("logits").is_some()) {
            (Ok(found), true) => {
                let worst = worst(&reference, case, &found);
                counts[0] += 1;
                if worst.is_nan() || worst > TOLERANCE {
                    writeln!(silent, "{name}: off by {worst}").unwrap();
                }
            }
            (Err(error), theirs) => {
                counts[if theirs { 1 } else { 2 }] += 1;
                let file = directory.0.display().to_string();
                let marker = if theirs { "" } else { "both: " };
                writeln!(
                    refused,
                    "{marker}{name}\n    {}",
                    error.to_string().replace(&file, "DIR")
                )
                .unwrap();
            }
            (Ok(_), false) => {
                counts[3] += 1;
                writeln!(refused, "transformers only: {name}\n    {}", case["error"]).unwrap();
            }
        }
    }
    let [same, ours, both, theirs] = counts;
    println!("{same} alike, {ours} refused here, {both} by both, {theirs} by transformers");
    assert!(silent.is_empty(), "computed otherwise, without a word:\n{silent}");
    insta::assert_snapshot!(format!(
        "{same} alike, {ours} refused here, {both} by both, {theirs} by transformers\n\n{refused}"
    ));
}
