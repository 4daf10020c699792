//! Several backends that are loaded anew for every pair of runs.
//!
//! Where a copy of a model lies in memory makes it faster or slower by some percent, as long as it is
//! loaded, and who is loaded second does not get the same places: two copies of one model differed by
//! 4 % when generating in 16 of 20 runs so, on a quiet machine, with intervals that knew nothing of it: all
//! pairs of a run shared two places. So places are drawn anew for each pair, and the order of loading
//! goes the other way every other time, like that of running.

use super::{CutShort, in_turns};
use crate::experiment::{Case, Experiment, How, Subject};
use crate::{BenchError, Observer, Phase, Repetitions, Test, Warmups};
use pacemark_backend::Backend;
use pacemark_record::{Sample, Trial, Warmup};
use std::time::Instant;

/// Loads a model in several backends.
pub trait Loader {
    /// How many there are.
    fn n_backends(&self) -> usize;

    /// All of them, loaded in this order of their numbers and given in it.
    fn load(&mut self, order: &[usize]) -> Result<Vec<Box<dyn Backend>>, BenchError>;
}

/// Measures a test as [`Experiment::measure`] does, with a load before each pair.
pub fn reloaded(
    experiment: &dyn Experiment,
    test: &Test,
    loader: &mut dyn Loader,
    how: &mut How<'_>,
) -> Result<Vec<Trial>, CutShort> {
    how.observer.trial_started(test);
    let mut trials = Vec::new();
    let result = pairs(experiment, test, loader, how, &mut trials);
    trials.iter().for_each(|trial| how.observer.trial_finished(trial));
    match result {
        Ok(()) => Ok(trials),
        Err(error) => Err(CutShort { partial: trials, error }),
    }
}

fn pairs(
    experiment: &dyn Experiment,
    test: &Test,
    loader: &mut dyn Loader,
    how: &mut How<'_>,
    trials: &mut Vec<Trial>,
) -> Result<(), BenchError> {
    let began = Instant::now();
    for pair in 1.. {
        let rates: Vec<Vec<f64>> = trials.iter().map(Trial::rates_ts).collect();
        // Two pairs are one value of a comparison.
        let is_whole = pair % 2 == 1 || how.repetitions.least % 2 == 1;
        if !trials.is_empty() && is_whole && how.repetitions.are_enough(&rates, began.elapsed()) {
            for (trial, rates) in trials.iter_mut().zip(&rates) {
                trial.repetitions = trial.samples().len();
                trial.notes.extend(how.repetitions.missed(rates));
            }
            return Ok(());
        }
        let order = in_turns(pair, loader.n_backends());
        let loaded = loader.load(&order)?;
        let backends: Vec<&dyn Backend> = loaded.iter().map(|backend| &**backend).collect();
        let warmup = match how.warmup {
            // What the machine needs to settle is had once; after that a new copy needs one run.
            Warmups::UntilSettled if pair > 1 => Warmups::Exactly(1),
            other => other,
        };
        let mut observer = OfPair { inner: how.observer, pair };
        let mut once = How {
            repetitions: Repetitions::exactly(1),
            warmup,
            seed: how.seed.wrapping_add(pair as u64 - 1),
            observer: &mut observer,
            stop: how.stop,
        };
        let case = Case::Test(test.clone());
        let measured = experiment.measure(&case, &mut Subject::Backends(&backends), &mut once);
        let (found, error) = match measured {
            Ok(found) => (found, None),
            Err(CutShort { partial, error }) => (partial, Some(error)),
        };
        for mut trial in found {
            trial.turn = order[trial.turn as usize] as u64;
            trial.repetitions = how.repetitions.least;
            add(trials, trial);
        }
        if let Some(error) = error {
            return Err(error);
        }
    }
    Ok(())
}

