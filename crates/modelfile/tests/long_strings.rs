//! No error about a GGUF file repeats more than a bounded piece of it.

use pacemark_modelfile::{Metadata, ModelFile, Value, gguf};
use pacemark_testmodel::long;
use std::path::Path;

/// A header by hand: counts, then `body`, then room for what it promises.
fn raw(n_tensors: u64, n_keys: u64, body: &[&[u8]]) -> Vec<u8> {
    let mut bytes =
        [b"GGUF".as_slice(), &3u32.to_le_bytes(), &n_tensors.to_le_bytes(), &n_keys.to_le_bytes()]
            .concat();
    body.iter().for_each(|part| bytes.extend(*part));
    bytes.resize(bytes.len() + 4096, 0);
    bytes
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn check(error: &str) {
    assert!(error.len() < long::MESSAGE, "{} bytes: {error:.3000}", error.len());
}

/// Names of up to 64 KB and texts of any length stand in a header.
#[test]
fn of_headers() {
    let (name, text) = ("x".repeat(65535), long::string());
    let key = |name: &str, kind: u32, rest: &[u8]| {
        [&string(name), &kind.to_le_bytes()[..], rest].concat()
    };
    let bounded = |bytes: &[u8]| {
        check(
            &gguf::read::parse(bytes, Path::new("m.gguf"))
                .map(|_| "no error")
                .unwrap_err()
                .to_string(),
        );
    };
    let one = key(&name, 4, &[0; 4]);
    bounded(&raw(0, 2, &[&one, &one]));
    bounded(&raw(0, 1, &[&key(&name, 99, &[])]));
    bounded(&raw(0, 1, &[&key(&name, 7, &[2])]));
    bounded(&raw(0, 1, &[&key(&name, 8, &u64::MAX.to_le_bytes())]));
    bounded(&raw(0, 1, &[&string(&text)]));
    bounded(&raw(0, 1, &[&key("general.alignment", 8, &string(&text))]));
    for dims in [&[0u64][..], &[u64::MAX, 2], &[33]] {
        let sizes: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
        let n_dims = (dims.len() as u32).to_le_bytes();
        bounded(&raw(
            1,
            0,
            &[&string(&name), &n_dims, &sizes, &2u32.to_le_bytes(), &0u64.to_le_bytes()],
        ));
    }
    let mut metadata = Metadata::new();
    metadata
        .set("general.architecture", Value::U32(1))
        .set(text.clone(), Value::String(text.clone()));
    for error in [
        metadata.u32(&text).unwrap_err(),
        metadata.string("general.architecture").unwrap_err(),
        metadata.u32s(&text).unwrap_err(),
    ] {
        check(&error.to_string());
    }
    check(&ModelFile::open(format!("synth:{{\"{text}\": 1}}")).unwrap_err().to_string());
    check(&ModelFile::open(&text).unwrap_err().to_string());
}
