//! Fuzzing without a nightly compiler: each target gets its seeds, mutated, for some seconds, as
//! many targets at a time as there are processors.
//!
//! `mutate SECONDS [TARGET [SEED]]`. What a target is given depends on the seed alone, which is
//! printed: a run that was ended by the system (a stack or a memory that was exhausted) can be
//! repeated. An input on which a target panics is kept in `artifacts/TARGET`.

use pacemark_fuzz::{FuzzTarget, TARGETS};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// No input grows beyond this.
const LONGEST: usize = 1 << 16;
/// Numbers that lengths and counts go wrong at.
const NUMBERS: [u64; 8] =
    [0, 1, 0x7f, 0x80, 0xffff, 0x7fff_ffff, 0x8000_0000, 0x7fff_ffff_ffff_ffff];
/// What texts go wrong at.
const WORDS: [&str; 12] =
    ["{", "}", "[", "]", "\"", "\\", "\n", "null", "-1", "1e999", "\u{10ffff}", "{% for x in "];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok());
    let Some(time) = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()) else {
        eprintln!("usage: mutate SECONDS [TARGET [SEED]]");
        return ExitCode::from(2);
    };
    let only = arguments.next();
    let chosen: Vec<&FuzzTarget> =
        TARGETS.iter().filter(|(name, _)| only.as_deref().is_none_or(|o| o == *name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("no such target; there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos() as u64);
    let seed = arguments.next().and_then(|text| text.parse().ok()).unwrap_or_else(now);
    if run_all(&chosen, time, seed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs each target on a processor of its own; whether all held. Each has the stack of a thread,
/// which is less than a program's and what a server's requests have.
fn run_all(targets: &[&FuzzTarget], time: Duration, seed: u64) -> bool {
    let (next, fine) = (AtomicUsize::new(0), AtomicBool::new(true));
    let work = || {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            if !run(target, time, seed) {
                fine.store(false, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |n| n.get()) {
            scope.spawn(work);
        }
    });
    fine.into_inner()
}

/// Runs a target on mutations of its seeds; whether it held.
fn run((name, target): &FuzzTarget, time: Duration, seed: u64) -> bool {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = read_seeds(&here.join("seeds").join(name));
    assert!(!seeds.is_empty(), "{name} has no seeds");
    println!("{name}: {} seeds, seed {seed}", seeds.len());
    let mut random = Random(seed);
    let (begun, mut n) = (Instant::now(), 0u64);
    while begun.elapsed() < time {
        let input = random.mutated(&seeds);
        if catch_unwind(|| target(&input)).is_err() {
            let kept = keep(&here.join("artifacts").join(name), &input);
            println!("{name}: panicked on input {n}, kept as {}", kept.display());
            return false;
        }
        n += 1;
    }
    println!("{name}: {n} inputs");
    true
}

fn read_seeds(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort(); // as the seed expects
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

fn keep(folder: &Path, input: &[u8]) -> PathBuf {
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3) // FNV-1a
    });
    let path = folder.join(format!("mutated-{hash:016x}"));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, input));
    written.expect("a folder that can be written to");
    path
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, or 0.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// A part of `bytes`, mostly a short one.
    fn part<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let from = self.below(bytes.len() + 1);
        let longest = if self.below(4) == 0 { bytes.len() } else { 16 };
        let n = self.below(longest + 1);
        &bytes[from..bytes.len().min(from + n)]
    }

    /// One of the seeds with up to eight changes.
    fn mutated(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..self.below(8) + 1 {
            self.change(&mut bytes, seeds);
            bytes.truncate(LONGEST);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let end = bytes.len().min(at + self.below(16) + 1);
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.next() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => {
                let own = self.part(bytes).to_vec();
                bytes.splice(at..at, own);
            }
            5 => {
                let other = &seeds[self.below(seeds.len())];
                let other = self.part(other).to_vec();
                bytes.splice(at..end, other);
            }
            6 => {
                let number = NUMBERS[self.below(NUMBERS.len())].to_le_bytes();
                let width = [1, 2, 4, 8][self.below(4)];
                let end = bytes.len().min(at + width);
                bytes.splice(at..end, number[..width].iter().copied());
            }
            7 => {
                let word = WORDS[self.below(WORDS.len())];
                let n = if self.below(64) == 0 { 1000 } else { 1 };
                bytes.splice(at..at, word.repeat(n).into_bytes());
            }
            _ => bytes.extend((0..self.below(8)).map(|i| i as u8)),
        }
    }
}
