//! Logits of every architecture, from both file formats, as Hugging Face transformers computes them
//! in float32.
//!
//! `data/golden/make_golden.py` made the tiny models and wrote the logits down once; it says with
//! which versions.

use pacemark_engine::*;
use pacemark_modelfile::{ModelFile, quantize::Recipe};
use std::path::{Path, PathBuf};

/// Logits have a standard deviation of one. Weights are computed as they are stored, and with keys
/// and values in f32 sums differ in the last places only: by 5.4e-6 at most where this was measured
/// (`llama-rope3`, AVX-512).
const TOLERANCE: f32 = 2e-5;

/// What the KV cache's other types may make of that: twice the largest difference that was measured
/// (`llama-rope3` and, in q4_0, `gemma3`; AVX-512). The models have random weights: trained ones
/// lose far less.
const KV_TOLERANCES: [(KvType, f32); 3] =
    [(KvType::F16, 7e-3), (KvType::Q8_0, 0.13), (KvType::Q4_0, 1.9)];

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
    case("olmo2", "olmo2"),
    case("smollm3", "smollm3"),
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
    let floats = |row: &serde_json::Value| {
        row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
    };
    Expected {
        tokens: integers("tokens").map(|id| id as TokenId).collect(),
        rows: integers("rows").map(|row| row as usize).collect(),
        logits: json["logits"].as_array().unwrap().iter().map(floats).collect(),
    }
}

/// Logits of all positions, computed in chunks of `size` tokens.
fn logits(path: &Path, weights: Option<Recipe>, tokens: &[TokenId], size: usize) -> Vec<Vec<f32>> {
    logits_with(KvType::F32, path, weights, tokens, size)
}

/// The same with keys and values in another type.
fn logits_with(
    kv_type: KvType,
    path: &Path,
    weights: Option<Recipe>,
    tokens: &[TokenId],
    size: usize,
) -> Vec<Vec<f32>> {
    let cache = DecoderOptions { n_ctx: 64, kv: KvTypes::new(kv_type, kv_type).unwrap() };
    let residence = Residence { quantize: weights, ..Residence::default() };
    let model = Model::load(path, Threads::new(2), residence, cache, &mut |_, _| {})
        .unwrap_or_else(|error| panic!("{error}"));
    let n_vocab = model.config().n_vocab;
    let mut decoder = Decoder::new(model, cache);
    let mut kv = SequenceKv::default();
    let mut all = Vec::new();
    for tokens in tokens.chunks(size) {
        let item = BatchItem { kv: &mut kv, tokens, logits: LogitRows::From(0) };
        all.extend(
            decoder.forward(&mut [item]).unwrap().chunks_exact(n_vocab).map(<[f32]>::to_vec),
        );
    }
    all
}

/// Differences over the rows that were written down.
fn differences(expected: &Expected, found: &[Vec<f32>]) -> Vec<f32> {
    let rows = expected.rows.iter().zip(&expected.logits);
    let of_row = |(&row, expected): (&usize, &Vec<f32>)| {
        assert_eq!(expected.len(), found[row].len(), "row {row}");
        assert!(found[row].iter().all(|logit| logit.is_finite()), "row {row}");
        expected.iter().zip(&found[row]).map(|(a, b)| (a - b).abs()).collect::<Vec<f32>>()
    };
    rows.flat_map(of_row).collect()
}

/// The largest of them.
fn worst(expected: &Expected, found: &[Vec<f32>]) -> f32 {
    differences(expected, found).into_iter().fold(0.0, f32::max)
}

/// The root of their mean square.
fn typical(expected: &Expected, found: &[Vec<f32>]) -> f32 {
    let differences = differences(expected, found);
    (differences.iter().map(|x| x * x).sum::<f32>() / differences.len() as f32).sqrt()
}

#[test]
fn every_architecture_has_a_golden_model() {
    for arch in ARCHS {
        assert!(CASES.iter().any(|case| case.architecture == arch.name), "{} has none", arch.name);
    }
    for case in CASES {
        let file = ModelFile::open(data(&format!("{}.gguf", case.name))).unwrap();
        assert_eq!(file.metadata().architecture().unwrap(), case.architecture);
    }
}

#[test]
fn gguf_files_give_the_logits_of_transformers() {
    for case in CASES {
        let expected = expected(case.name);
        for size in [expected.tokens.len(), 7, 1] {
            let difference = worst(
                &expected,
                &logits(&data(&format!("{}.gguf", case.name)), None, &expected.tokens, size),
            );
            println!("{} in chunks of {size}: {difference}", case.name);
            assert!(
                difference < TOLERANCE,
                "{} in chunks of {size}: off by {difference}",
                case.name
            );
        }
    }
}

#[test]
fn narrower_keys_and_values_cost_what_they_may() {
    let mut least = f32::INFINITY;
    for case in CASES {
        let expected = expected(case.name);
        for (kv_type, tolerance) in KV_TOLERANCES {
            let found = logits_with(
                kv_type,
                &data(&format!("{}.gguf", case.name)),
                None,
                &expected.tokens,
                7,
            );
            let difference = worst(&expected, &found);
            println!("{} with {} KV: {difference}", case.name, kv_type.name());
            assert!(
                difference < tolerance,
                "{} with {} KV: off by {difference}",
                case.name,
                kv_type.name()
            );
            least = least.min(difference);
        }
    }
    assert!(least > 1e-6, "no difference at all: the type was not used");
}

