//! The account of a model's memory against what the engine then takes: by its own count for every
//! architecture, and by the system's for one that is large enough to be seen there. A test of its
//! own process: it looks at what the whole process holds.
#![cfg(target_os = "linux")]

use pacemark_engine::*;
use pacemark_modelfile::{ModelFile, write_gguf_file};
use pacemark_testmodel::TestModel;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the other process finds the large model.
const PATH: &str = "PACEMARK_ACCOUNT_MODEL";

/// Some 90 MB of weights, of types as files have them, with a table of its own.
const LARGE: &str = r#"synth:{"architecture": "llama", "n_embd": 1024, "n_ff": 3072, "n_layers": 8,
    "n_heads": 8, "n_kv_heads": 4, "n_vocab": 20000}:Q4_K_M"#;

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pacemark-account-{name}-{}.gguf", std::process::id()))
}

fn usage(n_ctx: usize, n_seqs: usize, pack: bool) -> Usage {
    let kv = KvTypes::default();
    Usage { n_ctx, n_seqs, n_step: 512, kv, policy: None, n_prompt: None, pack }
}

fn account(file: &ModelFile, usage: &Usage) -> Account {
    let config = model_config(file).unwrap();
    Account::of(file, &config, kernels().unwrap(), usage).unwrap()
}

fn load(path: &Path, pack: bool, usage: &Usage) -> Decoder {
    let cache = DecoderOptions { n_ctx: usage.n_ctx * usage.n_seqs, kv: usage.kv };
    let residence = Residence { pack, ..Residence::default() };
    let model = Model::load(path, Threads::new(2), residence, cache, &mut |_, _| {}).unwrap();
    Decoder::new(model, cache)
}

/// Bytes of `VmRSS` or `VmHWM`.
fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// One test, so that nothing else takes or gives memory meanwhile.
#[test]
fn what_was_reckoned_is_taken() {
    every_architecture_by_the_engines_own_count();
    let path = path("large");
    {
        let made = ModelFile::open(LARGE).unwrap();
        let with_bytes = |info: &pacemark_modelfile::TensorInfo| {
            (info.clone(), made.bytes(info).unwrap().to_vec())
        };
        let tensors: Vec<_> = made.tensors().iter().map(with_bytes).collect();
        write_gguf_file(&path, made.metadata(), &tensors).unwrap();
    }
    // In a process that has given nothing back yet: what an allocator keeps would be taken again unseen.
    let measured = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_large_model_by_the_systems_count", "--ignored", "--nocapture"])
        .env(PATH, &path)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&measured.stdout);
    std::fs::remove_file(path).unwrap();
    assert!(measured.status.success() && told.contains("1 passed"), "{measured:?}");
}

fn every_architecture_by_the_engines_own_count() {
    for (name, model) in TestModel::all() {
        let path = path(name);
        model.write(&path).unwrap();
        let file = ModelFile::open(&path).unwrap();
        for pack in [true, false] {
            let usage = usage(100, 3, pack);
            let reckoned = account(&file, &usage);
            let decoder = load(&path, pack, &usage);
            let vectors: u64 =
                model_config(&file).unwrap().tensors().iter().map(vector_bytes).sum();
            let matrices = reckoned.weights - vectors;
            let held = decoder.model().packed_bytes();
            // Chunks begin at lines of the cache, and the last page is whole.
            let rest = if pack { 64 * file.tensors().len() as u64 + (2 << 20) } else { 0 };
            assert!((held..=held + rest).contains(&matrices), "{name}: {matrices}, held {held}");
            // Of three sequences each has its own last block: 7 of 16 tokens for 100.
            let bytes = decoder.kv().allocated_bytes() / 300u64.div_ceil(16) * 21;
            assert_eq!(reckoned.kv, bytes, "{name}");
            assert!(reckoned.loading <= reckoned.weights + file.n_bytes(), "{name}");
        }
        std::fs::remove_file(path).unwrap();
    }
}

/// Bytes of a tensor that is held as floats; none of a matrix.
fn vector_bytes(spec: &pacemark_modelfile::arch::TensorSpec) -> u64 {
    use pacemark_modelfile::arch::{Part, Role};
    let is_vector = match spec.role() {
        Role::Matrix => false,
        Role::Table => spec.name.part == Part::Positions,
        Role::Norm | Role::Bias => true,
        Role::Constants => false, // test models have none
    };
    if is_vector { 4 * spec.dims.iter().product::<u64>() } else { 0 }
}

#[test]
#[ignore = "the other test starts it, in a process of its own"]
fn a_large_model_by_the_systems_count() {
    let Some(path) = std::env::var_os(PATH).map(PathBuf::from) else { return };
    let usage = usage(1024, 2, true);
    let reckoned = account(&ModelFile::open(&path).unwrap(), &usage);
    let before = status("VmRSS:");
    let mut decoder = load(&path, true, &usage);
    let mut sequences = [SequenceKv::default(), SequenceKv::default()];
    let mut random = 1u64;
    let mut token = |_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((random >> 33) % 20_000) as TokenId
    };
    for kv in &mut sequences {
        for _ in 0..2 {
            let tokens: Vec<TokenId> = (0..512).map(&mut token).collect();
            let item = BatchItem { kv, tokens: &tokens, logits: LogitRows::Last };
            decoder.forward(&mut [item]).unwrap();
        }
    }
    let taken = status("VmRSS:") - before;
    let ratio = reckoned.running() as f64 / taken as f64;
    // The threads have their stacks.
    assert!((0.97..=1.03).contains(&ratio), "{reckoned:?}, taken {taken}: {ratio:.3}");
}
