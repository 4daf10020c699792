//! The machine's limits, measured beside the rows: before the first test of a model and after each.
//!
//! A probe takes about a third of a second and is no part of any test. Its memory is given back
//! before the next test begins, and the peak of resident memory that it causes is not counted as
//! the engine's.

use anyhow::{Context, Result};
use pacemark_backends::side;
use pacemark_kernels::{Cpus, Roof as Limits, Team};
use pacemark_record::{Roof, Trial, env};
use pacemark_setup::Threads;
use std::time::Duration;

/// Memory that is read for the bandwidth: several times the last cache of most machines.
const MEMORY: usize = 256 << 20;

/// Measures beside the rows, unless it is off.
pub(super) struct Probe {
    off: bool,
    /// What was found last, for the tests of one load.
    last: Option<Roof>,
    /// The engine's peak of resident memory until the last probe.
    peak: Option<u64>,
    /// Of the load, and the processors of each.
    threads: Threads,
    places: Vec<Cpus>,
}

impl Probe {
    /// One that measures; or one that does not.
    pub(super) fn new(off: bool) -> Probe {
        // Without this the probe's memory could not be told from the engine's.
        let off = off || !env::reset_peak_rss();
        Probe { off, last: None, peak: None, threads: Threads::new(1), places: Vec::new() }
    }

    /// Before a model is loaded with these threads: what was found for others does not hold for
    /// them. They are placed as the probe's, while the calling thread has not been.
    pub(super) fn next_load(&mut self, threads: Threads) -> Result<()> {
        (self.last, self.peak) = (None, None);
        self.places = threads.place.of_threads(threads.in_all())?;
        self.threads = threads;
        Ok(())
    }

    /// Before a test of the load.
    pub(super) fn before(&mut self) -> Result<()> {
        if !self.off && self.last.is_none() {
            self.last = Some(self.measure()?);
        }
        Ok(())
    }

    /// After a test that gave `trials`: they are told what was found before and now.
    pub(super) fn after(&mut self, trials: &mut [Trial]) -> Result<()> {
        if self.off || trials.is_empty() {
            return Ok(());
        }
        let before = self.peak;
        let now = self.measure()?;
        for trial in trials {
            trial.roofs = self.last.into_iter().chain([now]).collect();
            // Of an engine in another process it is that process's, which no probe touches.
            let own = before.filter(|_| side::find(&trial.model.backend).is_none());
            trial.peak_rss_bytes = trial.peak_rss_bytes.map(|peak| peak.max(own.unwrap_or(0)));
        }
        self.last = Some(now);
        Ok(())
    }

    fn measure(&mut self) -> Result<Roof> {
        self.peak = self.peak.max(env::peak_rss_bytes());
        let found = measure(&self.threads, &self.places);
        env::reset_peak_rss();
        found
    }
}

/// With the threads of a load, where it has them run.
pub(in crate::commands) fn measure(threads: &Threads, places: &[Cpus]) -> Result<Roof> {
    let (one, batch) = (threads.per_token(), threads.per_batch());
    let limits = Limits::new(pacemark_kernels::kernels()?, MEMORY)
        .context("no memory to measure the bandwidth with")?;
    let team =
        Team::placed(threads.in_all(), places).context("cannot start the threads of the probe")?;
    team.set_active(one);
    let read_bytes_per_s = limits.read_bytes_per_s(&team, Duration::from_millis(160));
    team.set_active(batch);
    let time = Duration::from_millis(50);
    Ok(Roof {
        read_bytes_per_s,
        int8_per_s: limits.int8_operations_per_s(&team, time),
        bf16_per_s: limits.bf16_operations_per_s(&team, time),
        f32_per_s: limits.f32_operations_per_s(&team, time),
    })
}
