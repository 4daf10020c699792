//! The event stream decoder: any split of any bytes gives the same events; the fuzz target's seeds,
//! mutated.

mod inputs;

use inputs::decode;
use proptest::prelude::*;
use std::path::Path;

/// Bytes that look like an event stream often enough to be one.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 12] = [
        b"data: ",
        b"data:{\"choices\":[]}",
        b"data",
        b"event: e",
        b": comment",
        b"\n",
        b"\n\n",
        b"\r",
        b"\r\n",
        b"\xef\xbb\xbf",
        "é🦀".as_bytes(),
        b"\xff\x00",
    ];
    let piece = proptest::sample::select(pieces.to_vec());
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(bytes in stream(), cuts in proptest::collection::vec(0usize..200, 0..12)) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            parts.push(&bytes[from..cut]);
            from = cut;
        }
        let whole = decode(&[&bytes]);
        prop_assert_eq!(&decode(&parts), &whole);
        let each: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&decode(&each), &whole);
    }
}

/// A bounded run of what `fuzz/fuzz_targets/sse.rs` does without end.
#[test]
fn mutated_seeds_are_survived() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/sse");
    let mut n = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        inputs::sse(&seed);
        for at in 0..seed.len() {
            for byte in [b'\n', b'\r', b':', b' ', 0xff, 0xbf] {
                let mut mutated = seed.clone();
                mutated[at] = byte;
                inputs::sse(&mutated);
                n += 1;
            }
            inputs::sse(&seed[..at]);
        }
    }
    assert!(n > 1000, "{n}");
}
