//! One worker's part of a load that several send.

use super::{Level, Ramp};
use pacemark_record::rng::SplitMix64;

/// Number `index`, from 0, of `of` that send together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which.
    pub index: u64,
    /// Of how many.
    pub of: u64,
}

impl Share {
    /// One that sends all.
    pub const WHOLE: Share = Share { index: 0, of: 1 };

    /// Of `n` things: all shares come to `n`, and none is more than one larger than another.
    pub fn part(self, n: u64) -> u64 {
        n / self.of + u64::from(self.index < n % self.of)
    }

    /// A number of its own, derived from one that all share; that number itself for who sends all.
    /// JSON readers keep it exactly.
    pub fn derived(self, from: u64) -> u64 {
        const BITS: u64 = (1 << 48) - 1;
        if self.of == 1 {
            return from;
        }
        let mut numbers = SplitMix64::new(from);
        (0..=self.index).map(|_| numbers.next_u64()).last().unwrap_or(from) & BITS
    }

    /// Whether it has entry number `i` of a file: in turn.
    pub(super) fn has(self, i: usize) -> bool {
        i as u64 % self.of == self.index
    }

    /// A part of the load at a level.
    pub fn of_level(self, level: Level) -> Level {
        let of = self.of as f64;
        match level {
            Level::Streams(n) => Level::Streams(self.part(n as u64) as usize),
            Level::Rate(rate) => Level::Rate(rate / of),
            Level::Ramp(Ramp { from, to }) => Level::Ramp(Ramp { from: from / of, to: to / of }),
            Level::Trace => Level::Trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_to_the_whole() {
        for of in 1..9 {
            for n in 0..40 {
                let parts = (0..of).map(|index| Share { index, of }.part(n));
                let parts: Vec<u64> = parts.collect();
                assert_eq!(parts.iter().sum::<u64>(), n);
                assert!(parts.iter().max().unwrap() - parts.iter().min().unwrap() <= 1);
                let entries = (0..of)
                    .map(|index| (0..n as usize).filter(|i| Share { index, of }.has(*i)).count());
                assert_eq!(entries.map(|n| n as u64).collect::<Vec<_>>(), parts);
            }
        }
        assert_eq!(
            Share { index: 1, of: 4 }.of_level(Level::Rate(f64::INFINITY)),
            Level::Rate(f64::INFINITY)
        );
        assert_eq!(Share { index: 1, of: 4 }.of_level(Level::Streams(6)), Level::Streams(2));
    }

    #[test]
    fn each_has_numbers_of_its_own() {
        let mut seeds: Vec<u64> =
            (0..100).map(|index| Share { index, of: 100 }.derived(0)).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 100);
        assert_eq!(Share::WHOLE.derived(7), 7);
    }
}
