//! Where the whole process's time went, from its start to its exit.

use super::timings::Timings;
use crate::process;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Consecutive stages of the process.
pub(super) struct Breakdown {
    last: Instant,
    stages: Vec<(&'static str, Duration)>,
}

impl Breakdown {
    /// Begins at the call; what passed since the process was created is the stage `start`, in steps
    /// of 10 ms.
    pub(super) fn start() -> Breakdown {
        let before = process::age();
        Breakdown {
            last: Instant::now(),
            stages: before.map(|time| ("start", time)).into_iter().collect(),
        }
    }

    /// Ends the stage that ran since the last mark.
    pub(super) fn mark(&mut self, stage: &'static str) {
        let now = Instant::now();
        self.stages.push((stage, now - self.last));
        self.last = now;
    }

    /// Ends the generation: the backend's account of it, and what is left for events and output.
    pub(super) fn generated(&mut self, timings: &Timings) {
        let now = Instant::now();
        let mut left = now - self.last;
        if let Some(p) = timings.phases {
            for (stage, time) in [
                ("prefill", p.prefill),
                ("decode", p.decode),
                ("sample", p.sample),
                ("detokenize", p.detokenize),
            ] {
                self.stages.push((stage, time));
                left = left.saturating_sub(time);
            }
        }
        self.stages.push(("output", left));
        self.last = now;
    }

    fn total(&self) -> Duration {
        self.stages.iter().map(|(_, time)| *time).sum()
    }

    /// A line a stage with its share and a bar.
    pub(super) fn text(&self) -> String {
        let total = self.total().as_secs_f64().max(1e-9);
        let mut out = String::from("\nwhere the time went\n");
        for (stage, time) in &self.stages {
            let share = time.as_secs_f64() / total;
            let bar = "#".repeat((share * 40.0).round() as usize);
            let _ = writeln!(
                out,
                "  {stage:<12}{:>10.2} ms {:>5.1} %  {bar}",
                time.as_secs_f64() * 1e3,
                share * 100.0
            );
        }
        let _ = writeln!(
            out,
            "  {:<12}{:>10.2} ms  (start is told by the system in steps of 10 ms)",
            "whole",
            total * 1e3
        );
        out
    }

    /// `{"start_ms": …, …}`, in order.
    pub(super) fn json(&self) -> Value {
        let whole = ("whole", self.total());
        let stages = self.stages.iter().chain(std::iter::once(&whole));
        stages
            .map(|(stage, time)| (format!("{stage}_ms"), json!(time.as_secs_f64() * 1e3)))
            .collect()
    }
}
