//! The prediction as an experiment: rounds of passes, the model itself between two halves of them,
//! the machine's limits before and after.

use super::figures::{DECODE, METRICS};
use super::{EXPERIMENT, Fitting, Setting, page};
use crate::experiment::{Case, How, Subject, metric_of, mismatch};
use crate::repeat::{CutShort, now_unix_s};
use crate::{BenchError, Experiment, Phase};
use pacemark_record::env::StealWatch;
use pacemark_record::{Measured, Metric, Run, Trial};
use pacemark_report::{Document, Form, layout};
use std::sync::atomic::Ordering::Relaxed;

/// What a model will take on this machine.
pub struct FitModel;

impl Experiment for FitModel {
    fn name(&self) -> &'static str {
        EXPERIMENT
    }

    fn help(&self) -> &'static str {
        "what a model will take of this machine: memory and rates, before it runs"
    }

    /// What is known before anything is timed stays, whatever happens.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Fit(setting), Subject::Fit(fitting)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let mut trial = Trial {
            experiment: EXPERIMENT.to_owned(),
            started_unix_s: now_unix_s(),
            model: setting.model.clone(),
            params: setting.params(),
            repetitions: how.repetitions.least * if setting.is_proved { 2 } else { 1 },
            notes: setting.notes.clone(),
            measured: Measured::Fit(Box::new(setting.fit.clone())),
            ..Trial::default()
        };
        let steal = StealWatch::begin();
        let result = take(setting, *fitting, &mut trial, how);
        trial.steal_share = steal.share();
        match result {
            Ok(()) => Ok(vec![trial]),
            Err(error) => {
                if setting.is_proved && trial.fit().is_some_and(|fit| fit.proof.is_none()) {
                    trial.notes.push("the model itself did not run to its end".to_owned());
                }
                Err(CutShort { partial: vec![trial], error })
            }
        }
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn headline(&self) -> Option<&'static Metric> {
        metric_of(METRICS, &DECODE)
    }

    fn form(&self) -> &'static Form {
        &layout::FIT
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Fit(_))
    }

    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        page::notes(run)
    }

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        page::document(self, run)
    }
}

/// Everything of one setting, into its trial.
fn take(
    setting: &Setting,
    fitting: &mut dyn Fitting,
    trial: &mut Trial,
    how: &mut How<'_>,
) -> Result<(), BenchError> {
    if setting.is_timed {
        how.observer.turn("the machine's limits");
        trial.roofs.extend(fitting.roof().map_err(BenchError::Machine)?);
        how.observer.phase(Phase::Warmup(1));
        fitting.begin(setting).map_err(BenchError::Machine)?;
        rounds(setting, fitting, trial, how)?;
    }
    if setting.is_proved {
        stopped(how)?;
        how.observer.turn("the model itself");
        // Ended from outside, the process says nothing of why.
        let proof = fitting
            .prove(setting)
            .map_err(|why| stopped(how).err().unwrap_or(BenchError::Machine(why)))?;
        if let Measured::Fit(fit) = &mut trial.measured {
            fit.proof = Some(proof);
        }
    }
    if setting.is_timed {
        if setting.is_proved {
            // The other half of the rounds: what the machine did meanwhile is between them.
            rounds(setting, fitting, trial, how)?;
        }
        how.observer.turn("the machine's limits");
        trial.roofs.extend(fitting.roof().map_err(BenchError::Machine)?);
    }
    Ok(())
}

/// As many rounds as repetitions were asked for.
fn rounds(
    setting: &Setting,
    fitting: &mut dyn Fitting,
    trial: &mut Trial,
    how: &mut How<'_>,
) -> Result<(), BenchError> {
    for number in 1..=how.repetitions.least {
        stopped(how)?;
        how.observer.phase(Phase::Repetition(number));
        let round = fitting.round(setting).map_err(BenchError::Machine)?;
        if let Measured::Fit(fit) = &mut trial.measured {
            fit.rounds.push(round);
        }
    }
    Ok(())
}

fn stopped(how: &How<'_>) -> Result<(), BenchError> {
    if how.stop.load(Relaxed) { Err(BenchError::Interrupted) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::page::tests::{NoMachine, setting};
    use super::*;
    use crate::{Repetitions, Silent, Warmups};
    use std::sync::atomic::AtomicBool;

    fn measured(setting: Setting, fails_at: usize, stop: bool) -> Result<Trial, CutShort> {
        let mut how = How {
            repetitions: Repetitions::exactly(5),
            warmup: Warmups::None,
            seed: 0,
            observer: &mut Silent,
            stop: &AtomicBool::new(stop),
        };
        let mut machine = NoMachine { fails_at, n_rounds: 0 };
        let case = Case::Fit(Box::new(setting));
        let trials = FitModel.measure(&case, &mut Subject::Fit(&mut machine), &mut how)?;
        assert_eq!(trials.len(), 1);
        Ok(trials[0].clone())
    }

    #[test]
    fn rounds_stand_before_and_after_the_proof() {
        let trial = measured(setting(4096, 1), 0, false).unwrap();
        let fit = trial.fit().unwrap();
        assert_eq!((fit.rounds.len(), fit.proof.is_some(), trial.roofs.len()), (10, true, 2));
        let unproved = Setting { is_proved: false, ..setting(4096, 1) };
        let trial = measured(unproved, 0, false).unwrap();
        let fit = trial.fit().unwrap();
        assert_eq!((fit.rounds.len(), fit.proof.is_some()), (5, false));
    }

    #[test]
    fn what_is_known_without_times_is_kept() {
        let cut = measured(setting(4096, 1), 7, false).unwrap_err();
        let kept = cut.partial[0].fit().unwrap();
        assert_eq!((kept.rounds.len(), kept.proof.is_some()), (6, true));
        assert_eq!((cut.partial[0].repetitions, cut.partial[0].notes.len()), (10, 0));
        assert_eq!(cut.error.to_string(), "broken");
        let cut = measured(setting(4096, 1), 0, true).unwrap_err();
        assert_eq!(cut.error, BenchError::Interrupted);
        assert!(cut.partial[0].fit().unwrap().memory.weights > 0);
        assert_eq!(cut.partial[0].notes, ["the model itself did not run to its end"]);
        let timeless = Setting { is_timed: false, is_proved: false, ..setting(4096, 1) };
        let trial = measured(timeless, 1, false).unwrap();
        assert!(trial.fit().unwrap().rounds.is_empty() && trial.roofs.is_empty());
    }
}
