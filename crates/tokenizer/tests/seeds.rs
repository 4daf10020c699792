//! The seeds of the fuzz targets, and mutations of them, in every test run: the same ones each
//! time.

mod inputs;

use std::path::Path;

/// Runs `check` over the seeds in `fuzz/seeds/NAME` and over `n` mutations of each.
fn run(name: &str, n: usize, check: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let files = std::fs::read_dir(&directory)
        .unwrap()
        .map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let mut seeds: Vec<Vec<u8>> = files.collect();
    seeds.sort();
    assert!(seeds.len() >= 3, "{} has only {} seeds", directory.display(), seeds.len());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for seed in &seeds {
        check(seed);
        for _ in 0..n {
            let mut bytes = seed.clone();
            for _ in 0..1 + random(4) {
                let at = random(bytes.len());
                match random(5) {
                    0 => bytes.truncate(at),
                    1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random(8)),
                    2 => drop(bytes.drain(at..bytes.len().min(at + random(8)))),
                    3 => bytes.insert(at, b"\n 0a'{%\xff"[random(8)]),
                    _ => {
                        let other = &seeds[random(seeds.len())];
                        let from = random(other.len());
                        let part = other[from..other.len().min(from + random(40))].to_vec();
                        bytes.splice(at..at, part);
                    }
                }
            }
            check(&bytes);
        }
    }
}

#[test]
fn tokenizer() {
    run("tokenizer", 500, inputs::tokenizer);
}

#[test]
fn template() {
    run("template", 150, inputs::template);
}

#[test]
fn config_json() {
    run("config", 400, |bytes| drop(inputs::directory::config_json(bytes)));
}

#[test]
fn tokenizer_json() {
    run("tokenizer_json", 150, inputs::directory::tokenizer_json);
}
