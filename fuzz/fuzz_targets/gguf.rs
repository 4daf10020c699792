//! Any bytes are either refused as a GGUF file or read into a header that can be written and read
//! again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pacemark_modelfile::{GgufWriter, gguf};
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let file = Path::new("fuzz.gguf");
    let Ok(header) = gguf::read::parse(bytes, file) else { return };
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
        let again = gguf::read::parse(&written, file).expect("what was written can be read");
        assert_eq!(again.metadata.len(), header.metadata.len());
        assert_eq!(again.tensors.len(), header.tensors.len());
    }
});
