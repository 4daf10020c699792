//! Quantizing a model: the mixtures against llama-quantize's own choices (`mixture.py`), and the
//! conversion.

use pacemark_modelfile::quantize::{
    Choices, ModelFacts, QuantizeError, RECIPES, Recipe, plan, targets, write,
};
use pacemark_modelfile::{DType, Metadata, ModelFile, TensorInfo, Value, write_gguf_file};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

mod common;

fn choices(recipe: Recipe) -> Choices {
    Choices { recipe, pure: false, output: None, embedding: None }
}

/// A narrow model of `mixture.py`: what the rules look at, and row lengths.
fn model(name: &str) -> (ModelFacts, u64) {
    let facts = |architecture: &str, n_layer, n_head, n_head_kv, n_expert| ModelFacts {
        architecture: architecture.into(),
        n_layer,
        n_head,
        n_head_kv,
        n_expert,
    };
    match name {
        "smollm2" => (facts("llama", 30, 9, 3, 0), 576),
        "gemma3" => (facts("gemma3", 18, 4, 1, 0), 640),
        "llama-70b" => (facts("llama", 80, 64, 8, 0), 256),
        "mixtral" => (facts("llama", 32, 32, 8, 8), 256),
        "gpt2" => (facts("gpt2", 12, 12, 12, 0), 768),
        "falcon" => (facts("falcon", 32, 64, 8, 0), 512),
        "odd" => (facts("llama", 4, 4, 4, 0), 24),
        other => panic!("{other}"),
    }
}

#[test]
fn mixtures_are_those_of_llama_quantize() {
    let mut seen = std::collections::HashSet::new();
    for line in include_str!("data/mixture.txt").lines() {
        let mut words = line.split(' ');
        let (name, recipe) =
            (words.next().unwrap(), Recipe::from_name(words.next().unwrap()).unwrap());
        let (facts, width) = model(name);
        let (mut tensors, mut expected) = (Vec::new(), Vec::new());
        for word in words {
            let (tensor, types) = word.split_once('=').unwrap();
            let dims = match tensor {
                _ if tensor.ends_with("_norm") => vec![width],
                _ if tensor.ends_with("_exps") => vec![width, 2, 8],
                _ => vec![width, 2],
            };
            let dtype = if dims.len() == 1 { DType::F32 } else { DType::F16 };
            let types: Vec<&str> = types.split(',').collect();
            let in_layers = !matches!(tensor, "token_embd" | "position_embd" | "output");
            // Layers last to first: the rules must not depend on the order of the file.
            for layer in (0..if in_layers { facts.n_layer } else { 1 }).rev() {
                let prefix = if in_layers { format!("blk.{layer}.") } else { String::new() };
                tensors.push(TensorInfo::new(
                    format!("{prefix}{tensor}.weight"),
                    dims.clone(),
                    dtype,
                ));
                expected.push(types[layer % types.len()]);
            }
        }
        let found = targets(&choices(recipe), &facts, &tensors);
        for ((tensor, found), expected) in tensors.iter().zip(found).zip(expected) {
            assert_eq!(
                found.dtype.name(),
                expected,
                "{name} {} {}",
                recipe.info().name,
                tensor.name
            );
            let whole =
                found.instead_of.is_none_or(|wanted| width % wanted.info().block_len as u64 != 0);
            assert!(whole, "{name} {}: no need of a fallback", tensor.name);
        }
        seen.insert(recipe);
    }
    // All but the one that llama.cpp does not know.
    assert_eq!(seen.len(), RECIPES.len() - 1);
}

#[test]
fn overrides_and_pure_go_before_the_rules() {
    let (facts, _) = model("llama-70b");
    let names = ["token_embd.weight", "output.weight", "blk.0.attn_v.weight"];
    let tensors = names.map(|name| TensorInfo::new(name, [256, 2], DType::F16));
    let of = |choices: &Choices| {
        targets(choices, &facts, &tensors).iter().map(|t| t.dtype).collect::<Vec<_>>()
    };
    let pure = Choices { pure: true, ..choices(Recipe::Q4KM) };
    assert_eq!(of(&pure), [DType::Q4K; 3]);
    let chosen =
        Choices { output: Some(DType::F16), embedding: Some(DType::Q2K), ..choices(Recipe::Q4KM) };
    assert_eq!(of(&chosen), [DType::Q2K, DType::F16, DType::Q6K]);
    assert_eq!(of(&choices(Recipe::MXFP4)), [DType::MXFP4, DType::Q8_0, DType::MXFP4]);
}

/// A model of two matrices and a norm; `scale` sizes the weights.
fn write_model(path: &Path, dtype: DType, scale: f32) {
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", Value::String("llama".into()));
    metadata.set("llama.block_count", Value::U32(1)).set("general.file_type", Value::U32(0));
    metadata.set("split.count", Value::U16(0));
    let tensor = |name: &str, dims: &[u64], dtype: DType| {
        let n = dims.iter().product::<u64>() as usize;
        let values: Vec<f32> =
            (0..n).map(|i| ((i * 37 % 101) as f32 / 50.0 - 1.0) * scale).collect();
        let mut bytes = vec![0; dtype.bytes_for(n).unwrap()];
        pacemark_quant::quantize_row(dtype, &values, &mut bytes).unwrap();
        (TensorInfo::new(name, dims, dtype), bytes)
    };
    let tensors = [
        tensor("token_embd.weight", &[256, 300], dtype),
        tensor("blk.0.attn_norm.weight", &[256], DType::F32),
        tensor("blk.0.ffn_up.weight", &[32, 5], dtype),
    ];
    write_gguf_file(path, &metadata, &tensors).unwrap();
}

