//! Files that lie: each gets an error that names the place, none a panic or a large allocation.

mod common;

use common::{every_value, small_model};
use pacemark_modelfile::{Metadata, ModelFile, TensorInfo, Value, gguf, write_gguf};
use pacemark_quant::DType;
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, which remembers the largest request.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator cannot be written otherwise")]
// SAFETY: every call is passed to the system's allocator as it came.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// More than anything in this test needs, and far below any size that a damaged count would ask
/// for.
const SMALL: usize = 1 << 20;

fn parse(bytes: &[u8]) -> Result<gguf::read::Header, String> {
    gguf::read::parse(bytes, Path::new("m.gguf")).map_err(|e| e.to_string())
}

fn refused(bytes: &[u8], message: &str) {
    let error = parse(bytes).map(|_| "no error").unwrap_err();
    assert!(error.contains(message), "expected {message:?} in {error:?}");
    assert!(
        LARGEST.load(Ordering::Relaxed) < SMALL,
        "allocated {} bytes",
        LARGEST.load(Ordering::Relaxed)
    );
}

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

/// The info of a tensor `t`.
fn tensor(dims: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = string("t");
    bytes.extend((dims.len() as u32).to_le_bytes());
    dims.iter().for_each(|dim| bytes.extend(dim.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

#[test]
fn every_prefix_is_refused() {
    let bytes = small_model();
    assert!(parse(&bytes).is_ok());
    for length in 0..bytes.len() {
        refused(&bytes[..length], "m.gguf: ");
    }
}

#[test]
fn every_flipped_byte_is_survived() {
    let mut bytes = small_model();
    for at in 0..bytes.len() {
        let right = bytes[at];
        for change in 1..=255 {
            bytes[at] = right ^ change;
            let _ = parse(&bytes); // many flips only change a value, which is no error
        }
        bytes[at] = right;
    }
    assert!(LARGEST.load(Ordering::Relaxed) < SMALL);
}

#[test]
fn other_files_are_named() {
    refused(b"", "an empty file");
    refused(b"PK\x03\x04", "zip archive");
    refused(b"<!DOCTYPE html>", "HTML");
    refused(b"version https://git-lfs.github.com/spec/v1", "git lfs pull");
    refused(b"GGUF\x01\0\0\0", "version 1");
    refused(b"GGUF\0\0\0\x03", "big-endian file of version 3");
    refused(b"GGUF\x09\0\0\0", "expected 2 or 3, little-endian, found 9");
}

#[test]
fn absurd_counts_are_refused() {
    refused(&raw(u64::MAX, 0, &[]), "tensor count: expected at most");
    refused(&raw(1 << 40, 0, &[]), "tensor count: expected at most");
    refused(&raw(0, u64::MAX, &[]), "key count: expected at most");
    refused(
        &raw(0, 1, &[&u64::MAX.to_le_bytes()]),
        "key 0 of 1: expected a string of at most 65535 bytes",
    );
    let key = |kind: u32, rest: &[u8]| raw(0, 1, &[&string("k"), &kind.to_le_bytes(), rest]);
    refused(&key(8, &(1u64 << 60).to_le_bytes()), "k: expected at most");
    refused(&key(13, &[]), "k: expected a value type of 0 to 12, found 13");
    refused(&key(7, &[2]), "k: expected bools of 0 or 1, found 2");
    refused(&key(8, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff]), "k: expected UTF-8");
    for kind in 0u32..13 {
        for count in [u64::MAX, u64::MAX / 8 + 1, 1 << 40] {
            refused(
                &key(9, &[&kind.to_le_bytes()[..], &count.to_le_bytes()].concat()),
                "k: expected at most",
            );
        }
    }
    let strings =
        [&8u32.to_le_bytes()[..], &2u64.to_le_bytes(), &string("a"), &(1u64 << 50).to_le_bytes()]
            .concat();
    refused(
        &key(9, &strings),
        "k: expected 2 strings within the file, found string 1 to end after it",
    );
    let deep: Vec<u8> =
        (0..40).flat_map(|_| [&9u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat()).collect();
    refused(&key(9, &deep), "k: expected arrays nested at most 4 deep");
}

#[test]
fn absurd_tensors_are_refused() {
    refused(&raw(1, 0, &[&tensor(&[], 0, 0)]), "t: expected 1 to 4 dimensions, found 0");
    refused(&raw(1, 0, &[&tensor(&[1; 5], 0, 0)]), "t: expected 1 to 4 dimensions, found 5");
    refused(&raw(1, 0, &[&tensor(&[4, 0], 0, 0)]), "t: expected dimensions of at least 1");
    refused(
        &raw(1, 0, &[&tensor(&[1 << 32, 1 << 32], 0, 0)]),
        "t: expected a size that can be addressed",
    );
    refused(&raw(1, 0, &[&tensor(&[u64::MAX], 0, 0)]), "t: expected a size that can be addressed");
    refused(
        &raw(1, 0, &[&tensor(&[31], 8, 0)]),
        "t: expected rows of whole Q8_0 blocks of 32 elements, found rows of 31",
    );
    refused(
        &raw(1, 0, &[&tensor(&[256], 22, 0)]),
        "Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4, found IQ2_S",
    );
    refused(&raw(1, 0, &[&tensor(&[256], 777, 0)]), "found unknown type 777");
    refused(
        &raw(1, 0, &[&tensor(&[8], 0, 33)]),
        "t: expected an offset that is a multiple of 32, found 33",
    );
    refused(&raw(1, 0, &[&tensor(&[8], 0, 1 << 20)]), "cut short or damaged");
    refused(&raw(1, 0, &[&tensor(&[8], 0, u64::MAX - 31)]), "cut short or damaged");
    refused(
        &raw(2, 0, &[&tensor(&[8], 0, 0), &tensor(&[8], 0, 32)]),
        "t: expected each tensor once",
    );
    let other = [&string("u")[..], &tensor(&[8], 0, 0)[9..]].concat();
    refused(&raw(2, 0, &[&tensor(&[16], 0, 0), &other]), "t: expected bytes of its own");
}

#[test]
fn doubled_keys_and_bad_alignments_are_refused() {
    let key = [&string("k")[..], &0u32.to_le_bytes(), &[1]].concat();
    refused(&raw(0, 2, &[&key, &key]), "k: expected each key once");
    for alignment in [0u32, 3, 1 << 31] {
        let key = [&string("general.alignment")[..], &4u32.to_le_bytes(), &alignment.to_le_bytes()]
            .concat();
        refused(&raw(0, 1, &[&key]), "general.alignment: expected a power of two");
    }
}

#[test]
fn damaged_files_on_disk_are_refused_with_their_path() {
    let directory = common::directory("hostile");
    let path = directory.join("short.gguf");
    let tensors = [(TensorInfo::new("w", [64], DType::F32), vec![0; 256])];
    let bytes = write_gguf(Vec::new(), &every_value(), &tensors).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = ModelFile::open(&path).unwrap_err().to_string();
    assert!(error.contains("short.gguf: w: expected 256 bytes"), "{error}");
    let error = ModelFile::open(&directory).unwrap_err().to_string();
    assert!(error.contains("expected a GGUF file, or a directory with config.json"), "{error}");
    assert!(
        ModelFile::open(directory.join("absent.gguf"))
            .unwrap_err()
            .to_string()
            .contains("cannot open the file")
    );
    std::fs::write(directory.join("empty.gguf"), b"").unwrap();
    assert!(
        ModelFile::open(directory.join("empty.gguf"))
            .unwrap_err()
            .to_string()
            .contains("an empty file")
    );
}

#[test]
fn a_split_count_beyond_the_format_is_refused() {
    let path = common::directory("hostile-split").join("m-00001-of-00002.gguf");
    let mut metadata = Metadata::new();
    metadata.set("split.count", Value::U32(u32::MAX)).set("split.no", Value::U32(0));
    std::fs::write(&path, write_gguf::<_, Vec<u8>>(Vec::new(), &metadata, &[]).unwrap()).unwrap();
    assert!(
        ModelFile::open(&path)
            .unwrap_err()
            .to_string()
            .contains("split.count: expected at most 65535")
    );
}
