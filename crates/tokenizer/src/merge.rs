//! The merge loop that both kinds of BPE share: while any two neighbours can be merged, merge the
//! pair that comes first by priority, and of equals the leftmost.
//!
//! Words are short, so the pair is found by looking at all of them; long pieces (a run of 10 MB
//! without a place to cut) use a heap and a linked list, O(n log n). Both give the same symbols: a
//! test holds them together.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// No token has this id.
pub(crate) const NO_ID: u32 = u32::MAX;

/// Longest piece that is merged by looking at every pair.
const SHORT: usize = 24;

/// A stretch of the piece that is one symbol now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// Its token, or [`NO_ID`].
    pub id: u32,
    /// Where it starts in the piece.
    pub start: u32,
    /// Its length in bytes; 0 once it was merged into its left neighbour.
    pub len: u32,
}

/// What merging two neighbours would give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Merge {
    /// Lower is earlier.
    pub priority: u32,
    /// The token the pair becomes.
    pub id: u32,
}

/// Buffers, kept from piece to piece.
#[derive(Default)]
pub(crate) struct Merger {
    pairs: Vec<Option<Merge>>,
    heap: BinaryHeap<Reverse<Candidate>>,
    links: Vec<Link>,
}

/// A pair that could be merged when it was seen. Ordered by priority, then by place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    priority: u32,
    left: u32,
    /// Bytes of both: a symbol only ever grows or dies, so another sum tells that the pair is no
    /// more.
    len: u32,
    id: u32,
}

#[derive(Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
}

/// No neighbour on that side.
const NONE: u32 = u32::MAX;

impl Merger {
    /// Merges `symbols`, which lie side by side, until no pair is left that `find` knows.
    pub(crate) fn run(
        &mut self,
        symbols: &mut Vec<Symbol>,
        find: impl Fn(Symbol, Symbol) -> Option<Merge>,
    ) {
        if symbols.len() <= SHORT { self.scan(symbols, find) } else { self.queue(symbols, find) }
    }

    fn scan(&mut self, symbols: &mut Vec<Symbol>, find: impl Fn(Symbol, Symbol) -> Option<Merge>) {
        self.pairs.clear();
        self.pairs.extend(symbols.windows(2).map(|pair| find(pair[0], pair[1])));
        loop {
            let found = self
                .pairs
                .iter()
                .enumerate()
                .filter_map(|(at, pair)| Some((pair.as_ref()?.priority, at)));
            let Some((_, left)) = found.min() else { return };
            let Some(merge) = self.pairs.remove(left) else { return };
            let right = symbols.remove(left + 1);
            symbols[left] =
                Symbol { id: merge.id, len: symbols[left].len + right.len, ..symbols[left] };
            if left > 0 {
                self.pairs[left - 1] = find(symbols[left - 1], symbols[left]);
            }
            if left < self.pairs.len() {
                self.pairs[left] = find(symbols[left], symbols[left + 1]);
            }
        }
    }

    fn queue(&mut self, symbols: &mut Vec<Symbol>, find: impl Fn(Symbol, Symbol) -> Option<Merge>) {
        let candidate = |symbols: &[Symbol], left: u32, right: u32| {
            let (a, b) = (symbols[left as usize], symbols[right as usize]);
            find(a, b).map(|m| {
                Reverse(Candidate { priority: m.priority, left, len: a.len + b.len, id: m.id })
            })
        };
        let last = symbols.len() as u32 - 1;
        let link = |at: u32| Link {
            previous: at.wrapping_sub(1),
            next: if at == last { NONE } else { at + 1 },
        };
        self.links.clear();
        self.links.extend((0..=last).map(link));
        // Most pairs that are there at the start go stale, and a sorted list is passed over faster
        // than a heap is emptied.
        let mut seeds: Vec<_> =
            (0..last).filter_map(|left| candidate(symbols, left, left + 1)).collect();
        seeds.sort_unstable_by(|a, b| b.cmp(a));
        let mut seeds = seeds.into_iter().peekable();
        loop {
            let is_seed =
                seeds.peek().is_some_and(|seed| self.heap.peek().is_none_or(|top| seed > top));
            let next = if is_seed { seeds.next() } else { self.heap.pop() };
            let Some(Reverse(Candidate { left, len, id, .. })) = next else { break };
            let (l, right) = (left as usize, self.links[left as usize].next);
            if symbols[l].len == 0
                || right == NONE
                || symbols[l].len + symbols[right as usize].len != len
            {
                continue;
            }
            symbols[l] = Symbol { id, len, ..symbols[l] };
            symbols[right as usize].len = 0;
            let Link { next, .. } = self.links[right as usize];
            let Link { previous, .. } = self.links[l];
            self.links[l].next = next;
            if next != NONE {
                self.links[next as usize].previous = left;
                self.heap.extend(candidate(symbols, left, next));
            }
            if previous != NONE {
                self.heap.extend(candidate(symbols, previous, left));
            }
        }
        symbols.retain(|symbol| symbol.len > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Symbols of one byte each; two merge when the sum of their ids is a known "token".
    fn symbols(ids: &[u32]) -> Vec<Symbol> {
        ids.iter()
            .enumerate()
            .map(|(start, &id)| Symbol { id, start: start as u32, len: 1 })
            .collect()
    }

    fn find(modulus: u32) -> impl Fn(Symbol, Symbol) -> Option<Merge> {
        move |a, b| {
            let mixed = a.id.wrapping_mul(31).wrapping_add(b.id.wrapping_mul(17)) % modulus;
            (mixed < modulus / 2).then_some(Merge { priority: mixed % 5, id: mixed })
        }
    }

    proptest! {
        #[test]
        fn both_ways_give_the_same(ids in prop::collection::vec(0_u32..40, 1..80), modulus in 2_u32..50) {
            let (mut short, mut long) = (symbols(&ids), symbols(&ids));
            let mut merger = Merger::default();
            merger.scan(&mut short, find(modulus));
            merger.queue(&mut long, find(modulus));
            prop_assert_eq!(&short, &long);
            prop_assert_eq!(short.iter().map(|s| s.len as usize).sum::<usize>(), ids.len());
        }
    }

    #[test]
    fn equals_are_merged_from_the_left() {
        let pair =
            |a: Symbol, b: Symbol| (a.id == 1 && b.id == 1).then_some(Merge { priority: 0, id: 2 });
        let mut list = symbols(&[1; 5]);
        Merger::default().run(&mut list, pair);
        assert_eq!(list.iter().map(|s| s.id).collect::<Vec<_>>(), [2, 2, 1]);
        let mut list = symbols(&[1; 101]);
        Merger::default().run(&mut list, pair);
        assert_eq!((list.len(), list[50].id), (51, 1));
    }
}
