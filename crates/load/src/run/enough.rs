//! Whether a load that goes on until its rate is known has gone on long enough. It is judged on a
//! thread of its own, now and then, so that judging delays no request.

use super::collect::Results;
use super::{Bounds, Shape};
use pacemark_record::{Request, Trial, Until};
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
            if self.is_enough(requests) {
                enough.store(true, Relaxed);
                return;
            }
        }
    }

    /// Whether nothing more is to be learned than these requests tell.
    fn is_enough(&self, requests: Vec<Request>) -> bool {
        let Some(before) = requests.len().checked_sub(self.least.max(1) as usize) else {
            return false;
        };
        // A server that answers nothing any more has no rate, however long it is asked.
        if requests[before..].iter().all(|request| !request.is_ok()) {
            return true;
        }
        let trial =
            Trial { params: self.params.clone(), measured: requests.into(), ..Trial::default() };
        self.until.is_met(trial.steady().and_then(|steady| steady.half_width()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::{Failure, FailureKind};

    /// Answers of ten tokens, one after the other on one stream, of which those of `slow` take nine
    /// times as long.
    fn answers(n: usize, slow: impl Fn(usize) -> bool) -> Vec<Request> {
        let mut at = 0;
        let answer = |i| {
            let sent_ns = at;
            let gap = 1_000_000 * if slow(i) { 9 } else { 1 };
            let chunks_ns: Vec<u64> = (1..=10).map(|token| sent_ns + token * gap).collect();
            at = chunks_ns[9];
            Request { scheduled_ns: sent_ns, sent_ns, chunks_ns, end_ns: at, ..Request::default() }
        };
        (0..n).map(answer).collect()
    }

    fn is_enough(requests: Vec<Request>) -> bool {
        let until = Until { relative: 0.02, max_time: Duration::from_secs(1) };
        let bounds = Bounds { requests: Some(64), duration: None, until: Some(until) };
        Judge::new(&bounds, &Shape::Closed { concurrency: 1 }).unwrap().is_enough(requests)
    }

    #[test]
    fn a_steady_rate_is_enough_and_a_wild_one_is_not() {
        assert!(is_enough(answers(100, |_| false)));
        assert!(!is_enough(answers(100, |i| i / 8 % 2 == 1)), "its interval is wide");
        assert!(!is_enough(answers(50, |_| false)), "there are too few");
    }

    #[test]
    fn a_server_that_has_gone_is_not_asked_on() {
        let wild = || answers(40, |i| i / 8 % 2 == 1);
        let failure = Failure { kind: FailureKind::Refused, message: String::new() };
        let refused = Request { failure: Some(failure), ..Request::default() };
        let then = |n| wild().into_iter().chain(vec![refused.clone(); n]).collect();
        assert!(!is_enough(then(40)), "some of the last 64 were answered");
        assert!(is_enough(then(64)));
    }

    #[test]
    fn without_a_width_nobody_judges() {
        let shape = Shape::Closed { concurrency: 1 };
        assert!(Judge::new(&Bounds::default(), &shape).is_none());
    }
}