fn quantize(
    from: &Path,
    to: &Path,
    recipe: Recipe,
    allow: bool,
    stop: bool,
) -> Result<Vec<u64>, QuantizeError> {
    let model = ModelFile::open(from)?;
    let plan = plan(&model, &choices(recipe), allow)?;
    let mut steps = Vec::new();
    write(&model, &plan, to, 2, &mut |done| steps.push(done), &AtomicBool::new(stop))?;
    Ok(steps)
}

#[test]
fn every_recipe_makes_a_file_that_is_near_the_original() {
    let directory = common::directory("quantize");
    let (from, to) = (directory.join("f32.gguf"), directory.join("to.gguf"));
    write_model(&from, DType::F32, 1.0);
    for info in RECIPES {
        let steps = quantize(&from, &to, info.recipe, false, false).unwrap();
        let (old, new) = (ModelFile::open(&from).unwrap(), ModelFile::open(&to).unwrap());
        assert_eq!(steps.last(), Some(&old.n_bytes()));
        assert_eq!(new.metadata().u32("general.file_type").unwrap(), info.file_type);
        assert_eq!(new.metadata().u32("general.quantization_version").unwrap(), 2);
        assert!(new.metadata().get("split.count").is_none());
        for (a, b) in old.tensors().iter().zip(new.tensors()) {
            assert_eq!((&a.name, &a.dims), (&b.name, &b.dims));
            let floats = |model: &ModelFile, tensor: &TensorInfo| {
                let mut out = vec![0.0; tensor.n_elements() as usize];
                pacemark_quant::dequantize_row(
                    tensor.dtype,
                    &model.bytes(tensor).unwrap(),
                    &mut out,
                )
                .unwrap();
                out
            };
            let worst = floats(&old, a)
                .iter()
                .zip(floats(&new, b))
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst <= b.dtype.info().max_roundtrip_err, "{} {}: {worst}", info.name, b.name);
        }
    }
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2, "a temporary file is left");
}

#[test]
fn what_is_quantized_needs_permission() {
    let directory = common::directory("quantize-again");
    let (from, to) = (directory.join("q8.gguf"), directory.join("to.gguf"));
    write_model(&from, DType::Q8_0, 1.0);
    let error = quantize(&from, &to, Recipe::Q4_0, false, false).unwrap_err().to_string();
    assert!(error.contains("token_embd.weight is Q8_0 already"), "{error}");
    assert!(!to.exists());
    // A matrix that keeps its type needs none.
    quantize(&from, &to, Recipe::Q8_0, false, false).unwrap();
    quantize(&from, &to, Recipe::Q4_0, true, false).unwrap();
}

#[test]
fn failures_leave_nothing_behind() {
    let directory: PathBuf = common::directory("quantize-fails");
    let (from, to) = (directory.join("f32.gguf"), directory.join("to.gguf"));
    write_model(&from, DType::F32, 1.0);
    std::fs::write(&to, "before").unwrap();
    let error = quantize(&from, &to, Recipe::Q4_0, false, true).unwrap_err();
    assert!(matches!(error, QuantizeError::Interrupted));
    write_model(&from, DType::F32, 1e6);
    let error = quantize(&from, &to, Recipe::F16, false, false).unwrap_err().to_string();
    assert!(
        error.starts_with("token_embd.weight holds") && error.ends_with("which F16 cannot store"),
        "{error}"
    );
    quantize(&from, &directory.join("bf16.gguf"), Recipe::BF16, false, false).unwrap();
    write_model(&from, DType::F32, f32::NAN);
    let error = quantize(&from, &to, Recipe::F16, false, false).unwrap_err().to_string();
    assert!(error.contains("token_embd.weight holds NaN"), "{error}");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "before");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 3, "a temporary file is left");
}

/// Every part of a split model is the input, by whatever name; a directory's files are.
#[cfg(unix)]
#[test]
fn a_model_knows_the_files_it_was_read_from() {
    let directory = common::directory("read-from");
    let split = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/data/golden/llama");
    for entry in std::fs::read_dir(&split).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, directory.join(from.file_name().unwrap())).unwrap();
    }
    let model = ModelFile::open(&directory).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let (soft, hard) = (directory.with_extension("soft"), directory.with_extension("hard"));
        std::os::unix::fs::symlink(directory.join(name), &soft).unwrap();
        std::fs::hard_link(directory.join(name), &hard).unwrap();
        assert!(
            model.is_read_from(&directory.join(name))
                && model.is_read_from(&soft)
                && model.is_read_from(&hard)
        );
        std::fs::remove_file(soft).unwrap();
        std::fs::remove_file(hard).unwrap();
    }
    assert!(!model.is_read_from(&directory.join("new.gguf")));
    assert!(!model.is_read_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")));
}

/// The GGUF files are what llama.cpp's converter made of the directories.
#[test]
fn a_directory_gets_the_types_that_quantizing_the_converted_file_gives() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/data/golden");
    for name in ["llama", "llama-rope3", "qwen2", "qwen3", "gemma3", "gpt2", "gptneox-head80"] {
        let file = ModelFile::open(golden.join(format!("{name}.gguf"))).unwrap();
        for info in RECIPES {
            let plan = plan(&file, &choices(info.recipe), false).unwrap();
            let model = ModelFile::open_as(golden.join(name), Some(info.recipe)).unwrap();
            assert_eq!(model.metadata().u32("general.file_type").unwrap(), info.file_type);
            for job in &plan.jobs {
                let made = model
                    .tensor(&job.tensor.name)
                    .unwrap_or_else(|| panic!("{name}: no {}", job.tensor.name));
                assert_eq!(made.dtype, job.target.dtype, "{name} as {}: {}", info.name, made.name);
            }
        }
    }
}
