//! Whether a load that goes on until its rate is known has gone on long enough. It is judged on a
//! thread of its own, now and then, so that judging delays no request.

use super::collect::Results;
use super::{Bounds, Shape};
use pacemark_record::{Trial, Until};
use serde_json::{Map, Value};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// How often it is looked whether there is more to judge.
const NAP: Duration = Duration::from_millis(100);

/// So much more than the last time is worth another look.
const GROWTH: f64 = 1.1;

/// What decides when a load has lasted long enough.
pub(super) struct Judge {
    until: Until,
    least: u64,
    /// By which the steady window is found.
    params: Map<String, Value>,
}

impl Judge {
    /// Of a load with these bounds; [`None`] where they do not ask for one.
    pub(super) fn new(bounds: &Bounds, shape: &Shape) -> Option<Judge> {
        let params = match shape {
            Shape::Closed { concurrency } => {
                Map::from_iter([("concurrency".to_owned(), (*concurrency).into())])
            }
            Shape::Open { .. } => Map::new(),
        };
        Some(Judge { until: bounds.until?, least: bounds.requests.unwrap_or(1), params })
    }

    /// Sets `enough` when what has ended so far says so; returns when it has, or at `over`.
    pub(super) fn watch(self, results: &Mutex<Results>, enough: &AtomicBool, over: &AtomicBool) {
        let mut next = self.least as f64;
        while !over.load(Relaxed) {
            let requests = {
                let results = results.lock().unwrap_or_else(|e| e.into_inner());
                let n = results.requests.len() as f64;
                (n >= next).then(|| results.requests.clone())
            };
            let Some(requests) = requests else {
                std::thread::sleep(NAP);
                continue;
            };
            next = requests.len() as f64 * GROWTH;
            // Without an answer there is no rate, however long it goes on.
            if requests.iter().all(|request| !request.is_ok()) {
                enough.store(true, Relaxed);
                return;
            }
            let trial = Trial {
                params: self.params.clone(),
                measured: requests.into(),
                ..Trial::default()
            };
            if self.until.is_met(trial.steady().and_then(|steady| steady.half_width())) {
                enough.store(true, Relaxed);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::{Failure, FailureKind, Request};

    const FAILS: u64 = 0;

    /// Whether `n` answers of ten tokens, one after the other on one stream, are enough. Every
    /// other gap is `odd` times as long; where that is [`FAILS`] none is answered.
    fn is_enough(n: u64, least: u64, odd: u64) -> bool {
        let mut at = 0;
        let requests = (0..n).map(|i| {
            let sent_ns = at;
            let gap = 1_000_000 * if i / 8 % 2 == 0 { 1 } else { odd };
            let chunks_ns: Vec<u64> = (1..=10).map(|token| sent_ns + token * gap).collect();
            at = chunks_ns[9];
            let failure = (odd == FAILS)
                .then(|| Failure { kind: FailureKind::Refused, message: String::new() });
            Request {
                scheduled_ns: sent_ns,
                sent_ns,
                chunks_ns,
                end_ns: at,
                failure,
                ..Request::default()
            }
        });
        let results = Mutex::new(Results { requests: requests.collect(), ..Results::default() });
        let until = Until { relative: 0.02, max_time: Duration::from_secs(1) };
        let bounds = Bounds { requests: Some(least), duration: None, until: Some(until) };
        let judge = Judge::new(&bounds, &Shape::Closed { concurrency: 1 }).unwrap();
        let (enough, over) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let judged = scope.spawn(|| judge.watch(&results, &enough, &over));
            // It naps for want of more, or has returned.
            std::thread::sleep(2 * NAP);
            over.store(true, Relaxed);
            judged.join().unwrap();
        });
        enough.load(Relaxed)
    }

    #[test]
    fn a_steady_rate_is_enough_and_a_wild_one_is_not() {
        assert!(is_enough(100, 64, 1));
        assert!(!is_enough(100, 64, 9), "its interval is wide");
        assert!(!is_enough(50, 64, 1), "there are too few");
        assert!(is_enough(100, 64, FAILS), "failures are not gone on with");
    }

    #[test]
    fn without_a_width_nobody_judges() {
        let shape = Shape::Closed { concurrency: 1 };
        assert!(Judge::new(&Bounds::default(), &shape).is_none());
    }
}
