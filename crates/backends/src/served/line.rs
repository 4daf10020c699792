//! The line of those who wait for a batch: first come, first served within a class, and nobody waits
//! for ever.

use super::desk::Request;
use pacemark_backend::Priority;
use std::collections::VecDeque;

/// Interactive requests that may go before a batch request that is first in its line, as a
/// scheduler's service has it by default.
const MAX_OVERTAKES: usize = 64;

/// Waiting requests.
#[derive(Default)]
pub(super) struct Line {
    interactive: VecDeque<Request>,
    batch: VecDeque<Request>,
    /// Interactive requests that went before the first batch request since it became first.
    n_overtaken: usize,
}

impl Line {
    /// Requests in it.
    pub(super) fn len(&self) -> usize {
        self.interactive.len() + self.batch.len()
    }

    /// Puts a request at the end of its class.
    pub(super) fn push(&mut self, request: Request) {
        match request.request.priority {
            Priority::Interactive => self.interactive.push_back(request),
            Priority::Batch => self.batch.push_back(request),
        }
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Request> {
        if self.interactive.is_empty() || self.n_overtaken >= MAX_OVERTAKES {
            self.n_overtaken = 0;
            if let Some(request) = self.batch.pop_front() {
                return Some(request);
            }
        }
        self.n_overtaken += usize::from(!self.batch.is_empty());
        self.interactive.pop_front()
    }

    /// Forgets a request, if it is here.
    pub(super) fn remove(&mut self, id: u64) {
        if self.batch.front().is_some_and(|first| first.id == id) {
            self.n_overtaken = 0;
        }
        self.interactive.retain(|request| request.id != id);
        self.batch.retain(|request| request.id != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_backend::GenerateRequest;
    use std::time::Instant;

    fn request(id: u64, priority: Priority) -> Request {
        let request = GenerateRequest { priority, ..GenerateRequest::default() };
        Request { id, at: Instant::now(), request, sink: Box::new(|_| {}) }
    }

    #[test]
    fn interactive_requests_go_first_until_one_has_waited_long_enough() {
        let mut line = Line::default();
        line.push(request(1000, Priority::Batch));
        line.push(request(1001, Priority::Batch));
        let n = MAX_OVERTAKES as u64;
        (0..n + 2).for_each(|id| line.push(request(id, Priority::Interactive)));
        line.remove(7);
        assert_eq!(line.len(), n as usize + 3);
        let order: Vec<u64> = std::iter::from_fn(|| line.pop()).map(|request| request.id).collect();
        let first = (0..=n).filter(|id| *id != 7);
        assert_eq!(order, first.chain([1000, n + 1, 1001]).collect::<Vec<_>>());
        assert_eq!(line.len(), 0);
    }

    #[test]
    fn who_becomes_first_has_not_been_overtaken_yet() {
        let mut line = Line::default();
        line.push(request(1000, Priority::Batch));
        line.push(request(1001, Priority::Batch));
        let n = MAX_OVERTAKES as u64;
        (0..n + 1).for_each(|id| line.push(request(id, Priority::Interactive)));
        (0..n).for_each(|id| assert_eq!(line.pop().map(|request| request.id), Some(id)));
        line.remove(1000);
        assert_eq!(line.pop().map(|request| request.id), Some(n));
        assert_eq!(line.pop().map(|request| request.id), Some(1001));
    }
}
