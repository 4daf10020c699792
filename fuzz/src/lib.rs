//! What each fuzz target does with any bytes: read them or refuse them, and keep what was promised.
//!
//! A target is a function, so that two drivers share it: libFuzzer (`fuzz_targets`, which needs a
//! nightly compiler) and `mutate`, which any compiler builds.

#[path = "../../crates/bench/tests/inputs/mod.rs"]
mod bench_inputs;
#[path = "../../crates/engine/tests/inputs/mod.rs"]
mod engine_inputs;
#[path = "../../crates/foreign/tests/inputs/mod.rs"]
mod foreign_inputs;
#[path = "../../crates/store/tests/inputs/mod.rs"]
mod history_inputs;
#[path = "../../crates/load/tests/inputs/mod.rs"]
mod load_inputs;
#[path = "../../crates/rpc/tests/inputs/mod.rs"]
mod rpc_inputs;
#[path = "../../crates/server/tests/inputs/mod.rs"]
mod server_inputs;
#[path = "../../crates/openai-api/tests/inputs/mod.rs"]
mod sse_inputs;
#[path = "../../crates/tokenizer/tests/inputs/mod.rs"]
mod tokenizer_inputs;
#[path = "../../crates/yaml/tests/inputs/mod.rs"]
mod yaml_inputs;

use pacemark_modelfile::hf::safetensors;
use pacemark_modelfile::{GgufWriter, gguf as format};
use std::path::Path;

/// A target: its name, which is that of its seeds' folder, and what it does.
pub type FuzzTarget = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[FuzzTarget] = &[
    ("config", config),
    ("foreign", foreign),
    ("gguf", gguf),
    ("history", history),
    ("items", items),
    ("load", load),
    ("policy", policy),
    ("request", request),
    ("rpc", rpc),
    ("safetensors", safetensors),
    ("sse", sse),
    ("template", template),
    ("tokenizer", tokenizer),
    ("tokenizer_json", tokenizer_json),
    ("yaml", yaml),
];

/// Any `config.json` is refused with a message, or describes a model that the engine knows or
/// refuses.
pub fn config(bytes: &[u8]) {
    if let Some(file) = tokenizer_inputs::directory::config_json(bytes) {
        let _ = pacemark_engine::model_config(&file);
    }
}

/// Any text is refused as another tool's result, or is a run.
pub fn foreign(bytes: &[u8]) {
    foreign_inputs::result(bytes);
}

/// Any bytes are either refused as a GGUF file or read into a header that can be written and read
/// again.
pub fn gguf(bytes: &[u8]) {
    let file = Path::new("fuzz.gguf");
    let Ok(header) = format::read::parse(bytes, file) else { return };
    for tensor in &header.tensors {
        assert!(tensor.n_bytes() <= bytes.len() as u64);
    }
    let mut written = Vec::new();
    GgufWriter::new(&mut written, &header.metadata, header.tensors.clone())
        .expect("what was read can be written");
    let data: u64 =
        header.tensors.iter().map(|tensor| tensor.n_bytes().next_multiple_of(1 << 21)).sum();
    if data < 1 << 24 {
        written.resize(written.len() + data as usize, 0);
        let again = format::read::parse(&written, file).expect("what was written can be read");
        assert_eq!(again.metadata.len(), header.metadata.len());
        assert_eq!(again.tensors.len(), header.tensors.len());
    }
}

/// Any text as a file of multiple-choice items.
pub fn items(bytes: &[u8]) {
    bench_inputs::items(bytes);
}

/// Any bytes are imported as runs of a history, or refused by line.
pub fn history(bytes: &[u8]) {
    history_inputs::import(bytes);
}

/// Any bytes as a trace, prompts, a dataset, a record or a flag of a load: read, or refused by
/// name.
pub fn load(bytes: &[u8]) {
    load_inputs::input(bytes);
}

/// Any text is refused as a KV policy, or names one that keeps to what it promises.
pub fn policy(bytes: &[u8]) {
    engine_inputs::policy(bytes);
}

/// Any bytes posted to any route are answered or refused, and never a fault of the server's.
pub fn request(bytes: &[u8]) {
    server_inputs::body(bytes);
}

/// Any bytes are messages of the RPC protocol, the same however they are cut.
pub fn rpc(bytes: &[u8]) {
    rpc_inputs::framing(bytes);
}

/// Any bytes are either refused as a safetensors file or read into tensors that fill it without
/// sharing a byte.
pub fn safetensors(bytes: &[u8]) {
    let Ok(entries) = safetensors::parse(bytes, Path::new("fuzz.safetensors")) else { return };
    let mut end = entries.first().map_or(bytes.len(), |entry| entry.range.start);
    for entry in &entries {
        assert_eq!(entry.range.start, end);
        end = entry.range.end;
    }
    assert_eq!(end, bytes.len());
}

/// Any bytes are an event stream, and give the same events however they are split.
pub fn sse(bytes: &[u8]) {
    sse_inputs::sse(bytes);
}

/// Any chat template ends, with a prompt or an error, whatever the messages.
pub fn template(bytes: &[u8]) {
    tokenizer_inputs::template(bytes);
}

/// Any vocabulary is refused with a message, or encodes any text to ids that decode again.
pub fn tokenizer(bytes: &[u8]) {
    tokenizer_inputs::tokenizer(bytes);
}

/// Any `tokenizer.json` is refused with a message, or encodes texts to ids that decode again.
pub fn tokenizer_json(bytes: &[u8]) {
    tokenizer_inputs::directory::tokenizer_json(bytes);
}

/// Any text is refused as YAML, or is a tree within the bounds that can be asked for anything.
pub fn yaml(bytes: &[u8]) {
    yaml_inputs::yaml(bytes);
}
