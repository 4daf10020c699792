//! The best of several settings, found by racing them.
//!
//! First the answers of settings that may change them are compared with the default's, then all are
//! raced (`race`), under rules that say how sure one must be (`rules`); the setting that is left may be
//! confirmed in further runs, in turn with the default or, where that won, with the next best. What the trials came to is `outcome`'s, how
//! it is shown `page`'s. Settings are numbers here: what they are, and how a model is loaded and run
//! under them, is the caller's affair ([`Candidates`]). The first is the default.

mod aim;
mod figures;
mod outcome;
mod page;
mod picture;
mod race;
mod rules;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;

use crate::experiment::{Case, How, Subject, metric_of, mismatch};
use crate::repeat::{CutShort, filled, in_turns, now_unix_s};
use crate::{BenchError, Experiment, Params, Phase};
pub use aim::{Aim, Standing};
use outcome::rival;
pub use outcome::{Outcome, Verdict, outcome};
use pacemark_backend::{Backend, GenerateRequest};
use pacemark_record::{
    Distances, Measured, Metric, Model, Run, Sample, TargetVerdict, Trial, Tuned, stats,
};
use pacemark_report::picture::{Legend, Panel};
use pacemark_report::{Document, Form, Verdict as Said, layout};
pub use picture::panels;
use race::Race;
pub use rules::{LEAST_ROUNDS, Rules};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A search for the best setting.
pub struct Tune;

/// Pairs of a confirmation at least: so many that nine in ten differences of 3 % are found
/// (docs/metrics.md, "How sure").
pub const CONFIRMING_PAIRS: usize = 16;

/// Recorded parameters that no other experiment has.
const SETTING: &str = "setting";
const N_CHANGES: &str = "n_changes";
const COMMAND: &str = "command";
const MAXIMIZE: &str = "maximize";
const TARGETS: &str = "targets";
const RESOLUTION: &str = "resolution";
const PART: &str = "part";
const ALIKE: &str = "answers_alike";

/// The part of the run that confirms.
const CONFIRMATION: &str = "confirmation";

/// A setting.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// What it is called: `default`, or the flags that it changes.
    pub name: String,
    /// How many parameters are not at their default.
    pub n_changes: usize,
    /// The command line that runs a model so.
    pub command: String,
    /// What is recorded of it.
    pub params: Params,
    /// The first setting that has the same answers by construction: 0 for the default's.
    pub answers: usize,
}

/// What is searched.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The settings, the default first.
    pub settings: Vec<Setting>,
    /// How they are raced.
    pub rules: Rules,
    /// Whether answers are compared at all: those of weights that are drawn are not.
    pub has_quality: bool,
    /// Pairs of the confirmation, where one is wanted and something won.
    pub confirm: Option<usize>,
    /// Recorded parameters that all settings have in common.
    pub params: Params,
}

/// A run of a setting.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// What ran.
    pub model: Model,
    /// What it took.
    pub sample: Sample,
    /// The most resident memory of the process, from loading on.
    pub peak_rss_bytes: Option<u64>,
}

/// Who can run a model under each setting, by the setting's number.
pub trait Candidates {
    /// Runs it once. Runs of one `number` are on the same tokens, and follow one another; those of
    /// another are on others.
    fn run(&mut self, index: usize, number: usize) -> Result<Ran, BenchError>;

    /// How far its predictions are from the default setting's.
    fn distances(&mut self, index: usize, how: &mut How<'_>) -> Result<Distances, BenchError>;
}

/// Times one request, and the most resident memory meanwhile.
pub fn timed(
    backend: &dyn Backend,
    request: GenerateRequest,
    stop: &AtomicBool,
) -> Result<(Sample, Option<u64>), BenchError> {
    let ran = crate::kv::generate::generate(backend, request, stop)?;
    Ok((ran.sample, ran.peak_rss_bytes))
}

/// What a trial's setting is called.
fn name(trial: &Trial) -> &str {
    trial.params.get(SETTING).and_then(Value::as_str).unwrap_or("-")
}

/// It is of the race, and not of what follows.
fn is_race(trial: &Trial) -> bool {
    !trial.params.contains_key(PART)
}

fn keep(trial: &mut Trial, round: usize, ran: Ran) {
    trial.model = ran.model;
    trial.peak_rss_bytes = trial.peak_rss_bytes.max(ran.peak_rss_bytes);
    if let Some(tuned) = trial.tuned_mut() {
        tuned.push(round as u64, ran.sample);
    }
}

/// It is shown to be near enough to the default's answers: the whole interval of its divergence is,
/// where there is one. What was not compared because nothing could be is.
fn is_near(trial: &Trial, max_kld: f64) -> bool {
    let Some(distances) = trial.distances() else { return true };
    let high = distances.kld_interval().map(|interval| interval.high);
    high.or(stats::mean(&distances.klds())).is_some_and(|kld| kld <= max_kld)
}

/// The worst of a trial's targets.
fn standing(trial: &Trial, aims: &[Aim]) -> TargetVerdict {
    let verdicts: Vec<TargetVerdict> = aims.iter().map(|aim| aim.standing(trial).verdict).collect();
    let rank = |verdict: &TargetVerdict| match verdict {
        TargetVerdict::Met => 0,
        // The one that takes most runs.
        TargetVerdict::Undecided(Some(more)) => 1 + *more,
        TargetVerdict::Undecided(None) => u64::MAX - 2,
        TargetVerdict::NotMeasured => u64::MAX - 1,
        TargetVerdict::Missed => u64::MAX,
    };
    verdicts.into_iter().max_by_key(rank).unwrap_or(TargetVerdict::Met)
}

impl Search {
    fn trial(&self, index: usize) -> Trial {
        let Setting { name, n_changes, command, params, answers } = &self.settings[index];
        let rules = &self.rules;
        let aims: Vec<String> = rules.aims.iter().map(Aim::to_string).collect();
        let own: [(&str, Value); 8] = [
            (SETTING, name.as_str().into()),
            (N_CHANGES, (*n_changes).into()),
            (COMMAND, command.as_str().into()),
            (MAXIMIZE, rules.objective.name().into()),
            (TARGETS, aims.join(",").into()),
            ("max_kld", rules.max_kld.into()),
            (RESOLUTION, rules.resolution.into()),
            (ALIKE, (*answers == 0).into()),
        ];
        let mut recorded = self.params.clone();
        recorded.extend(params.clone());
        recorded.extend(own.map(|(name, value)| (name.to_owned(), value)));
        Trial {
            experiment: Tune.name().to_owned(),
            started_unix_s: now_unix_s(),
            params: recorded,
            turn: index as u64,
            measured: Measured::Tuned(Tuned::default()),
            ..Trial::default()
        }
    }

