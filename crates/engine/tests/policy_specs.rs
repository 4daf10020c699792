//! Specs of policies: any text is refused or keeps its promises; the fuzz target's seeds, mutated.

mod inputs;

use pacemark_engine::POLICIES;
use std::path::Path;

/// A bounded run of what `fuzz/fuzz_targets/policy.rs` does without end.
#[test]
fn mutated_seeds_are_survived() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/policy");
    let mut n = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        inputs::policy(&seed);
        for at in 0..seed.len() {
            for byte in [b':', b',', b'=', b'+', b'.', b'0', b'9', b'-', b'%', 0xff] {
                let mut mutated = seed.clone();
                mutated[at] = byte;
                inputs::policy(&mutated);
                n += 1;
            }
        }
    }
    assert!(n > 1000, "there are seeds");
}

#[test]
fn forms_and_numbers_keep_their_promises() {
    for entry in POLICIES {
        inputs::policy(entry.form.as_bytes());
        for size in ["1", "33", "4294967295", "0.001", "1.0", "7%", "3+5", "0.1+0.2", "0+40"] {
            for rest in ["", ",every=1", ",every=4294967295", ",skip=0-2", ",window=3", ",sink=0"] {
                inputs::policy(format!("{}:{size}{rest}", entry.name).as_bytes());
            }
        }
    }
    inputs::policy(b"l2_compress:keep=1,prune_after=1");
    inputs::policy(b"l2_compress:keep=0.000001,prune_after=2");
}
