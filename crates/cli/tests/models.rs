//! `pacemark models` as a user runs it, on a model made here and a cache of its own.

mod binary;

use pacemark_modelfile::{DType, Metadata, ModelFile, TensorInfo, Value, write_gguf_file};
use std::path::{Path, PathBuf};
use std::process::Output;

/// A new empty directory.
fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn pacemark(home: &Path, arguments: &[&str]) -> Output {
    let mut command = binary::pacemark();
    command.args(arguments).env("PACEMARK_HOME", home).env("HF_HUB_OFFLINE", "1").output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn write_model(path: &Path) {
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", Value::String("llama".into()));
    for (key, value) in [
        ("block_count", 2),
        ("embedding_length", 32),
        ("attention.head_count", 2),
        ("context_length", 128),
    ] {
        metadata.set(format!("llama.{key}"), Value::U32(value));
    }
    let tensors = [
        (TensorInfo::new("token_embd.weight", [32, 4], DType::Q8_0), vec![0; 136]),
        (TensorInfo::new("output.weight", [32, 4], DType::F16), vec![0; 256]),
    ];
    write_gguf_file(path, &metadata, &tensors).unwrap();
}

#[test]
fn info_describes_a_file() {
    let home = directory("models-info");
    let path = home.join("m.gguf");
    write_model(&path);
    let info = json(&pacemark(
        &home,
        &["models", "info", path.to_str().unwrap(), "--tensors", "-o", "json"],
    ));
    assert_eq!(info["architecture"], "llama");
    assert_eq!((&info["n_params"], &info["context_length"]), (&256.into(), &128.into()));
    assert_eq!(info["bytes_per_token"], 256);
    assert_eq!(info["kv_bytes_per_token_f16"], 2 * 2 * (16 + 16) * 2);
    assert_eq!(info["kv_bytes_per_token"]["f32"], 2 * 2 * (16 + 16) * 4);
    assert_eq!(info["kv_bytes_per_token"]["q4_0"], 2 * 2 * (18 + 18));
    assert_eq!(
        info["quantization"][0],
        serde_json::json!({"type": "F16", "n_tensors": 1, "n_params": 128, "bytes": 256})
    );
    assert_eq!(info["tensors"][1]["dims"], serde_json::json!([32, 4]));

    let text = pacemark(&home, &["models", "info", path.to_str().unwrap()]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("read per token     256 B (256 bytes)"), "{text}");
}

#[test]
fn list_shows_the_catalog_and_the_cache() {
    let home = directory("models-list");
    let hub = home.join("models/hf/org/repo/main");
    std::fs::create_dir_all(&hub).unwrap();
    std::fs::write(hub.join("f.gguf"), "x").unwrap();
    let list = json(&pacemark(&home, &["models", "list", "-o", "json"]));
    let names: Vec<_> = list["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["smollm2-135m", "gemma3-270m", "qwen2.5-coder-1.5b", "hf:org/repo/f.gguf"]);
    assert_eq!(
        (&list["models"][0]["cached"], &list["models"][3]["cached"]),
        (&false.into(), &true.into())
    );
}

#[test]
fn errors_name_the_trouble_and_choose_the_exit_code() {
    let home = directory("models-errors");
    let damaged = home.join("damaged.gguf");
    std::fs::write(&damaged, b"GGUF\x03\0\0\0").unwrap();
    let directory = home.to_str().unwrap();
    for (model, code, message) in [
        (
            "no-such-model",
            2,
            "one of smollm2-135m, gemma3-270m, qwen2.5-coder-1.5b, hf:ORG/REPO/FILE or synth:SHAPE",
        ),
        ("hf:org/repo", 2, "ORG, REPO and FILE are needed"),
        (directory, 2, "is a directory"),
        (damaged.to_str().unwrap(), 1, "damaged.gguf: tensor count: expected at most 0 bytes"),
        ("hf:org/repo/f.gguf", 1, "HF_HUB_OFFLINE"),
    ] {
        let output = pacemark(&home, &["models", "info", model]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(message) && output.stdout.is_empty(), "{stderr}");
    }
}

#[test]
fn quantize_writes_a_model_and_says_what_it_did() {
    let home = directory("models-quantize");
    let (from, to) = (home.join("m.gguf"), home.join("q.gguf"));
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", Value::String("llama".into()));
    metadata.set("llama.block_count", Value::U32(1));
    let halves = |n: usize| vec![0x38; 2 * n]; // 0x3838 is 0.527
    let tensors = [
        (TensorInfo::new("token_embd.weight", [256, 4], DType::F16), halves(1024)),
        (TensorInfo::new("blk.0.ffn_up.weight", [96, 8], DType::F16), halves(768)),
        (TensorInfo::new("blk.0.ffn_norm.weight", [96], DType::F32), vec![0; 384]),
    ];
    write_gguf_file(&from, &metadata, &tensors).unwrap();
    let (from, to_text) = (from.to_str().unwrap(), to.to_str().unwrap());
    let made = json(&pacemark(
        &home,
        &["models", "quantize", from, to_text, "--type", "q4_k_m", "-o", "json"],
    ));
    assert_eq!((&made["type"], &made["types"][0]["to"]), (&"Q4_K_M".into(), &"F32".into()));
    assert_eq!(made["types"][2]["bytes_out"], 4 * 210, "the embeddings are the output too: Q6_K");
    let fallback = serde_json::json!({
        "tensor": "blk.0.ffn_up.weight", "row_length": 96, "wanted": "Q4_K", "used": "Q5_0",
    });
    assert_eq!(made["fallbacks"], serde_json::json!([fallback]));
    let info = json(&pacemark(&home, &["models", "info", to_text, "-o", "json"]));
    assert_eq!(made["file_bytes_out"], info["file_bytes"]);

    let text = pacemark(
        &home,
        &["models", "quantize", from, to_text, "--type", "Q8_0", "--token-embedding-type", "q2_k"],
    );
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("F16    Q2_K") && text.contains("F16    Q8_0"), "{text}");

    for (arguments, message) in [
        (["models", "quantize", to_text, "x.gguf", "--type", "Q4_0"], "is Q2_K already"),
        (["models", "quantize", from, from, "--type", "Q4_0"], "is part of the input"),
        (["models", "quantize", from, to_text, "--type", "Q9"], "not one of F32, F16"),
    ] {
        let output = pacemark(&home, &arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
}

const TINY: &str = r#"{"architecture": "llama", "n_embd": 256, "n_ff": 512, "n_layers": 2, "n_heads": 4, "n_vocab": 300}"#;

#[test]
fn synth_writes_the_model_that_its_name_makes_in_memory() {
    let home = directory("models-synth");
    let path = home.join("s.gguf");
    let file = path.to_str().unwrap();
    for (arguments, type_name) in [
        (vec![TINY.to_string(), "--type".into(), "q5_k_m".into()], "Q5_K_M"),
        (vec![format!("{TINY}:Q8_0")], "Q8_0"),
        (vec![format!("synth:{TINY}")], "Q4_K_M"),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = pacemark(&home, &[&["models", "synth", "-o", file], &arguments[..]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("bits a weight"), "{text}");
        let (made, read) = (
            ModelFile::open(format!("synth:{TINY}:{type_name}")).unwrap(),
            ModelFile::open(&path).unwrap(),
        );
        assert_eq!(read.metadata(), made.metadata());
        assert_eq!(read.tensors().len(), made.tensors().len());
        for (a, b) in made.tensors().iter().zip(read.tensors()) {
            assert_eq!((&a.name, &a.dims, a.dtype), (&b.name, &b.dims, b.dtype));
            assert!(
                made.bytes(a).unwrap().as_ref() == read.bytes(b).unwrap().as_ref(),
                "{}",
                a.name
            );
        }
    }
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 1, "a temporary file is left");
}

#[test]
fn synth_refuses_what_it_cannot_write_and_leaves_nothing() {
    let home = directory("models-synth-errors");
    let both = format!("{TINY}:Q8_0");
    let inside = home.join("absent/s.gguf");
    for (shape, more, code, message) in [
        ("nope", ["-o", "s.gguf"].as_slice(), 1, "shape: expected one of smollm2-135m"),
        (&both, &["--type", "Q4_0", "-o", "s.gguf"], 2, "names a type, and --type Q4_0 another"),
        (TINY, &["--type", "Q9", "-o", "s.gguf"], 2, "not one of F32, F16"),
        (TINY, &["-o", inside.to_str().unwrap()], 1, "cannot write"),
        (TINY, &["-o", home.to_str().unwrap()], 1, "directory"),
    ] {
        let output = pacemark(&home, &[&["models", "synth", shape], more].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(message) && output.stdout.is_empty(), "{stderr}");
    }
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0, "something was written");
}
