//! StreamingLLM's positions, counted within the cache, for every architecture that rotates its keys:
//! logits as transformers computes them where keys are kept unrotated and rotated anew for each
//! token.
//!
//! `data/golden/make_compact.py` wrote the logits down once; it says how, with which versions, and
//! what a window means in such positions.

use pacemark_engine::*;
use std::path::{Path, PathBuf};

/// Logits have a standard deviation of one. Sums and rotations differ in the last places: by 4.4e-6
/// at most where this was measured (`llama-rope3`, AVX-512).
const TOLERANCE: f32 = 1e-4;

/// What the script wrote down.
struct Golden {
    /// Positions whose logits are kept, and of those every so many.
    rows: Vec<usize>,
    every: usize,
    cases: Vec<Case>,
}

/// One model.
struct Case {
    name: String,
    /// Its directory.
    model: String,
    /// What its `config.json` says otherwise.
    config: serde_json::Map<String, serde_json::Value>,
    tokens: Vec<TokenId>,
    /// Of each `S+R` the rows.
    logits: Vec<(String, Vec<Vec<f32>>)>,
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden").join(name)
}

fn golden() -> Golden {
    let text = std::fs::read_to_string(data("compact.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let case = |case: &serde_json::Value| Case {
        name: case["name"].as_str().unwrap().to_owned(),
        model: case["model"].as_str().unwrap().to_owned(),
        config: case["config"].as_object().unwrap().clone(),
        tokens: serde_json::from_value(case["tokens"].clone()).unwrap(),
        logits: case["logits"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(sizes, rows)| (sizes.clone(), serde_json::from_value(rows.clone()).unwrap()))
            .collect(),
    };
    Golden {
        rows: serde_json::from_value(json["rows"].clone()).unwrap(),
        every: serde_json::from_value(json["every"].clone()).unwrap(),
        cases: json["cases"].as_array().unwrap().iter().map(case).collect(),
    }
}

/// The case's model with keys and values in single precision.
fn decoder(case: &Case) -> Decoder {
    let id = format!("pacemark-compact-{}-{:?}", std::process::id(), std::thread::current().id());
    let copy = std::env::temp_dir().join(id);
    std::fs::create_dir_all(&copy).unwrap();
    for entry in std::fs::read_dir(data(&case.model)).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let config = std::fs::read_to_string(copy.join("config.json")).unwrap();
    let mut config: serde_json::Map<_, _> = serde_json::from_str(&config).unwrap();
    config.extend(case.config.clone());
    std::fs::write(copy.join("config.json"), serde_json::to_string(&config).unwrap()).unwrap();
    let kv = KvTypes::new(KvType::F32, KvType::F32).unwrap();
    let cache = DecoderOptions { n_ctx: 64, kv };
    let threads = Threads::new(2);
    let model = Model::load(&copy, threads, Residence::default(), cache, &mut |_, _| {})
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    std::fs::remove_dir_all(&copy).unwrap();
    Decoder::new(model, cache)
}

/// Logits of all tokens in chunks of `size` under a spec, a row each.
fn logits(decoder: &mut Decoder, spec: &str, tokens: &[TokenId], size: usize) -> Vec<Vec<f32>> {
    let n_vocab = decoder.model().config().n_vocab;
    let policy = Policy::parse(spec).unwrap().unwrap().on(decoder.model().config()).unwrap();
    let mut kv = decoder.kv().sequence(policy, None);
    let mut rows = Vec::new();
    for tokens in tokens.chunks(size) {
        let item = BatchItem { kv: &mut kv, tokens, logits: LogitRows::From(0) };
        let logits = decoder.forward(&mut [item]).unwrap();
        rows.extend(logits.chunks_exact(n_vocab).map(<[f32]>::to_vec));
    }
    decoder.kv_mut().release(&mut kv);
    rows
}

/// The largest difference over what was written down.
fn worst(golden: &Golden, expected: &[Vec<f32>], found: &[Vec<f32>]) -> f32 {
    assert_eq!(golden.rows.len(), expected.len());
    let mut worst = 0.0f32;
    for (&row, expected) in golden.rows.iter().zip(expected) {
        let found = found[row].iter().step_by(golden.every);
        assert_eq!(found.len(), expected.len(), "row {row}");
        for (found, expected) in found.zip(expected) {
            assert!(found.is_finite(), "row {row}");
            worst = worst.max((found - expected).abs());
        }
    }
    worst
}

#[test]
fn every_architecture_that_rotates_is_among_the_models() {
    let golden = golden();
    for arch in ARCHS {
        let has_one = golden.cases.iter().any(|case| {
            let file = pacemark_modelfile::ModelFile::open(data(&case.model)).unwrap();
            file.metadata().architecture().unwrap() == arch.name
        });
        assert_eq!(has_one, arch.name != "gpt2", "{}", arch.name);
    }
}

#[test]
fn compact_streaming_is_that_of_keys_rotated_anew_for_each_token() {
    let golden = golden();
    for case in &golden.cases {
        let mut decoder = decoder(case);
        for (sizes, expected) in &case.logits {
            for chunk in [1, 7, case.tokens.len()] {
                let spec = format!("streaming:{sizes}");
                let found = logits(&mut decoder, &spec, &case.tokens, chunk);
                let difference = worst(&golden, expected, &found);
                println!("{} {spec} in chunks of {chunk}: {difference}", case.name);
                assert!(
                    difference < TOLERANCE,
                    "{} {spec} in chunks of {chunk}: off by {difference}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn original_positions_are_something_else() {
    let golden = golden();
    for case in &golden.cases {
        let mut decoder = decoder(case);
        let (sizes, expected) = &case.logits[0];
        let spec = format!("streaming:{sizes},positions=original");
        let difference = worst(&golden, expected, &logits(&mut decoder, &spec, &case.tokens, 40));
        println!("{} {spec}: {difference}", case.name);
        assert!(difference > 100.0 * TOLERANCE, "{} {spec}: only {difference}", case.name);
    }
}
