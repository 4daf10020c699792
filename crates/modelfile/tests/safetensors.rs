//! safetensors headers: what the format forbids is refused with the file and the field, and hostile
//! ones are survived.

use pacemark_modelfile::hf::safetensors::{Entry, parse};
use std::path::{Path, PathBuf};

const MUTATIONS: usize = 20_000;

/// A file of this header and as many bytes of data.
fn file(header: &str, n_data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + n_data, 7);
    bytes
}

fn read(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    parse(bytes, Path::new("m.safetensors")).map_err(|error| error.to_string())
}

fn refused(bytes: &[u8], part: &str) {
    let message = read(bytes).expect_err("a broken file was read");
    assert!(
        message.starts_with("m.safetensors: ") && message.contains(part),
        "{part:?} is not in {message:?}"
    );
}

fn tensor(name: &str, dtype: &str, shape: &str, start: u64, end: u64) -> String {
    format!(
        "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{start},{end}]}}"
    )
}

#[test]
fn whole_files_are_read_in_the_order_of_their_bytes() {
    let b = tensor("b", "BF16", "[2,3]", 4, 16);
    let (a, nothing) = (tensor("a", "F32", "[]", 0, 4), tensor("nothing", "F32", "[0,5]", 4, 4));
    let header = format!("{{\"__metadata__\":{{\"format\":\"pt\"}},{b},{a},{nothing}}}   ");
    let bytes = file(&header, 16);
    let entries = read(&bytes).unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a", "nothing", "b"]);
    assert_eq!((entries[2].dtype, &entries[2].shape[..]), ("BF16", &[2, 3][..]));
    assert_eq!(entries[2].range, bytes.len() - 12..bytes.len());
    assert_eq!(read(&file("{}", 0)).unwrap(), []);
}

#[test]
fn broken_headers_are_refused() {
    refused(b"", "header length: expected a safetensors file");
    refused(b"1234567", "a file of 7 bytes");
    refused(&[&u64::MAX.to_le_bytes()[..], b"{}"].concat(), "header length: expected at most 2");
    refused(&[&3u64.to_le_bytes()[..], b"{}"].concat(), "header length: expected at most 2");
    refused(&file("", 0), "header: expected a JSON object");
    refused(&file("[1]", 0), "header: expected a JSON object");
    refused(&file("{\"a\":1}", 0), "a: invalid type");
    refused(&file("{} x", 0), "trailing characters");
    refused(&file(&"{\"a\":".repeat(50_000), 0), "header: expected a JSON object");
    refused(&file(&format!("{{\"__metadata__\":{}", "[".repeat(50_000)), 0), "EOF while parsing");
    let a = tensor("a", "F32", "[1]", 0, 4);
    refused(&file(&format!("{{{a},{a}}}"), 4), "a second \"a\"");
    refused(&file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4), "missing field `data_offsets`");
    refused(
        &file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4),
        "unknown field `x`",
    );
    refused(
        &file("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4),
        "a: invalid value",
    );
    refused(&file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4), "a: ");
}

#[test]
fn tensors_that_do_not_fit_their_bytes_are_refused() {
    let one = |dtype, shape, start, end, n| {
        file(&format!("{{{}}}", tensor("a", dtype, shape, start, end)), n)
    };
    refused(&one("F33", "[1]", 0, 4, 4), "a: expected a dtype of BOOL, U8");
    refused(&one("F32", "[2]", 0, 4, 4), "a: expected data_offsets 8 bytes apart");
    refused(&one("F32", "[1]", 4, 0, 4), "a: expected data_offsets 4 bytes apart");
    refused(&one("F32", "[1]", 0, 8, 8), "a: expected data_offsets 4 bytes apart");
    refused(&one("F32", "[1]", 4, 8, 8), "a gap before it");
    refused(&one("F32", "[1]", 0, 4, 3), "size: expected 4 bytes of tensors");
    refused(&one("F32", "[1]", 0, 4, 5), "more than its header tells");
    refused(&one("F32", "[4294967296,4294967296]", 0, 4, 4), "a size that can be addressed");
    refused(&one("F64", "[4611686018427387904]", 0, 4, 4), "a size that can be addressed");
    let top = u64::MAX;
    refused(&one("U8", "[1]", top - 1, top, 4), "offsets within the file");
    let two = |a: String, b: String, n| file(&format!("{{{a},{b}}}"), n);
    refused(
        &two(tensor("a", "U8", "[4]", 0, 4), tensor("b", "U8", "[4]", 2, 6), 6),
        "b: expected bytes from offset 4",
    );
    refused(
        &two(tensor("a", "U8", "[4]", 0, 4), tensor("b", "U8", "[4]", 0, 4), 4),
        "bytes of the tensor before it",
    );
    refused(
        &two(tensor("a", "U8", "[4]", 0, 4), tensor("b", "U8", "[4]", 5, 9), 9),
        "b: expected bytes from offset 4",
    );
}

#[test]
fn more_tensors_than_any_model_has_are_refused() {
    let many: Vec<String> =
        (0..(1 << 17) + 1).map(|i| tensor(&i.to_string(), "U8", "[0]", 0, 0)).collect();
    refused(&file(&format!("{{{}}}", many.join(",")), 0), "more than 131072 tensors");
}

/// The fuzz target's seeds, mutated in a repeatable way.
#[test]
fn mutated_seeds_are_survived() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/safetensors");
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % limit.max(1) as u64) as usize
    };
    let (mut n_read, mut n_seeds) = (0, 0);
    for path in std::fs::read_dir(seeds).unwrap().map(|entry| -> PathBuf { entry.unwrap().path() })
    {
        let seed = std::fs::read(&path).unwrap();
        assert!(read(&seed).is_ok(), "{}", path.display());
        n_seeds += 1;
        for _ in 0..MUTATIONS {
            let mut bytes = seed.clone();
            for _ in 0..=below(3) {
                let at = below(bytes.len());
                match below(4) {
                    0 => bytes.truncate(at.max(1)),
                    1 => bytes[at] = b"0123456789[]{},:\"FBU"[below(20)],
                    2 => bytes[at] ^= 1 << below(8),
                    _ => bytes.insert(at, b"0123456789[]{},:\"FBU"[below(20)]),
                }
            }
            if let Ok(entries) = read(&bytes) {
                assert!(entries.iter().all(|entry| entry.range.end <= bytes.len()));
                n_read += 1;
            }
        }
    }
    assert!(
        n_seeds >= 2 && n_read > MUTATIONS / 100,
        "too few get past the first checks: {n_read} of {n_seeds} seeds"
    );
}

#[test]
fn no_refusal_repeats_a_long_string() {
    let header = r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#;
    let n = pacemark_testmodel::long::each(header, &mut |text| {
        let bytes = [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &[0; 4]].concat();
        if let Err(error) = parse(&bytes, Path::new("m.safetensors")) {
            assert!(
                error.to_string().len() < pacemark_testmodel::long::MESSAGE,
                "{} bytes",
                error.to_string().len()
            );
        }
    });
    assert!(n > 8, "{n}");
}
