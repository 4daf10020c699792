//! Where the whole process's time went, from its start to its exit.

use crate::process;
use pacemark_record::Request;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Consecutive stages of the process.
pub(super) struct Breakdown {
    last: Instant,
    stages: Vec<(String, Duration)>,
}

impl Breakdown {
    /// Begins at the call; what passed since the process was created is the stage `start`, in steps
    /// of 10 ms.
    pub(super) fn start() -> Breakdown {
        let before = process::age();
        Breakdown {
            last: Instant::now(),
            stages: before.map(|time| ("start".to_owned(), time)).into_iter().collect(),
        }
    }

    /// Ends the stage that ran since the last mark.
    pub(super) fn mark(&mut self, stage: &str) {
        let now = Instant::now();
        self.stages.push((stage.to_owned(), now - self.last));
        self.last = now;
    }

    /// Ends the generation: the engine's account of it, and what is left for events and output.
    pub(super) fn generated(&mut self, request: &Request) {
        let now = Instant::now();
        let mut left = now - self.last;
        for (phase, ns) in &request.phases_ns {
            let time = Duration::from_nanos(*ns);
            self.stages.push((phase.clone(), time));
            left = left.saturating_sub(time);
        }
        self.stages.push(("output".to_owned(), left));
        self.last = now;
    }

    /// `start_ms` and so on, in order, and `whole_ms`.
    pub(super) fn facts(&self) -> Map<String, Value> {
        let whole = self.stages.iter().map(|(_, time)| *time).sum();
        let stages = self.stages.iter().map(|(stage, time)| (stage.as_str(), *time));
        let all = stages.chain([("whole", whole)]);
        all.map(|(stage, time)| (format!("{stage}_ms"), json!(time.as_secs_f64() * 1e3))).collect()
    }
}
