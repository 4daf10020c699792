//! Files and flags that a load reads, from any hand: the fuzz target's seeds, mutated.

mod inputs;

use pacemark_testmodel::long;
use std::path::Path;

/// A bounded run of what `fuzz/fuzz_targets/load.rs` does without end.
#[test]
fn mutated_seeds_are_survived() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/load");
    let mut n = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        inputs::input(&seed);
        for at in 0..seed.len() {
            for byte in [b'\n', b'"', b'{', b'-', b'9', b'e', 0xff] {
                let mut mutated = seed.clone();
                mutated[at] = byte;
                inputs::input(&mutated);
                n += 1;
            }
            inputs::input(&seed[..at]);
        }
    }
    assert!(n > 1000, "{n}");
}

/// libFuzzer found the first of these within 76 seconds: a dataset that is one long string.
#[test]
fn no_refusal_repeats_a_long_string() {
    let long = long::string();
    let texts = [
        format!("\"{long}\""),
        long.clone(),
        format!("gamma:{long}"),
        format!("ttft:{long}<1s"),
        format!("http://{long}:x/"),
        format!("uniform:{long}"),
    ];
    for (kind, text) in (b'0'..b'5').flat_map(|kind| texts.iter().map(move |text| (kind, text))) {
        inputs::input(&[&[kind], text.as_bytes()].concat());
    }
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/load");
    let mut n = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let seed = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let (kind, text) = seed.split_at(1);
        for document in text.lines().filter(|line| line.starts_with(['{', '['])) {
            n +=
                long::each(document, &mut |text| inputs::input(format!("{kind}{text}").as_bytes()));
        }
    }
    assert!(n > 40, "{n}");
}
