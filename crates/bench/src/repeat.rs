//! Repetitions of one test, of one backend or of several in turn.
//!
//! Two things are compared by pairs of neighbours in time (metrics.md, rule 7): A B, then B A, and
//! so on. Whatever slows the machine meets both, and who follows whom is the same for both.

use crate::{BenchError, Observer, Phase, describe, warmup};
use pacemark_backend::Backend;
use pacemark_record::env::{self, CpuTime};
use pacemark_record::{Sample, Trial};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tests that ended early.
#[derive(Debug)]
pub struct CutShort {
    /// What was measured until then, a trial for each backend that completed a repetition.
    pub partial: Vec<Trial>,
    /// Why it ended.
    pub error: BenchError,
}

/// One test on one backend, to be run again and again.
pub(crate) trait Repeat {
    /// Tokens that a run computes; of a `brief` one, whose generation is shortened.
    fn n_tokens(&self, brief: bool) -> usize;

    /// What must be done before a run and is not timed.
    fn prepare(&mut self, observer: &mut dyn Observer) -> Result<(), BenchError>;

    /// Runs and times the test once.
    fn once(&mut self, observer: &mut dyn Observer, brief: bool) -> Result<Sample, BenchError>;
}

/// How often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub repetitions: usize,
    pub warmup: bool,
}

/// Measures the test of `trial` on every backend. `make` sets it up for one.
pub(crate) fn measure<'a, R: Repeat>(
    plan: Plan,
    backends: &[&'a dyn Backend],
    trial: &Trial,
    observer: &mut dyn Observer,
    make: impl Fn(&'a dyn Backend) -> Result<R, BenchError>,
) -> Result<Vec<Trial>, CutShort> {
    observer.trial_started(&trial.params);
    let started_unix_s =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let of = |backend: &&dyn Backend| Trial {
        started_unix_s,
        model: describe(&backend.info()),
        repetitions: plan.repetitions,
        ..trial.clone()
    };
    let mut trials: Vec<Trial> = backends.iter().map(of).collect();
    let before = CpuTime::now();
    let made: Result<Vec<R>, BenchError> = backends.iter().map(|backend| make(*backend)).collect();
    let result = made.and_then(|mut runs| in_turn(plan, &mut runs, &mut trials, observer));
    let steal_share =
        before.zip(CpuTime::now()).and_then(|(before, now)| before.steal_share_until(now));
    // Several engines in one process: what each holds cannot be told apart.
    let peak_rss_bytes = if backends.len() == 1 { env::peak_rss_bytes() } else { None };
    trials.retain(|trial| !trial.samples.is_empty());
    for trial in &mut trials {
        trial.steal_share = steal_share;
        trial.peak_rss_bytes = peak_rss_bytes;
        observer.trial_finished(trial);
    }
    match result {
        Ok(()) => Ok(trials),
        Err(error) => Err(CutShort { partial: trials, error }),
    }
}

fn in_turn<R: Repeat>(
    plan: Plan,
    runs: &mut [R],
    trials: &mut [Trial],
    observer: &mut dyn Observer,
) -> Result<(), BenchError> {
    let several = runs.len() > 1;
    for (run, trial) in runs.iter_mut().zip(&mut *trials) {
        if several {
            observer.turn(&trial.model.backend);
        }
        if plan.warmup {
            trial.warmup = warmup::run(run, observer)?;
        }
        observer.warmed_up(&trial.warmup);
    }
    for repetition in 1..=plan.repetitions {
        let mut order: Vec<usize> = (0..runs.len()).collect();
        if repetition % 2 == 0 {
            order.reverse();
        }
        for index in order {
            if several {
                observer.turn(&trials[index].model.backend);
            }
            runs[index].prepare(observer)?;
            observer.phase(Phase::Repetition(repetition));
            let sample = runs[index].once(observer, false)?;
            observer.sample(&sample);
            trials[index].samples.push(sample);
        }
    }
    Ok(())
}
