//! The machine's limits, measured beside the rows: before the first test of a model and after each.
//!
//! A probe takes about a third of a second and is no part of any test. Its memory is given back
//! before the next test begins, and the peak of resident memory that it causes is not counted as
//! the engine's.

use anyhow::{Context, Result};
use pacemark_backends::LoadOptions;
use pacemark_kernels::{Cpus, Roof as Limits, Team};
use pacemark_record::{Roof, Trial, env};
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
    /// Processors of the threads.
    places: Vec<Cpus>,
}

impl Probe {
    /// One that measures; or one that does not.
    pub(super) fn new(off: bool) -> Probe {
        // Without this the probe's memory could not be told from the engine's.
        let off = off || !env::reset_peak_rss();
        Probe { off, last: None, peak: None, places: Vec::new() }
    }

    /// Before a model is loaded with these options: what was found for another does not hold for
    /// it. Its threads are placed as the probe's, while the calling thread has not been.
    pub(super) fn next_load(&mut self, options: &LoadOptions) -> Result<()> {
        let n_threads = options.n_threads.max(options.n_threads_batch.unwrap_or(0));
        (self.last, self.peak) = (None, None);
        self.places = options.place.of_threads(n_threads)?;
        Ok(())
    }

    /// Before a test with these options.
    pub(super) fn before(&mut self, options: &LoadOptions) -> Result<()> {
        if !self.off && self.last.is_none() {
            self.last = Some(self.measure(options)?);
        }
        Ok(())
    }

    /// After a test that gave `trials`: they are told what was found before and now.
    pub(super) fn after(&mut self, options: &LoadOptions, trials: &mut [Trial]) -> Result<()> {
        if self.off || trials.is_empty() {
            return Ok(());
        }
        let before = self.peak;
        let now = self.measure(options)?;
        for trial in trials {
            trial.roofs = self.last.into_iter().chain([now]).collect();
            trial.peak_rss_bytes = trial.peak_rss_bytes.map(|peak| peak.max(before.unwrap_or(0)));
        }
        self.last = Some(now);
        Ok(())
    }

    fn measure(&mut self, options: &LoadOptions) -> Result<Roof> {
        self.peak = self.peak.max(env::peak_rss_bytes());
        let found = measure(options, &self.places);
        env::reset_peak_rss();
        found
    }
}

/// With the threads of a load, where it has them run.
fn measure(options: &LoadOptions, places: &[Cpus]) -> Result<Roof> {
    let (one, batch) = (options.n_threads, options.n_threads_batch.unwrap_or(options.n_threads));
    let limits = Limits::new(pacemark_kernels::kernels()?, MEMORY)
        .context("no memory to measure the bandwidth with")?;
    let team =
        Team::placed(one.max(batch), places).context("cannot start the threads of the probe")?;
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
