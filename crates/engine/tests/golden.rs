//! Logits of every architecture, from both file formats, as Hugging Face transformers computes them in float32.
//!
//! `data/golden/make_golden.py` made the tiny models and wrote the logits down once; it says with which versions.

use pacemark_engine::*;
use std::path::{Path, PathBuf};

/// Logits have a standard deviation of one. Weights are computed as they are stored, and sums differ in the last places of
/// f32; what is left is the KV cache's rounding to f16.
const TOLERANCE: f32 = 4e-3;

struct Golden {
    name: &'static str,
    /// `general.architecture`.
    architecture: &'static str,
}

const fn case(name: &'static str, architecture: &'static str) -> Golden {
    Golden { name, architecture }
}

const CASES: &[Golden] = &[
    case("llama", "llama"),
    case("llama-rope3", "llama"),
    case("llama-grouped", "llama"),
    case("qwen2", "qwen2"),
    case("qwen3", "qwen3"),
    case("gemma3", "gemma3"),
    case("gpt2", "gpt2"),
    case("gptneox", "gptneox"),
    case("gptneox-sequential", "gptneox"),
    case("gptneox-head80", "gptneox"),
];

/// What the script wrote down.
struct Expected {
    tokens: Vec<TokenId>,
    rows: Vec<usize>,
    logits: Vec<Vec<f32>>,
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden").join(name)
}

fn expected(name: &str) -> Expected {
    let text = std::fs::read_to_string(data(&format!("{name}.json"))).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let integers = |key: &str| json[key].as_array().unwrap().iter().map(|n| n.as_u64().unwrap());
    let floats = |row: &serde_json::Value| row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
    Expected {
        tokens: integers("tokens").map(|id| id as TokenId).collect(),
        rows: integers("rows").map(|row| row as usize).collect(),
        logits: json["logits"].as_array().unwrap().iter().map(floats).collect(),
    }
}

/// Logits of all positions, computed in chunks of `size` tokens.
fn logits(path: &Path, tokens: &[TokenId], size: usize) -> Vec<Vec<f32>> {
    let model = Model::load(path, LoadOptions { n_threads: 2, n_ctx: 64 }, &mut |_, _| {})
        .unwrap_or_else(|error| panic!("{error}"));
    let n_vocab = model.config().n_vocab;
    let mut decoder = Decoder::new(model, DecoderOptions { n_ctx: 64 });
    let mut kv = SequenceKv::default();
    let mut all = Vec::new();
    for tokens in tokens.chunks(size) {
        let item = BatchItem { kv: &mut kv, tokens, logits: LogitRows::From(0) };
        all.extend(decoder.forward(&mut [item]).unwrap().chunks_exact(n_vocab).map(<[f32]>::to_vec));
    }
    all
}

/// The largest difference over the rows that were written down.
fn worst(expected: &Expected, found: &[Vec<f32>]) -> f32 {
    let rows = expected.rows.iter().zip(&expected.logits);
    let differences = rows.flat_map(|(&row, expected)| {
        assert_eq!(expected.len(), found[row].len(), "row {row}");
        expected.iter().zip(&found[row]).map(|(a, b)| (a - b).abs())
    });
    differences.fold(0.0, |worst, difference| if difference <= worst { worst } else { difference })
}

#[test]
fn every_architecture_has_a_golden_model() {
    for arch in ARCHS {
        assert!(CASES.iter().any(|case| case.architecture == arch.name), "{} has none", arch.name);
    }
    for case in CASES {
        let file = pacemark_modelfile::ModelFile::open(data(&format!("{}.gguf", case.name))).unwrap();
        assert_eq!(file.metadata().architecture().unwrap(), case.architecture);
    }
}

#[test]
fn gguf_files_give_the_logits_of_transformers() {
    for case in CASES {
        let expected = expected(case.name);
        for size in [expected.tokens.len(), 7, 1] {
            let difference = worst(&expected, &logits(&data(&format!("{}.gguf", case.name)), &expected.tokens, size));
            println!("{} in chunks of {size}: {difference}", case.name);
            assert!(difference < TOLERANCE, "{} in chunks of {size}: off by {difference}", case.name);
        }
    }
}