#[test]
fn directories_give_the_logits_of_transformers() {
    for case in CASES {
        let expected = expected(case.name);
        let difference = worst(&expected, &logits(&data(case.name), None, &expected.tokens, 40));
        println!("{}: {difference}", case.name);
        assert!(difference < TOLERANCE, "{}: off by {difference}", case.name);
    }
}

#[test]
fn directories_hold_what_the_converted_files_hold() {
    for case in CASES {
        let gguf = ModelFile::open(data(&format!("{}.gguf", case.name))).unwrap();
        let directory = ModelFile::open(data(case.name)).unwrap();
        assert_eq!(gguf.tensors().len(), directory.tensors().len(), "{}", case.name);
        for info in gguf.tensors() {
            let own = directory
                .tensor(&info.name)
                .unwrap_or_else(|| panic!("{}: no {}", case.name, info.name));
            assert_eq!(info.dims, own.dims, "{}", info.name);
            let floats = |file: &ModelFile| {
                let mut out = vec![0.0; info.n_elements() as usize];
                let info = file.tensor(&info.name).unwrap();
                pacemark_quant::dequantize_row(info.dtype, &file.bytes(info).unwrap(), &mut out)
                    .unwrap();
                out
            };
            let (ours, theirs) = (floats(&directory), floats(&gguf));
            let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6 * b.abs();
            assert!(ours.iter().zip(&theirs).all(close), "{}: {} differs", case.name, info.name);
        }
        // Where the converter's key is also ours, both say the same; floats to the last place but
        // one.
        for (key, theirs) in
            gguf.metadata().iter().filter(|(key, _)| key.starts_with(case.architecture))
        {
            let Some(ours) = directory.metadata().get(key) else { continue };
            let same = match (ours, theirs) {
                (pacemark_modelfile::Value::F32(a), pacemark_modelfile::Value::F32(b)) => {
                    (a - b).abs() <= 1e-6 * b.abs()
                }
                _ => ours == theirs,
            };
            assert!(same, "{}: {key}: {} and {}", case.name, ours.describe(), theirs.describe());
        }
    }
}

#[test]
fn directories_are_quantized_on_load() {
    for case in CASES {
        let expected = expected(case.name);
        // Which tensor gets which type is tested where the rules are.
        let exact = [(Recipe::F32, 2e-3), (Recipe::F16, 5e-3)];
        let coarse = [(Recipe::Q8_0, 0.1), (Recipe::Q4KM, 0.9), (Recipe::Q4_0, 0.9)];
        for (recipe, tolerance) in exact.into_iter().chain(coarse) {
            let found = logits(&data(case.name), Some(recipe), &expected.tokens, 40);
            let difference = typical(&expected, &found);
            println!("{} as {}: {difference}", case.name, recipe.info().name);
            assert!(
                difference < tolerance,
                "{} as {}: off by {difference}",
                case.name,
                recipe.info().name
            );
        }
    }
    let error = ModelFile::open_as(data("llama.gguf"), Some(Recipe::Q8_0)).unwrap_err().to_string();
    assert!(error.contains("llama.gguf: type: expected a Hugging Face directory"), "{error}");
}

#[test]
fn configurations_that_contradict_the_weights_are_refused() {
    let copy = std::env::temp_dir().join(format!("pacemark-golden-{}", std::process::id()));
    std::fs::create_dir_all(&copy).unwrap();
    for entry in std::fs::read_dir(data("qwen3")).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let config = std::fs::read_to_string(copy.join("config.json")).unwrap();
    for (from, to, expected) in [
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 3",
            "blk.2.attn_q.weight: no such tensor",
        ),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 1",
            "not a tensor of architecture qwen3",
        ),
        (
            "\"intermediate_size\": 64",
            "\"intermediate_size\": 96",
            "ffn_gate.weight: expected [32, 96], found [32, 64]",
        ),
        ("\"head_dim\": 16", "\"head_dim\": 1024", "attention.key_length: expected at most 512"),
        ("\"head_dim\": 16", "\"head_dim\": 15", "an even number up to the head's 15"),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 2",
            "attn_q.weight: expected [32, 32], found [32, 64]",
        ),
        ("\"model_type\": \"qwen3\"", "\"model_type\": \"qwen2\"", "attn_q.bias: no such tensor"),
    ] {
        assert!(config.contains(from), "{from}");
        std::fs::write(copy.join("config.json"), config.replace(from, to)).unwrap();
        let cache = DecoderOptions { n_ctx: 64, ..DecoderOptions::default() };
        let (threads, residence) = (Threads::new(1), Residence::default());
        let loaded = Model::load(&copy, threads, residence, cache, &mut |_, _| {});
        let error = loaded.err().expect(to).to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
    std::fs::remove_dir_all(&copy).unwrap();
}
