//! Files that are whole GGUF but no model that can be run: each gets an error that names what is
//! wrong, and no panic.

use pacemark_engine::{ARCHS, DecoderOptions, Model, Residence, Threads};
use pacemark_modelfile::{TensorInfo, Value};
use pacemark_quant::DType;
use pacemark_testmodel::TestModel;

fn load(model: &TestModel) -> Result<(), String> {
    let unique =
        format!("pacemark-hostile-{}-{:?}.gguf", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(unique);
    model.write(&path).unwrap();
    let cache = DecoderOptions { n_ctx: 64, ..DecoderOptions::default() };
    let loaded = Model::load(&path, Threads::new(1), Residence::default(), cache, &mut |_, _| {});
    std::fs::remove_file(&path).unwrap();
    loaded.map(|_| ()).map_err(|error| error.to_string())
}

/// Loading fails with a message that contains each of `parts`.
fn refused(model: &TestModel, parts: &[&str]) {
    let message = load(model).expect_err("a broken model was loaded");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn unknown_architectures_are_named_with_the_known_ones() {
    let mut model = TestModel::llama();
    model.set("general.architecture", Value::String("mamba".into()));
    refused(&model, &["general.architecture", "mamba"]);
    ARCHS.iter().for_each(|arch| refused(&model, &[arch.name]));
}

#[test]
fn wrong_missing_and_unknown_tensors_are_named() {
    let mut model = TestModel::llama();
    let wrong =
        model.tensors.iter_mut().find(|(info, _)| info.name == "blk.3.attn_q.weight").unwrap();
    *wrong =
        (TensorInfo::new("blk.3.attn_q.weight", [256, 128], DType::F32), vec![0; 256 * 128 * 4]);
    refused(&model, &["blk.3.attn_q.weight: expected [256, 256], found [256, 128]"]);

    for (name, model) in TestModel::all() {
        let names = model.tensors.iter().map(|(info, _)| info.name.clone());
        let of_first = |name: &String| !name.starts_with("blk.") || name.starts_with("blk.0.");
        for missing in names.filter(of_first).chain(["blk.5.ffn_down.weight".into()]) {
            let mut model = TestModel::of(name);
            model.tensors.retain(|(info, _)| info.name != missing);
            refused(&model, &[&missing, "no such tensor"]);
        }
        let mut model = model;
        let unknown = TensorInfo::new("blk.0.attn_sinks.weight", [4], DType::F32);
        model.tensors.push((unknown, vec![0; 16]));
        let text = format!("not a tensor of architecture {name}");
        refused(&model, &["blk.0.attn_sinks.weight", &text]);
    }

    let mut model = TestModel::llama();
    model.tensors.push((TensorInfo::new("blk.0.attn_q.bias", [256], DType::F32), vec![0; 1024]));
    refused(&model, &["blk.0.attn_q.bias", "not a tensor of architecture llama"]);
}

#[test]
fn every_missing_or_mistyped_key_is_an_error_or_has_a_default() {
    for arch in ARCHS {
        let base = || TestModel::of(arch.name);
        let keys: Vec<String> = base().metadata.iter().map(|(key, _)| key.to_string()).collect();
        for key in keys
            .iter()
            .filter(|key| !key.starts_with("tokenizer.") && !key.starts_with("general.file"))
        {
            let mut model = base();
            model.set(key, Value::String("x".into()));
            refused(&model, &[if key == "general.architecture" { "x" } else { key }]);
        }
    }
}

#[test]
fn absurd_dimensions_are_refused_before_anything_is_allocated() {
    let absurd = [
        ("llama.block_count", u32::MAX),
        ("llama.embedding_length", u32::MAX),
        ("llama.feed_forward_length", u32::MAX),
        ("llama.attention.head_count", 0),
        ("llama.attention.head_count", u32::MAX),
        ("llama.attention.head_count_kv", 3),
        ("llama.attention.head_count_kv", 0),
        ("llama.attention.key_length", 1 << 20),
        ("llama.rope.dimension_count", 65),
        ("llama.rope.dimension_count", 128),
        ("llama.context_length", u32::MAX),
    ];
    for (key, value) in absurd {
        let mut model = TestModel::llama();
        model.set(key, Value::U32(value));
        assert!(load(&model).is_err(), "{key} = {value} was accepted");
    }
    for arch in ARCHS {
        let any = [
            ("block_count", u32::MAX),
            ("embedding_length", u32::MAX),
            ("feed_forward_length", u32::MAX),
            ("attention.head_count", 0),
            ("attention.head_count", u32::MAX),
            ("attention.head_count_kv", 3),
            ("context_length", u32::MAX),
        ];
        for (key, value) in any {
            let mut model = TestModel::of(arch.name);
            model.set(&format!("{}.{key}", arch.name), Value::U32(value));
            assert!(load(&model).is_err(), "{} {key} = {value} was accepted", arch.name);
        }
    }
    for value in [f32::NAN, f32::INFINITY, 0.0, -1.0] {
        let mut model = TestModel::llama();
        model.set("llama.rope.freq_base", Value::F32(value));
        refused(&model, &["rope.freq_base"]);
    }
    let mut model = TestModel::llama();
    model.set("llama.rope.scaling.type", Value::String("yarn".into()));
    refused(&model, &["llama.rope.scaling.type", "yarn", "linear"]);
}

#[test]
fn no_refusal_repeats_a_long_name() {
    let long = "x".repeat(60_000);
    let bounded = |model: &TestModel| {
        let error = load(model).expect_err("a broken model was loaded");
        assert!(
            error.len() < pacemark_testmodel::long::MESSAGE,
            "{} bytes: {error:.3000}",
            error.len()
        );
    };
    for arch in ARCHS {
        let base = || TestModel::of(arch.name);
        let keys: Vec<String> = base().metadata.iter().map(|(key, _)| key.to_string()).collect();
        for key in keys
            .iter()
            .filter(|key| !key.starts_with("tokenizer.") && !key.starts_with("general.file"))
        {
            let mut model = base();
            model.set(key, Value::String(long.clone()));
            bounded(&model);
        }
        let mut model = base();
        model.tensors.push((TensorInfo::new(long.clone(), [256], DType::F32), vec![0; 1024]));
        bounded(&model);
    }
}
