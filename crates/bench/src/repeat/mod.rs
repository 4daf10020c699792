//! Repetitions of one test, of one backend or of several in turn.
//!
//! Two things are compared by pairs of neighbours in time (metrics.md, rule 7): A B, then B A, and
//! so on. Whatever slows the machine meets both, and who follows whom is the same for both.

mod reloaded;
mod until;
mod warmup;

use crate::experiment::How;
use crate::memory;
use crate::{BenchError, Observer, Phase, Test, describe, elsewhere};
use pacemark_backend::{Backend, Computes};
use pacemark_record::env::StealWatch;
use pacemark_record::{Measured, Sample, Trial};
pub use reloaded::{Loader, reloaded};
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
pub use until::Repetitions;
pub use warmup::Warmups;

/// Generated tokens of a run that is not counted: enough to settle, and short beside what is.
pub(crate) const MAX_GENERATED: usize = 16;

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

/// Measures a test on every backend. `make` sets it up for one.
pub(crate) fn measure<'a, 'h, R: Repeat>(
    experiment: &str,
    test: &Test,
    backends: &[&'a dyn Backend],
    how: &mut How<'h>,
    make: impl Fn(&'a dyn Backend, u64, &'h AtomicBool) -> Result<R, BenchError>,
) -> Result<Vec<Trial>, CutShort> {
    how.observer.trial_started(test);
    let of = |(turn, backend): (usize, &&dyn Backend)| Trial {
        turn: turn as u64,
        experiment: experiment.to_owned(),
        params: test.params(),
        started_unix_s: now_unix_s(),
        repetitions: how.repetitions.least,
        model: describe(&backend.info()),
        workers: elsewhere::workers(*backend),
        measured: Measured::default(),
        ..Trial::default()
    };
    let trials: Vec<Trial> = backends.iter().enumerate().map(of).collect();
    let result = filled(trials, |trials| {
        let made: Result<Vec<R>, _> =
            backends.iter().map(|backend| make(*backend, how.seed, how.stop)).collect();
        let result = made.and_then(|mut runs| in_turn(&mut runs, backends, trials, how));
        // Several engines in one process: what each holds cannot be told apart.
        let is_here = |backend: &&&dyn Backend| backend.computes() == Computes::Here;
        let n_here = backends.iter().filter(is_here).count();
        for (trial, backend) in trials.iter_mut().zip(backends) {
            let is_alone = backends.len() == 1 || (n_here <= 1 && !is_here(&backend));
            trial.peak_rss_bytes = memory::peak_rss_bytes(*backend).filter(|_| is_alone);
        }
        result
    });
    let (Ok(trials) | Err(CutShort { partial: trials, .. })) = &result;
    trials.iter().for_each(|trial| how.observer.trial_finished(trial));
    result
}

/// The order of `n` things in a round, from 1: every other one goes the other way.
pub(crate) fn in_turns(round: usize, n: usize) -> Vec<usize> {
    let order = 0..n;
    if round.is_multiple_of(2) { order.rev().collect() } else { order.collect() }
}

/// Has `work` fill trials, and adds to each what the hypervisor took meanwhile. What was measured
/// before an error is kept; a trial that measured nothing is not.
pub(crate) fn filled(
    mut trials: Vec<Trial>,
    work: impl FnOnce(&mut Vec<Trial>) -> Result<(), BenchError>,
) -> Result<Vec<Trial>, CutShort> {
    let steal = StealWatch::begin();
    let result = work(&mut trials);
    trials.retain(|trial| !trial.measured.is_empty());
    let share = steal.share();
    trials.iter_mut().for_each(|trial| trial.steal_share = share);
    match result {
        Ok(()) => Ok(trials),
        Err(error) => Err(CutShort { partial: trials, error }),
    }
}

/// Seconds since 1970 UTC.
pub(crate) fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn in_turn<R: Repeat>(
    runs: &mut [R],
    backends: &[&dyn Backend],
    trials: &mut [Trial],
    how: &mut How<'_>,
) -> Result<(), BenchError> {
    let several = runs.len() > 1;
    for (run, trial) in runs.iter_mut().zip(&mut *trials) {
        if several {
            how.observer.turn(&trial.model.backend);
        }
        if how.warmup != Warmups::None {
            trial.warmup = warmup::run(run, how.warmup, how.observer)?;
        }
        how.observer.warmed_up(&trial.warmup);
    }
    let began = Instant::now();
    for repetition in 1.. {
        let rates: Vec<Vec<f64>> = trials.iter().map(Trial::rates_ts).collect();
        if how.repetitions.are_enough(&rates, began.elapsed()) {
            for (trial, rates) in trials.iter_mut().zip(&rates) {
                trial.repetitions = trial.samples().len();
                trial.notes.extend(how.repetitions.missed(rates));
            }
            break;
        }
        for index in in_turns(repetition, runs.len()) {
            if several {
                how.observer.turn(&trials[index].model.backend);
            }
            runs[index].prepare(how.observer)?;
            how.observer.phase(Phase::Repetition(repetition));
            let once = || runs[index].once(how.observer, false);
            let (sample, away) = elsewhere::watched(backends[index], once)?;
            how.observer.sample(&sample);
            trials[index].away.extend(away);
            trials[index]
                .samples_mut()
                .into_iter()
                .for_each(|samples| samples.push(sample.clone()));
        }
    }
    Ok(())
}
