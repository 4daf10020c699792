//! Messages found in streams that are cut anywhere, hostile lengths, and the fuzz target's seeds,
//! mutated.

mod inputs;

use inputs::marks;
use pacemark_rpc::protocol::{Command, Framing, Mark};
use std::path::Path;

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

#[test]
fn messages_do_not_depend_on_how_a_stream_is_cut() {
    let mut random = Random(7);
    for round in 0..400 {
        let commands = round % 2 == 0;
        let (mut stream, mut wanted) = (Vec::new(), Vec::new());
        for _ in 0..random.below(12) {
            let byte = Command::ALL[random.below(Command::ALL.len())] as u8;
            let length = [0, 1, 4, 8, 312, 5000][random.below(6)];
            if commands {
                stream.push(byte);
            }
            stream.extend((length as u64).to_le_bytes());
            stream.resize(stream.len() + length, byte);
            let byte = if commands { byte } else { 0 };
            let length = length as u64;
            wanted.extend([Mark::Started(byte), Mark::Sized(byte, length)]);
            wanted.push(Mark::Ended(byte, length));
        }
        let mut parts = Vec::new();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            // Mostly small, for headers are cut by those.
            let longest = [1, 3, 20, 4000][random.below(4)];
            let (part, after) = rest.split_at((1 + random.below(longest)).min(rest.len()));
            parts.push(part);
            rest = after;
        }
        let framing = if commands { Framing::of_commands() } else { Framing::of_answers() };
        assert_eq!(marks(framing, &parts), (wanted, false), "round {round}");
    }
}

#[test]
fn a_hostile_length_is_counted_and_not_kept() {
    let mut stream = vec![Command::SetTensor as u8];
    stream.extend(u64::MAX.to_le_bytes());
    stream.extend([0; 1000]);
    let (marks, is_within) = marks(Framing::of_commands(), &[&stream]);
    let byte = Command::SetTensor as u8;
    assert_eq!(marks, [Mark::Started(byte), Mark::Sized(byte, u64::MAX)]);
    assert!(is_within);
}

#[test]
fn the_first_fault_ends_it() {
    let mut framing = Framing::of_commands();
    let mut seen = 0;
    let outcome = framing.feed(&[200; 100], |_| {
        seen += 1;
        Err("no such command")
    });
    assert_eq!((outcome, seen), (Err("no such command"), 1));
}

#[test]
fn mutated_seeds_are_survived() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/rpc");
    let mut random = Random(11);
    let mut n = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        for _ in 0..2000 {
            let mut bytes = seed.clone();
            for _ in 0..random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.below(256) as u8;
            }
            bytes.truncate(1 + random.below(bytes.len()));
            inputs::framing(&bytes);
            n += 1;
        }
    }
    assert!(n >= 4000, "there are seeds");
}
