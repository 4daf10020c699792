//! Where the whole process's time went, from its start to when it shows what it measured.

use crate::process;
use pacemark_record::Trial;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// The parts that only the command knows.
pub(super) struct Spent {
    /// From the process's creation until [`Spent::begin`], where the system tells.
    start: Option<Duration>,
    began: Instant,
    load: Duration,
}

impl Spent {
    /// Begins at the call.
    pub(super) fn begin() -> Spent {
        Spent { start: process::age(), began: Instant::now(), load: Duration::ZERO }
    }

    /// Loads, and takes the time.
    pub(super) fn load<T>(&mut self, load: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let loaded = load();
        self.load = began.elapsed();
        loaded
    }

    /// `start_ms` and so on until now, what is left as `rest_ms`, and their sum, `whole_ms`.
    pub(super) fn facts(&self, trial: &Trial) -> Map<String, Value> {
        stages(self.start, self.began.elapsed(), self.load, trial)
    }
}

/// The stages of a process that ran for `start` and then `ran`.
fn stages(
    start: Option<Duration>,
    ran: Duration,
    load: Duration,
    trial: &Trial,
) -> Map<String, Value> {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let warmup = Duration::from_nanos(trial.warmup.elapsed_ns.iter().sum());
    let mut within = vec![("load".to_owned(), load), ("warmup".to_owned(), warmup)];
    for (phase, ns) in trial.requests().iter().flat_map(|request| &request.phases_ns) {
        let time = Duration::from_nanos(*ns);
        match within.iter_mut().find(|(name, _)| name == phase) {
            Some((_, sum)) => *sum += time,
            None => within.push((phase.clone(), time)),
        }
    }
    let known: Duration = within.iter().map(|(_, time)| *time).sum();
    within.push(("rest".to_owned(), ran.saturating_sub(known)));
    let all: Vec<(String, Duration)> =
        start.map(|time| ("start".to_owned(), time)).into_iter().chain(within).collect();
    let whole: Duration = all.iter().map(|(_, time)| *time).sum();
    let all = all.into_iter().chain([("whole".to_owned(), whole)]);
    all.map(|(stage, time)| (format!("{stage}_ms"), json!(ms(time)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::{Request, Warmup};

    #[test]
    fn stages_sum_to_the_whole() {
        const MS: u64 = 1_000_000;
        let phases = |ns: u64| {
            let named = [("tokenize", 1), ("prefill", ns), ("decode", 2 * ns), ("detokenize", 2)];
            named.map(|(name, ms)| (name.to_owned(), ms * MS)).to_vec()
        };
        let request = |ns| Request { phases_ns: phases(ns), ..Request::default() };
        let warmup = Warmup { elapsed_ns: vec![20 * MS, 30 * MS], ..Warmup::default() };
        let measured = vec![request(10), request(12)].into();
        let trial = Trial { warmup, measured, ..Trial::default() };
        let time = Duration::from_millis;
        let found = stages(Some(time(10)), time(300), time(100), &trial);
        let expected = json!({ "start_ms": 10.0, "load_ms": 100.0, "warmup_ms": 50.0, "tokenize_ms": 2.0,
            "prefill_ms": 22.0, "decode_ms": 44.0, "detokenize_ms": 4.0, "rest_ms": 78.0, "whole_ms": 310.0 });
        let names: Vec<&String> = found.keys().collect();
        assert_eq!(names, expected.as_object().unwrap().keys().collect::<Vec<_>>());
        for (name, ms) in &found {
            let (ms, expected) = (ms.as_f64().unwrap(), expected[name].as_f64().unwrap());
            assert!((ms - expected).abs() < 1e-9, "{name}: {ms}");
        }
    }
}