/// Adds what a pair measured to what there is of that backend.
fn add(trials: &mut Vec<Trial>, new: Trial) {
    let at = trials.partition_point(|trial| trial.turn < new.turn);
    match trials.get_mut(at).filter(|trial| trial.turn == new.turn) {
        None => trials.insert(at, new),
        Some(trial) => {
            let n = trial.samples().len() as f64;
            let share = |all: f64, one: f64| (all * n + one) / (n + 1.0);
            trial.steal_share = trial.steal_share.zip(new.steal_share).map(|(a, b)| share(a, b));
            let samples = new.samples().to_vec();
            trial.samples_mut().into_iter().for_each(|all| all.extend(samples.iter().cloned()));
            trial.away.extend(new.away);
            trial.notes.extend(new.notes.into_iter().filter(|note| !note.is_empty()));
            trial.notes.dedup();
        }
    }
}

/// Tells of one pair as of a repetition of the whole.
struct OfPair<'o> {
    inner: &'o mut dyn Observer,
    pair: usize,
}

impl Observer for OfPair<'_> {
    fn turn(&mut self, backend: &str) {
        self.inner.turn(backend);
    }

    fn phase(&mut self, phase: Phase) {
        self.inner.phase(match phase {
            Phase::Repetition(_) => Phase::Repetition(self.pair),
            other => other,
        });
    }

    fn warmed_up(&mut self, warmup: &Warmup) {
        self.inner.warmed_up(warmup);
    }

    fn sample(&mut self, sample: &Sample) {
        self.inner.sample(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Silent, throughput::Throughput};
    use pacemark_backend::MockBackend;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    /// Whoever is loaded second is slower: so it was found.
    struct Second {
        loads: Vec<Vec<usize>>,
        fails_at: usize,
    }

    impl Loader for Second {
        fn n_backends(&self) -> usize {
            2
        }

        fn load(&mut self, order: &[usize]) -> Result<Vec<Box<dyn Backend>>, BenchError> {
            self.loads.push(order.to_vec());
            if self.loads.len() == self.fails_at {
                return Err(BenchError::Machine("there is no memory".into()));
            }
            let step = |place: u64| Duration::from_micros(1000 + 50 * place);
            let mock =
                |place| Box::new(MockBackend::new(step(place), step(place))) as Box<dyn Backend>;
            Ok((0..2).map(mock).collect())
        }
    }

    fn measured(repetitions: usize, fails_at: usize) -> (Result<Vec<Trial>, CutShort>, Second) {
        let mut second = Second { loads: Vec::new(), fails_at };
        let test = Test { n_prompt: 0, n_gen: 4, ..Test::default() };
        let mut how = How {
            repetitions: Repetitions::exactly(repetitions),
            warmup: Warmups::UntilSettled,
            seed: 0,
            observer: &mut Silent,
            stop: &AtomicBool::new(false),
        };
        (reloaded(&Throughput, &test, &mut second, &mut how), second)
    }

    #[test]
    fn places_are_shared_evenly_so_that_copies_do_not_differ() {
        let (trials, second) = measured(16, 0);
        let trials = trials.unwrap();
        assert_eq!(second.loads.len(), 16);
        assert_eq!(second.loads[..3], [[0, 1], [1, 0], [0, 1]]);
        assert_eq!(
            trials.iter().map(|t| (t.turn, t.samples().len())).collect::<Vec<_>>(),
            [(0, 16), (1, 16)]
        );
        let compared = &Throughput.comparisons(&trials)[1][0];
        assert!((compared.ratio - 1.0).abs() < 1e-9, "{compared:?}");
        assert_eq!(compared.verdict, pacemark_record::Verdict::NotDistinguishable);
    }

    #[test]
    fn what_was_measured_before_a_load_failed_is_kept() {
        let (cut, _) = measured(16, 4);
        let CutShort { partial, error } = cut.unwrap_err();
        assert!(error.to_string().contains("no memory"));
        assert_eq!(partial.iter().map(|t| t.samples().len()).collect::<Vec<_>>(), [3, 3]);
        assert!(partial.iter().all(|trial| trial.repetitions == 16), "cut short");
    }
}
