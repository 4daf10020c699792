//! The fuzz target's seeds, mutated in a repeatable way: a bounded run of what
//! `fuzz/fuzz_targets/gguf.rs` does without end.

mod common;

use pacemark_modelfile::{GgufWriter, gguf};
use std::path::{Path, PathBuf};

const MUTATIONS: usize = 20_000;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/gguf")
}

/// A small generator of repeatable numbers (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Spoils `bytes` in one of the ways that files are spoilt, and in some that only an enemy would
/// choose.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const NUMBERS: [u64; 8] = [0, 1, 8, 255, 1 << 31, 1 << 32, i64::MAX as u64, u64::MAX];
    let at = random.below(bytes.len());
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes[at] = random.below(256) as u8,
        2 => bytes[at] ^= 1 << random.below(8),
        3 => {
            let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
            let width = [4, 8][random.below(2)];
            bytes.iter_mut().skip(at).zip(&number[..width]).for_each(|(old, new)| *old = *new);
        }
        _ => {
            let end = (at + random.below(64)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let place = random.below(bytes.len());
            bytes.splice(place..place, piece);
        }
    }
}

fn check(bytes: &[u8]) -> bool {
    let Ok(header) = gguf::read::parse(bytes, Path::new("seed.gguf")) else { return false };
    assert!(header.tensors.iter().all(|tensor| tensor.n_bytes() <= bytes.len() as u64));
    GgufWriter::new(Vec::new(), &header.metadata, header.tensors)
        .expect("what was read can be written");
    true
}

#[test]
fn mutated_seeds_are_survived() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut read = 0;
    for entry in std::fs::read_dir(seeds()).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        check(&seed);
        for _ in 0..MUTATIONS {
            let mut bytes = seed.clone();
            for _ in 0..=random.below(4) {
                if !bytes.is_empty() {
                    mutate(&mut bytes, &mut random);
                }
            }
            read += usize::from(check(&bytes));
        }
    }
    assert!(read > MUTATIONS / 10, "too few mutations get past the first checks: {read}");
}

/// Writes the seeds anew: `cargo test -p pacemark-modelfile --test seeds -- --ignored`.
#[test]
#[ignore = "writes to the source tree"]
fn write_seeds() {
    use pacemark_modelfile::{Metadata, Value, write_gguf};
    let empty = Metadata::new();
    let mut aligned = Metadata::new();
    aligned
        .set("general.alignment", Value::U32(64))
        .set("split.count", Value::U16(2))
        .set("split.no", Value::U16(0));
    let mut version_2 = common::small_model();
    version_2[4] = 2;
    for (name, bytes) in [
        ("every-value", common::small_model()),
        ("version-2", version_2),
        ("empty", write_gguf::<_, Vec<u8>>(Vec::new(), &empty, &[]).unwrap()),
        ("aligned", write_gguf(Vec::new(), &aligned, &common::some_tensors()).unwrap()),
    ] {
        std::fs::write(seeds().join(format!("{name}.gguf")), bytes).unwrap();
    }
}
