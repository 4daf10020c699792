//! Files and flags that a load reads, from any hand: the fuzz target's seeds, mutated.

mod inputs;

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
