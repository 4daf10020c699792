//! The line of those who wait: first come, first served within a class, and nobody waits for ever.

use crate::request::{Class, Rank, RequestId};
use std::collections::BTreeMap;

/// Waiting requests in order of rank.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    line: BTreeMap<Rank, RequestId>,
    /// Interactive requests that went before the first batch request since it became first.
    overtaken: usize,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub rank: Rank,
    pub id: RequestId,
    /// A batch request that was overtaken often enough.
    pub overdue: bool,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.line.len()
    }

    pub(crate) fn push(&mut self, rank: Rank, id: RequestId) {
        self.line.insert(rank, id);
    }

    pub(crate) fn remove(&mut self, rank: Rank) {
        if self.first_batch() == Some(rank) {
            self.overtaken = 0;
        }
        self.line.remove(&rank);
    }

    /// Whose turn it is: the first of all; but the first batch request once `bound` others have
    /// gone before it.
    pub(crate) fn next(&self, bound: usize) -> Option<Next> {
        let overdue = self.first_batch().filter(|_| self.overtaken >= bound);
        let turn =
            overdue.and_then(|rank| self.line.get_key_value(&rank)).or(self.line.first_key_value());
        turn.map(|(&rank, &id)| Next { rank, id, overdue: overdue.is_some() })
    }

    /// Takes out the one whose turn it was.
    pub(crate) fn admit(&mut self, rank: Rank) {
        if rank.0 == Class::Interactive && self.first_batch().is_some() {
            self.overtaken += 1;
        }
        self.remove(rank);
    }

    fn first_batch(&self) -> Option<Rank> {
        self.line.range((Class::Batch, 0)..).next().map(|(rank, _)| *rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_request_is_overtaken_a_bounded_number_of_times() {
        let mut queue = Queue::default();
        queue.push((Class::Batch, 0), 100);
        queue.push((Class::Batch, 1), 101);
        let mut order = Vec::new();
        for arrival in 2..12 {
            queue.push((Class::Interactive, arrival), arrival);
            let next = queue.next(3).unwrap();
            queue.admit(next.rank);
            order.push(next.id);
        }
        assert_eq!(order, [2, 3, 4, 100, 5, 6, 7, 101, 8, 9]);
    }
}
