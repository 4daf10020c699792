//! Keys of GGUF files: each is computed, as llama.cpp understands it, or the file is refused by the
//! key's name.
//!
//! Logits are transformers' of configurations that say the same, by
//! `data/configurations/make_configurations.py`.

use pacemark_engine::*;
use pacemark_modelfile::{Metadata, ModelFile, TensorInfo, Value, write_gguf_file};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

const TOLERANCE: f32 = 3e-5;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn read(path: &Path) -> Json {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The golden model's file with keys removed and set.
fn edited(
    base: &str,
    remove: &[&str],
    set: &[(String, Value)],
) -> (Metadata, Vec<(TensorInfo, Vec<u8>)>) {
    let file = ModelFile::open(data().join("golden").join(format!("{base}.gguf"))).unwrap();
    let mut metadata = Metadata::new();
    for (key, value) in file.metadata().iter().filter(|(key, _)| !remove.contains(key)) {
        metadata.set(key, value.clone());
    }
    for (key, value) in set {
        metadata.set(key.clone(), value.clone());
    }
    let tensor = |info: &TensorInfo| {
        (
            TensorInfo::new(info.name.clone(), info.dims.clone(), info.dtype),
            file.bytes(info).unwrap().to_vec(),
        )
    };
    (metadata, file.tensors().iter().map(tensor).collect())
}

/// The logits of all positions of the golden model's tokens, or why there are none.
fn logits(base: &str, remove: &[&str], set: &[(String, Value)]) -> Result<Vec<Vec<f32>>, String> {
    let (metadata, tensors) = edited(base, remove, set);
    let unique =
        format!("pacemark-keys-{}-{:?}.gguf", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(unique);
    write_gguf_file(&path, &metadata, &tensors).unwrap();
    let kv = KvTypes::new(KvType::F32, KvType::F32).unwrap();
    let cache = DecoderOptions { n_ctx: 64, kv };
    let model = Model::load(&path, Threads::new(1), Residence::default(), cache, &mut |_, _| {});
    std::fs::remove_file(&path).unwrap();
    let model = model.map_err(|error| error.to_string())?;
    let n_vocab = model.config().n_vocab;
    let mut decoder = Decoder::new(model, cache);
    let golden = read(&data().join("golden").join(format!("{base}.json")));
    let tokens: Vec<TokenId> = serde_json::from_value(golden["tokens"].clone()).unwrap();
    let item =
        BatchItem { kv: &mut SequenceKv::default(), tokens: &tokens, logits: LogitRows::From(0) };
    let logits = decoder.forward(&mut [item]).map_err(|error| error.to_string())?;
    Ok(logits.chunks_exact(n_vocab).map(<[f32]>::to_vec).collect())
}

#[test]
fn keys_mean_what_they_mean_to_llama_cpp() {
    let reference = read(&data().join("configurations/configurations.json"));
    let step = reference["step"].as_u64().unwrap() as usize;
    let rows: Vec<usize> = serde_json::from_value(reference["rows"].clone()).unwrap();
    let cases = reference["gguf"].as_array().unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let remove: Vec<&str> =
            case["remove"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        let value = |value: &Json| match value {
            Json::String(text) => Value::String(text.clone()),
            Json::Number(number) if number.is_u64() => Value::U32(number.as_u64().unwrap() as u32),
            number => Value::F32(number.as_f64().unwrap() as f32),
        };
        let set =
            case["set"].as_object().unwrap().iter().map(|(key, json)| (key.clone(), value(json)));
        let set: Vec<(String, Value)> = set.collect();
        let found = logits(case["base"].as_str().unwrap(), &remove, &set).unwrap();
        let expected: Vec<Vec<f32>> = serde_json::from_value(case["logits"].clone()).unwrap();
        for (row, expected) in rows.iter().zip(&expected) {
            for (a, b) in found[*row].iter().step_by(step).zip(expected) {
                assert!(
                    (a - b).abs() < TOLERANCE,
                    "{} -{}: {a} and {b}",
                    case["set"],
                    case["remove"]
                );
            }
        }
    }
}

/// Keys that some writers spell otherwise, or set to what they are without them, change no bit.
#[test]
fn what_means_the_same_computes_the_same() {
    let same: &[(&str, &str, Value)] = &[
        ("llama", "rope.freq_base", Value::U32(10_000)),
        ("llama", "rope.freq_base", Value::F64(10_000.0)),
        ("llama", "attention.head_count_kv", Value::U32s(vec![2, 2])),
        ("llama", "attention.head_count", Value::I32s(vec![2, 2])),
        ("llama", "feed_forward_length", Value::U64s(vec![64, 64])),
        ("llama", "block_count", Value::I64(2)),
        ("llama", "attention.causal", Value::Bool(true)),
        ("llama", "expert_count", Value::U32(0)),
        ("llama", "rope.scaling.attn_factor", Value::F32(1.0)),
        ("llama", "rope.scaling.factor", Value::F32(0.0)),
        ("llama", "rope.scaling.finetuned", Value::Bool(false)),
        ("llama", "tensor_data_layout", Value::String("Meta AI original pth".into())),
        ("llama", "vocab_size", Value::U32(288)),
        ("llama", "pooling_type", Value::U32(3)),
        ("qwen2", "rope.dimension_count", Value::U32(8)),
        ("gemma3", "final_logit_softcapping", Value::F32(0.0)),
        ("gemma3", "attn_logit_softcapping", Value::F32(0.0)),
        ("gpt2", "attention.layer_norm_rms_epsilon", Value::F32(0.5)),
        ("smollm3", "rope.rotated_layers", Value::U32(4)),
    ];
    for (base, key, value) in same {
        let expected = logits(base, &[], &[]).unwrap();
        let found = logits(base, &[], &[(format!("{base}.{key}"), value.clone())]);
        assert!(found.as_ref() == Ok(&expected), "{base}.{key} = {value:?}: {:?}", found.err());
    }
}

#[test]
fn a_key_that_nothing_reads_is_refused_by_name() {
    let refused: &[(&str, &str, Value, &str)] = &[
        ("llama", "attention.causal", Value::Bool(false), "bool true"),
        ("llama", "rope.scaling.attn_factor", Value::F32(1.2), "f32 1"),
        ("llama", "rope.scaling.type", Value::String("yarn".into()), "yarn is not supported"),
        ("llama", "expert_count", Value::U32(8), "u32 0"),
        ("llama", "final_logit_softcapping", Value::F32(30.0), "f32 0"),
        ("llama", "attention.sliding_window", Value::U32(4096), "u32 0"),
        ("llama", "logit_scale", Value::F32(0.5), "f32 1"),
        (
            "llama",
            "something_new",
            Value::U32(1),
            "a key that Pacemark knows of architecture llama",
        ),
        ("llama", "attention.head_count_kv", Value::U32s(vec![2, 1]), "the same for each layer"),
        ("llama", "attention.head_count_kv", Value::U32s(vec![2, 2, 2]), "the same for each layer"),
        ("llama", "attention.head_count_kv", Value::U32s(vec![]), "the same for each layer"),
        ("llama", "rope.freq_base", Value::String("10000".into()), "a float"),
        ("llama", "use_parallel_residual", Value::Bool(true), "a key that Pacemark knows"),
        ("qwen2", "rope.dimension_count", Value::U32(3), "an even number"),
        ("qwen2", "rope.dimension_count", Value::U32(64), "an even number up to the head's 8"),
        (
            "qwen3",
            "rope.dimension_sections",
            Value::I32s(vec![1, 1, 1]),
            "a key that Pacemark knows",
        ),
        ("gemma3", "final_logit_softcapping", Value::F32(-1.0), "a number above 0"),
        ("gemma3", "final_logit_softcapping", Value::F32(f32::NAN), "a number above 0"),
        ("gemma3", "attn_logit_softcapping", Value::F32(50.0), "f32 0"),
        (
            "gemma3",
            "attention.sliding_window_pattern",
            Value::Bools(vec![true; 3]),
            "an entry for each of 7 layers",
        ),
        (
            "gptneox",
            "rope.scaling.type",
            Value::String("longrope".into()),
            "longrope is not supported",
        ),
        ("gpt2", "attention.scale", Value::F32(1.0), "a key that Pacemark knows"),
        // Of Olmo 3, whose files say olmo2 too.
        ("olmo2", "attention.sliding_window", Value::U32(4096), "u32 0"),
        ("olmo2", "rope.scaling.type", Value::String("yarn".into()), "yarn is not supported"),
        (
            "smollm3",
            "rope.rotated_layers",
            Value::Bools(vec![true; 3]),
            "an entry for each of 5 layers",
        ),
        ("smollm3", "rope.rotated_layers", Value::U32(0), "at least 1"),
        ("smollm3", "attention.sliding_window", Value::U32(8), "u32 0"),
    ];
    for (base, key, value, part) in refused {
        let name = format!("{base}.{key}");
        let error = logits(base, &[], &[(name.clone(), value.clone())]).expect_err(&name);
        assert!(error.contains(&name) && error.contains(part), "{name} = {value:?}: {error}");
    }
}
