//! Any bytes are either refused as a safetensors file or read into tensors that fill it without
//! sharing a byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pacemark_modelfile::hf::safetensors::parse;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(entries) = parse(bytes, Path::new("fuzz.safetensors")) else { return };
    let mut end = entries.first().map_or(bytes.len(), |entry| entry.range.start);
    for entry in &entries {
        assert_eq!(entry.range.start, end);
        end = entry.range.end;
    }
    assert_eq!(end, bytes.len());
});
