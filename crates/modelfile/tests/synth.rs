//! Synthetic models: as many parameters as the real ones, valid blocks, the same bytes each time.

mod common;

use pacemark_modelfile::arch::ARCHS;
use pacemark_modelfile::quantize::{Plan, QuantizeError, RECIPES, write};
use pacemark_modelfile::{ModelFile, synth};
use pacemark_quant::{DTYPES, dequantize_row};
use std::sync::atomic::{AtomicBool, Ordering};

/// What Hugging Face's hub shows for each model; Llama 3.2's GGUF files have half a head of
/// rotation factors more, and Qwen2.5 Coder 1.5B's file has the output matrix beside the embedding
/// that it is tied to.
const PARAMETERS: &[(&str, u64)] = &[
    ("smollm2-135m", 134_515_008),
    ("gemma3-270m", 268_098_176),
    ("qwen2.5-0.5b", 494_032_768),
    ("qwen2.5-1.5b", 1_543_714_304 + 233_373_696),
    ("qwen3-0.6b", 596_049_920),
    ("tinyllama-1.1b", 1_100_048_384),
    ("llama3.2-1b", 1_235_814_400 + 32),
    ("llama3.2-3b", 3_212_749_824 + 64),
    ("openllama-7b", 6_738_415_616),
    ("olmo2-1b", 1_484_916_736),
    ("smollm3-3b", 3_075_098_624),
    ("pythia-2.8b", 2_775_208_960),
    ("gpt2", 124_439_808),
    ("gpt2-medium", 354_823_168),
];

const TINY: &str = r#"{"architecture": "llama", "n_embd": 256, "n_ff": 256, "n_layers": 1, "n_heads": 4, "n_vocab": 300}"#;

#[test]
fn shapes_have_the_parameters_of_the_real_models() {
    assert_eq!(PARAMETERS.len(), synth::SHAPES.len());
    for &(name, n_params) in PARAMETERS {
        let model = ModelFile::open(format!("synth:{name}:Q8_0")).unwrap();
        assert_eq!(model.n_params(), n_params, "{name}");
        assert!(synth::is_synthetic(model.metadata()), "{name}");
    }
}

#[test]
fn weights_are_small_finite_and_repeatable() {
    for info in DTYPES {
        // The recipe whose rules leave this matrix in the type.
        let recipe = RECIPES.iter().find(|recipe| recipe.dtype == info.dtype).unwrap();
        let model = ModelFile::open(format!("synth:{TINY}:{}", recipe.name)).unwrap();
        let tensor = model.tensor("blk.0.ffn_up.weight").unwrap();
        assert_eq!(tensor.dtype, info.dtype);
        let bytes = model.bytes(tensor).unwrap();
        assert_eq!(bytes.as_ref(), model.bytes(tensor).unwrap().as_ref(), "{}", info.name);
        assert_ne!(
            bytes.as_ref(),
            model.bytes(model.tensor("blk.0.ffn_gate.weight").unwrap()).unwrap().as_ref()
        );
        let mut values = vec![0.0; tensor.n_elements() as usize];
        dequantize_row(info.dtype, &bytes, &mut values).unwrap();
        let deviation = (values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32).sqrt();
        assert!((0.018..0.022).contains(&deviation), "{}: {deviation}", info.name);
    }
}

#[test]
fn types_are_those_of_the_real_files() {
    let model = ModelFile::open("synth:qwen3-0.6b").unwrap();
    let dtype = |name: &str| model.tensor(name).unwrap().dtype.name();
    let first = ["token_embd", "blk.0.attn_v", "blk.0.ffn_down", "blk.0.attn_q", "blk.4.ffn_down"];
    assert_eq!(
        first.map(|name| dtype(&format!("{name}.weight"))),
        ["Q6_K", "Q6_K", "Q6_K", "Q4_K", "Q4_K"]
    );
    assert_eq!(model.metadata().u32("general.file_type").unwrap(), 15);
}

#[test]
fn a_written_one_reads_back_the_same() {
    let directory = common::directory("synth");
    let (model, path) =
        (ModelFile::open(format!("synth:{TINY}:Q4_0")).unwrap(), directory.join("s.gguf"));
    write(&model, &Plan::copy(&model), &path, 1, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    let read = ModelFile::open(&path).unwrap();
    assert_eq!(read.metadata(), model.metadata());
    assert_eq!(read.tensors().len(), model.tensors().len());
    for tensor in model.tensors() {
        let same = read.tensor(&tensor.name).unwrap();
        assert_eq!(read.bytes(same).unwrap().as_ref(), model.bytes(tensor).unwrap().as_ref());
    }
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "a temporary file is left");
}

/// Files of a shape of each architecture, as they were when each was added: a measurement of a
/// synthetic model stays comparable only while its file stays the same.
const DIGESTS: &[(&str, u64)] = &[
    ("llama", 0xdbfe_1c06_f9b6_a5ca),
    ("qwen2", 0x6929_94bc_1ae7_7f9b),
    ("qwen3", 0xe252_f34b_ea2f_68ae),
    ("gemma3", 0x5223_59f8_d8ad_97be),
    ("gpt2", 0x3366_caf4_fc23_ab73),
    ("gptneox", 0x91f6_44c9_82b5_06e7),
    ("olmo2", 0x77de_3a35_56d2_7470),
    ("smollm3", 0x305b_bd74_08b8_ee95),
];

/// FNV-1a of 64 bits.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn files_stay_the_same_byte_for_byte() {
    assert!(ARCHS.iter().map(|arch| arch.name).eq(DIGESTS.iter().map(|row| row.0)));
    let directory = common::directory("synth-digest");
    for &(architecture, expected) in DIGESTS {
        // The theta of Llama 3.2, whose files have a tensor more.
        let shape = format!(
            r#"{{"architecture": "{architecture}", "n_embd": 256, "n_ff": 512, "n_layers": 7, "n_heads": 4,
                 "n_kv_heads": 2, "n_vocab": 300, "rope_theta": 500000, "n_ctx": 64}}"#
        );
        let model = ModelFile::open(format!("synth:{shape}:Q4_K_M")).unwrap();
        let path = directory.join(format!("{architecture}.gguf"));
        write(&model, &Plan::copy(&model), &path, 1, &mut |_| {}, &AtomicBool::new(false)).unwrap();
        let found = digest(&std::fs::read(&path).unwrap());
        assert_eq!(found, expected, "{architecture}: {found:#x}");
    }
}

#[test]
fn an_interrupt_leaves_no_file() {
    let directory = common::directory("synth-stop");
    let model = ModelFile::open(format!("synth:{TINY}")).unwrap();
    let stop = AtomicBool::new(false);
    let mut after_first = |_| stop.store(true, Ordering::Relaxed);
    let error =
        write(&model, &Plan::copy(&model), &directory.join("s.gguf"), 1, &mut after_first, &stop)
            .unwrap_err();
    assert!(matches!(error, QuantizeError::Interrupted), "{error}");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "a file is left");
}

#[test]
fn what_cannot_be_made_is_refused_by_name() {
    for (model, part) in [
        ("synth:nope", "shape: expected one of smollm2-135m"),
        ("synth:gpt2:Q9", "type: expected"),
        ("synth:{\"architecture\"}", "shape: expected an object of dimensions"),
        ("synth:absent.json", "absent.json"),
    ] {
        let error = ModelFile::open(model).unwrap_err().to_string();
        assert!(error.contains(part), "{model}: {error}");
    }
}
