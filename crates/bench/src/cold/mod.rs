//! Cold starts: fresh processes, one after the other, each timed from asking the system for it to its
//! first token and to its end, with what it took of memory (metrics.md: cold TTFT, memory).
//!
//! Commands take turns, every other round the other way (rule 7). Starting processes and making the
//! page cache what it is to be is the caller's ([`Launcher`]); a command of another engine tells
//! nothing of itself, and is measured from outside.

mod figures;
mod page;

use crate::experiment::{Case, How, Subject, mismatch};
use crate::parameter::MODEL;
use crate::repeat::{CutShort, filled, in_turns, now_unix_s};
use crate::{BenchError, Experiment, Params, Phase};
pub use figures::{COLD_TTFT, INFERENCE, KV, LOAD_MEMORY, PEAK};
use pacemark_record::{
    Cold, Comparison, Measured, Metric, Model, Run, Series, Start, Trial, compare,
};
use pacemark_report::{Form, layout};
use std::sync::atomic::Ordering::Relaxed;

/// Starts of fresh processes.
pub struct ColdStart;

/// Each way to start, in the order in which they are told.
#[derive(Clone, Debug, Default)]
pub struct Launches(pub Vec<Launch>);

/// One way to start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Launch {
    /// The model as it was asked for, or another engine's command line.
    pub name: String,
    /// It is a command line.
    pub is_command: bool,
    /// Whether the system holds the files in memory: `warm` or `cold`; `-` where there are none.
    pub page_cache: &'static str,
    /// Further parameters, of ours.
    pub params: Params,
}

/// What came of a start.
#[derive(Clone, Debug, Default)]
pub struct Launched {
    /// What ran, where it told.
    pub model: Model,
    /// Bytes of the weights by type, where it told.
    pub weights: Vec<(String, u64)>,
    /// Times and memory.
    pub start: Start,
    /// What is to be known of it.
    pub notes: Vec<String>,
}

/// Who starts processes, by the number of the launch.
pub trait Launcher {
    /// Starts one, and waits for its end.
    fn launch(&mut self, index: usize) -> Result<Launched, BenchError>;
}

/// Recorded parameters that no other experiment has.
const COMMAND: &str = "command";
const PAGE_CACHE: &str = "page_cache";

impl Launch {
    fn params(&self) -> Params {
        let name = if self.is_command { COMMAND } else { MODEL.name };
        let own = [(name, self.name.as_str()), (PAGE_CACHE, self.page_cache)];
        let own = own.map(|(name, value)| (name.to_owned(), value.into()));
        self.params.clone().into_iter().chain(own).collect()
    }
}

impl Launches {
    fn trials(&self, n_rounds: usize) -> Vec<Trial> {
        let trial = |(turn, launch): (usize, &Launch)| Trial {
            experiment: ColdStart.name().to_owned(),
            started_unix_s: now_unix_s(),
            params: launch.params(),
            repetitions: n_rounds,
            turn: turn as u64,
            measured: Measured::Cold(Cold::default()),
            ..Trial::default()
        };
        self.0.iter().enumerate().map(trial).collect()
    }

    /// Starts, round by round, into the trials.
    fn fill(
        &self,
        launcher: &mut dyn Launcher,
        trials: &mut [Trial],
        how: &mut How<'_>,
    ) -> Result<(), BenchError> {
        for round in 1..=how.repetitions.least {
            how.observer.phase(Phase::Repetition(round));
            for index in in_turns(round, trials.len()) {
                if how.stop.load(Relaxed) {
                    return Err(BenchError::Interrupted);
                }
                how.observer.turn(&self.0[index].name);
                let Launched { model, weights, start, notes } = launcher.launch(index)?;
                let trial = &mut trials[index];
                trial.model = model;
                for note in notes {
                    if !trial.notes.contains(&note) {
                        trial.notes.push(note);
                    }
                }
                if let Measured::Cold(cold) = &mut trial.measured {
                    cold.weights = weights;
                    cold.starts.push(start);
                }
            }
            how.observer.round(trials);
        }
        Ok(())
    }
}

impl Experiment for ColdStart {
    fn name(&self) -> &'static str {
        "cold"
    }

    fn help(&self) -> &'static str {
        "fresh processes: from their start to the first token, and what they take of memory"
    }

    /// An interrupt keeps the starts until then.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Launches(launches), Subject::Launcher(launcher)) = (case, subject) else {
            return Err(mismatch(self));
        };
        filled(launches.trials(how.repetitions.least), |trials| {
            launches.fill(&mut **launcher, trials, how)
        })
    }

    /// Each with the first of the same lengths: of others it would be the lengths that are compared.
    /// Another engine's command does not tell its own; it is compared with the first of all.
    fn against_first(&self, trials: &[Trial]) -> Vec<Vec<Comparison>> {
        let lengths = |trial: &Trial| (trial.count("n_prompt"), trial.count("n_gen"));
        let names = page::names(trials);
        let against = |(i, second): (usize, &Trial)| {
            let before = &trials[..i];
            let is_same = |first: &&Trial| {
                lengths(first) == lengths(second) || !second.params.contains_key("n_prompt")
            };
            let first = before.iter().position(|first| is_same(&first));
            let found = first.map(|at| {
                let compared = self.compared().iter();
                let compared =
                    compared.filter_map(move |series| compare(&trials[at], second, series));
                let names = (names[at].clone(), names[i].clone());
                compared.map(move |comparison| {
                    let (first, second) = names.clone();
                    Comparison { first, second, ..comparison }
                })
            });
            found.into_iter().flatten().collect()
        };
        trials.iter().enumerate().map(against).collect()
    }

    fn metrics(&self) -> &'static [Metric] {
        figures::METRICS
    }

    fn compared(&self) -> &'static [&'static Series] {
        figures::COMPARED
    }

    fn compared_as(&self, trial: &Trial) -> Option<String> {
        Some(page::name(trial))
    }

    fn form(&self) -> &'static Form {
        &layout::COLD
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Cold(_))
    }

    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        page::notes(run)
    }

    fn document(&self, run: &Run, varied: &[&str]) -> pacemark_report::Document {
        page::document(self, run, varied)
    }
}

#[cfg(test)]
mod tests;
