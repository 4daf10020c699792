//! What workers were used for, in numbers that only grow: a caller takes one before and one after
//! what it measures.

use crate::Endpoint;

/// Of all workers, since the relays were started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In the order in which they were given.
    pub workers: Vec<WorkerUsage>,
    /// Time in which at least one worker had its turn, in nanoseconds: the union of the turns.
    /// What is not in it was the caller's own.
    pub away_ns: u64,
}

/// Of one worker.
///
/// A *turn* begins with the first byte of the first command since the last answer that moves a
/// tensor or computes a graph, and ends with the last byte of an answer, as it is handed to llama.cpp.
/// What only allocates, frees, clears or asks begins none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerUsage {
    /// Which.
    pub endpoint: Endpoint,
    /// Bytes to it, with the protocol's own and without TCP's.
    pub sent_bytes: u64,
    /// Bytes from it, likewise.
    pub received_bytes: u64,
    /// Commands that were sent whole.
    pub commands: u64,
    /// Those that were answered.
    pub round_trips: u64,
    /// Graphs it was given to compute.
    pub graphs: u64,
    /// Time of its turns, in nanoseconds.
    pub turn_ns: u64,
    /// What of them its machine took, in nanoseconds, as its gate measured it: from the last byte
    /// of the first graph since the last answer (or of what is answered, where there is none) to
    /// the answer's first byte. `None` where no gate stands before the worker. It counts whoever
    /// uses the worker, which is us alone as long as our connection is open.
    pub computing_ns: Option<u64>,
}

impl WorkerUsage {
    /// What of its turns the way took, there and back, with relay and gate, in nanoseconds.
    pub fn network_ns(&self) -> Option<u64> {
        Some(self.turn_ns.saturating_sub(self.computing_ns?))
    }
}

impl Usage {
    /// What came to this since `earlier`, a usage of the same relays.
    pub fn since(&self, earlier: &Usage) -> Usage {
        let mut workers = self.workers.clone();
        for (now, then) in workers.iter_mut().zip(&earlier.workers) {
            now.sent_bytes = now.sent_bytes.saturating_sub(then.sent_bytes);
            now.received_bytes = now.received_bytes.saturating_sub(then.received_bytes);
            now.commands = now.commands.saturating_sub(then.commands);
            now.round_trips = now.round_trips.saturating_sub(then.round_trips);
            now.graphs = now.graphs.saturating_sub(then.graphs);
            now.turn_ns = now.turn_ns.saturating_sub(then.turn_ns);
            now.computing_ns =
                now.computing_ns.zip(then.computing_ns).map(|(n, t)| n.saturating_sub(t));
        }
        Usage { workers, away_ns: self.away_ns.saturating_sub(earlier.away_ns) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(n: u64, computing_ns: Option<u64>) -> Usage {
        let worker = WorkerUsage {
            endpoint: Endpoint { host: "worker".into(), port: 1 },
            sent_bytes: n,
            received_bytes: 2 * n,
            commands: 3 * n,
            round_trips: 4 * n,
            graphs: 5 * n,
            turn_ns: 6 * n,
            computing_ns,
        };
        Usage { workers: vec![worker], away_ns: 7 * n }
    }

    #[test]
    fn since_is_the_difference_of_every_field() {
        let grown = usage(10, Some(5)).since(&usage(4, Some(2)));
        assert_eq!(grown, usage(6, Some(3)));
        assert_eq!(grown.workers[0].network_ns(), Some(33));
        assert_eq!(usage(10, Some(5)).since(&usage(4, None)), usage(6, None));
        assert_eq!(usage(1, None).workers[0].network_ns(), None);
    }
}