    fn fill(
        &self,
        candidates: &mut dyn Candidates,
        trials: &mut Vec<Trial>,
        how: &mut How<'_>,
    ) -> Result<(), BenchError> {
        if self.has_quality {
            self.compare(candidates, trials, how)?;
        }
        Race::new(&self.rules, trials, candidates, how).run()?;
        let both = outcome(trials).recommended.and_then(|it| Some([rival(trials, it)?, it]));
        match (self.confirm, both) {
            (Some(n), Some(both)) => self.confirm(both, n, candidates, trials, how),
            _ => Ok(()),
        }
    }

    /// Answers beside the default's, once for all settings that have the same.
    fn compare(
        &self,
        candidates: &mut dyn Candidates,
        trials: &mut [Trial],
        how: &mut How<'_>,
    ) -> Result<(), BenchError> {
        for (index, setting) in self.settings.iter().enumerate() {
            if setting.answers == 0 {
                continue;
            }
            let distances = match &trials[setting.answers].measured {
                Measured::Tuned(Tuned { distances: Some(known), .. }) => known.clone(),
                _ => {
                    how.observer.turn(&setting.name);
                    candidates.distances(index, how)?
                }
            };
            if let Some(tuned) = trials[index].tuned_mut() {
                tuned.distances = Some(distances);
            }
        }
        Ok(())
    }

    /// A rival and the setting that is recommended, in turn.
    fn confirm(
        &self,
        both: [usize; 2],
        n: usize,
        candidates: &mut dyn Candidates,
        trials: &mut Vec<Trial>,
        how: &mut How<'_>,
    ) -> Result<(), BenchError> {
        let from = trials.len();
        for (turn, index) in both.into_iter().enumerate() {
            let mut trial = self.trial(index);
            trial.params.insert(PART.to_owned(), CONFIRMATION.into());
            (trial.turn, trial.repetitions) = (turn as u64, n);
            trials.push(trial);
        }
        for round in 1..=n {
            how.observer.phase(Phase::Repetition(round));
            for turn in in_turns(round, both.len()) {
                if how.stop.load(Relaxed) {
                    return Err(BenchError::Interrupted);
                }
                let trial = &mut trials[from + turn];
                how.observer.turn(&format!("confirming {}", name(trial)));
                // Of the race no run had these tokens.
                let ran = candidates.run(both[turn], 1_000_000 + round)?;
                keep(trial, round, ran);
            }
            how.observer.round(trials);
        }
        Ok(())
    }
}

impl Experiment for Tune {
    fn name(&self) -> &'static str {
        "tune"
    }

    fn help(&self) -> &'static str {
        "the best of several settings, found by racing them"
    }

    /// An interrupt keeps what was measured until then: the race was not over.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Search(search), Subject::Settings(candidates)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let trials = (0..search.settings.len()).map(|index| search.trial(index)).collect();
        filled(trials, |trials| {
            let result = search.fill(&mut **candidates, trials, how);
            for trial in trials.iter_mut().filter(|trial| trial.repetitions == 0) {
                trial.repetitions = trial.samples().len();
            }
            result
        })
    }

    fn metrics(&self) -> &'static [Metric] {
        figures::METRICS
    }

    fn headline(&self) -> Option<&'static Metric> {
        metric_of(figures::METRICS, &figures::OBJECTIVE)
    }

    fn row_name(&self, _: &Run, trial: &Trial) -> String {
        let part = if is_race(trial) { "" } else { ", confirmation" };
        format!("{}{part}", name(trial))
    }

    fn form(&self) -> &'static Form {
        &layout::TUNE
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Tuned(_))
    }

    /// They are compared with each other.
    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        page::notes(run)
    }

    fn panels(&self, run: &Run) -> Vec<Panel> {
        panels(&run.trials).panels
    }

    fn legend(&self, run: &Run) -> Legend {
        Legend::of([panels(&run.trials)])
    }

    fn judged(&self) -> &'static [&'static str] {
        &["verdict", "recommended", "not_met", CONFIRMATION]
    }

    /// The race's own: rates of settings that were raced are for its table.
    fn verdicts(&self, run: &Run) -> Vec<Said> {
        page::verdicts(self, run)
    }

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        page::document(self, run)
    }
}

#[cfg(test)]
mod tests;
