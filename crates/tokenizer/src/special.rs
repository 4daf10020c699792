//! Finds special tokens in a text, before anything else looks at it.
//!
//! llama.cpp takes the tokens one after the other, longest first, and cuts each of them out of what
//! text is left, from left to right. With Gemma's 6 400 special tokens that is 6 400 searches
//! through the text. Here one pass finds the longest token at each place, and only where such finds
//! overlap are they settled by the same order; a test compares the two.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// A set of tokens to look for.
#[derive(Default)]
pub(crate) struct SpecialTokens {
    /// Ascending by text; no text twice.
    tokens: Vec<(Box<str>, u32)>,
    /// For each first byte, its range in `tokens`.
    by_first: Vec<Range<usize>>,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fragment {
    /// Text without special tokens.
    Text(Range<usize>),
    /// A special token.
    Token(u32),
}

/// A token at a place. The order is the one in which finds are settled: the longest first, then by
/// id, then by place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    len: Reverse<usize>,
    id: u32,
    start: usize,
}

impl Found {
    fn range(&self) -> Range<usize> {
        self.start..self.start + self.len.0
    }
}

impl SpecialTokens {
    /// To look for `tokens`: texts and ids. Empty texts are passed over; of equal texts the lowest
    /// id counts.
    pub(crate) fn new<'t>(tokens: impl Iterator<Item = (&'t str, u32)>) -> SpecialTokens {
        let mut tokens: Vec<(Box<str>, u32)> = tokens
            .filter(|(text, _)| !text.is_empty())
            .map(|(text, id)| (text.into(), id))
            .collect();
        tokens.sort_unstable();
        tokens.dedup_by(|b, a| a.0 == b.0);
        let first = |byte: u8| {
            let start = tokens.partition_point(|(text, _)| text.as_bytes()[0] < byte);
            start..start + tokens[start..].partition_point(|(text, _)| text.as_bytes()[0] == byte)
        };
        let by_first = (0..=255).map(first).collect();
        SpecialTokens { tokens, by_first }
    }

    /// Cuts `text` into special tokens and the text between them.
    pub(crate) fn partition(&self, text: &str) -> Vec<Fragment> {
        let mut fragments = Vec::new();
        let mut end = 0;
        for found in self.find_all(text.as_bytes()) {
            if end < found.start {
                fragments.push(Fragment::Text(end..found.start));
            }
            fragments.push(Fragment::Token(found.id));
            end = found.range().end;
        }
        if end < text.len() {
            fragments.push(Fragment::Text(end..text.len()));
        }
        fragments
    }

    /// The finds that stand, from left to right.
    fn find_all(&self, text: &[u8]) -> Vec<Found> {
        let mut settled = Vec::new();
        if self.tokens.is_empty() {
            return settled;
        }
        let mut cluster: Vec<Found> = Vec::new();
        let mut cluster_end = 0;
        for start in 0..text.len() {
            let Some(found) = self.longest(text, start, usize::MAX) else { continue };
            if start >= cluster_end {
                self.settle(text, &mut cluster, &mut settled);
            }
            cluster_end = cluster_end.max(found.range().end);
            cluster.push(found);
        }
        self.settle(text, &mut cluster, &mut settled);
        settled
    }

    /// Decides which of the overlapping finds in `cluster` stand, and empties it.
    fn settle(&self, text: &[u8], cluster: &mut Vec<Found>, settled: &mut Vec<Found>) {
        let (Some(first), n_settled) = (cluster.first().copied(), settled.len()) else { return };
        if cluster.len() == 1 {
            settled.append(cluster);
            return;
        }
        let end = cluster.iter().map(|found| found.range().end).max().unwrap_or(first.start);
        let mut taken = vec![false; end - first.start];
        // In order: those of the cluster, and from `shorter` what steps in for a find whose end was
        // taken.
        cluster.sort_unstable();
        let mut queue = cluster.drain(..).peekable();
        let mut shorter = BinaryHeap::new();
        loop {
            let next = match (queue.peek(), shorter.peek()) {
                (Some(found), Some(Reverse(other))) if other < found => {
                    shorter.pop().map(|Reverse(found)| found)
                }
                (Some(_), _) => queue.next(),
                (None, _) => shorter.pop().map(|Reverse(found)| found),
            };
            let Some(found) = next else { break };
            let Range { start, end } = found.range();
            let (start, end) = (start - first.start, end - first.start);
            if taken[start] {
                continue;
            }
            // What was taken before is at least as long, so it covers this one's last byte if it
            // covers any.
            if taken[end - 1] {
                shorter.extend(self.longest(text, found.start, found.len.0 - 1).map(Reverse));
                continue;
            }
            taken[start..end].fill(true);
            settled.push(found);
        }
        drop(queue);
        settled[n_settled..].sort_unstable_by_key(|found| found.start);
    }

    /// The first token at or after `from`, the longest of those that start there: Hugging Face's
    /// order.
    pub(crate) fn first(&self, text: &str, from: usize) -> Option<(Range<usize>, u32)> {
        if self.tokens.is_empty() {
            return None;
        }
        let found = (from..text.len())
            .find_map(|start| self.longest(text.as_bytes(), start, usize::MAX))?;
        Some((found.range(), found.id))
    }

    /// The longest token at `start` that has at most `max_len` bytes.
    fn longest(&self, text: &[u8], start: usize, max_len: usize) -> Option<Found> {
        let mut range = self.by_first[usize::from(text[start])].clone();
        let mut found = None;
        // `range` holds the tokens that begin with the `len` bytes seen so far; the one that is no
        // longer is its first.
        let mut len = 1;
        while !range.is_empty() {
            let (token, id) = &self.tokens[range.start];
            if token.len() == len {
                found = Some(Found { len: Reverse(len), id: *id, start });
                range.start += 1;
            }
            let Some(&byte) = text.get(start + len).filter(|_| len < max_len) else { break };
            let tokens = &self.tokens[range.clone()];
            let at = |(token, _): &(Box<str>, u32)| token.as_bytes()[len];
            // Most often all go on with the byte (a run of newlines) or none does.
            let is_all = |tokens: &[(Box<str>, u32)]| {
                tokens.first().is_none_or(|first| at(first) == byte)
                    && tokens.last().is_none_or(|last| at(last) == byte)
            };
            if !is_all(tokens) {
                let from = tokens.partition_point(|token| at(token) < byte);
                let n = tokens[from..].partition_point(|token| at(token) == byte);
                range = range.start + from..range.start + from + n;
            }
            len += 1;
        }
        found.filter(|found| found.len.0 <= max_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// llama.cpp's way: each token in turn, longest first.
    fn one_by_one(tokens: &[(String, u32)], text: &str) -> Vec<Fragment> {
        let mut order: Vec<_> = tokens.iter().filter(|(token, _)| !token.is_empty()).collect();
        order.sort_by_key(|(token, id)| (Reverse(token.len()), *id));
        let mut fragments = vec![Fragment::Text(0..text.len())];
        for (token, id) in order {
            let cut = |fragment| {
                let Fragment::Text(mut range) = fragment else { return vec![fragment] };
                let mut parts = Vec::new();
                while let Some(at) = text[range.clone()].find(token.as_str()) {
                    parts.extend([
                        Fragment::Text(range.start..range.start + at),
                        Fragment::Token(*id),
                    ]);
                    range.start += at + token.len();
                }
                parts.push(Fragment::Text(range));
                parts
            };
            fragments = fragments.into_iter().flat_map(cut).collect();
        }
        fragments.retain(|fragment| !matches!(fragment, Fragment::Text(range) if range.is_empty()));
        fragments
    }

    fn partition(tokens: &[(String, u32)], text: &str) -> Vec<Fragment> {
        SpecialTokens::new(tokens.iter().map(|(token, id)| (token.as_str(), *id))).partition(text)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn same_as_one_by_one(texts in prop::collection::hash_set("[ab<é]{0,5}", 0..8), text in "[ab<é]{0,40}") {
            let tokens: Vec<_> = texts.into_iter().zip(0..).collect();
            prop_assert_eq!(partition(&tokens, &text), one_by_one(&tokens, &text));
        }
    }

    #[test]
    fn the_longest_wins_even_when_it_starts_later() {
        let tokens = [("ab".to_string(), 0), ("bcd".to_string(), 1), ("a".to_string(), 2)];
        assert_eq!(partition(&tokens, "abcd"), [Fragment::Token(2), Fragment::Token(1)]);
        assert_eq!(partition(&tokens, "xab"), [Fragment::Text(0..1), Fragment::Token(0)]);
        assert_eq!(partition(&[], "x"), [Fragment::Text(0..1)]);
        assert_eq!(partition(&tokens, ""), []);
    }

    #[test]
    fn a_long_run_is_settled_quickly() {
        let tokens: Vec<_> = (1..32).map(|n| ("\n".repeat(n), n as u32)).collect();
        let fragments = partition(&tokens, &"\n".repeat(31 * 3000 + 5));
        assert_eq!((fragments.len(), fragments.last()), (3001, Some(&Fragment::Token(5))));
    }
}
