//! Types of weights compared: one model in each of them, for what it takes to load and to run and
//! for how far its predictions are from those of the weights it was made of.
//!
//! Runs are in fresh processes and in turn, every other round the other way (metrics.md, rules 5 and
//! 7); quality is exact and measured once. Making the files, processes and predictions is the
//! caller's ([`Candidates`]); which type to prefer is `advice`'s.

mod advice;
mod figures;
mod page;
mod picture;
#[cfg(test)]
pub(crate) mod testing;

use crate::experiment::{Case, How, Subject, metric_of, mismatch};
use crate::parameter::N_THREADS;
use crate::repeat::{CutShort, filled, in_turns, now_unix_s};
use crate::{BenchError, Experiment, Params, Phase};
pub use advice::{Advice, Limits};
use pacemark_record::{
    Distances, FreshRun, Measured, Metric, Model, Quantized, Run, Series, Trial,
};
use pacemark_report::picture::{Legend, Panel};
use pacemark_report::{Document, Form, layout};
pub use page::advice;
pub use picture::panels;
use serde_json::Value;
use std::sync::atomic::Ordering::Relaxed;

/// Types of weights, compared.
pub struct QuantStudy;

/// What is compared, and on what.
#[derive(Clone, Debug, Default)]
pub struct Types {
    /// Name and bytes of each, in the order in which they are told.
    pub types: Vec<(String, u64)>,
    /// The model that they were made of.
    pub source: String,
    /// Tokens of the prompt of a run.
    pub n_prompt: usize,
    /// Tokens generated after it.
    pub n_gen: usize,
    /// Tokens of a chunk of the text.
    pub n_ctx: usize,
    /// Threads that compute.
    pub n_threads: usize,
    /// The text's name.
    pub file: String,
    /// What the recommended type is to keep to.
    pub limits: Limits,
}

/// Who has the model in each type, by the number of the type.
pub trait Candidates {
    /// Loads and runs it once, in a process of its own.
    fn run(&mut self, index: usize) -> Result<(Model, FreshRun), BenchError>;

    /// Its distance from the weights that it was made of.
    fn distances(&mut self, index: usize, how: &mut How<'_>) -> Result<Distances, BenchError>;
}

/// Recorded parameters that no other experiment has.
const TYPE: &str = "type";
const SOURCE: &str = "source";
const MAX_KLD: &str = "max_kld";

impl Types {
    fn params(&self, name: &str) -> Params {
        let recorded: [(&str, Value); 8] = [
            (TYPE, name.into()),
            (SOURCE, self.source.as_str().into()),
            ("n_prompt", self.n_prompt.into()),
            ("n_gen", self.n_gen.into()),
            ("n_ctx", self.n_ctx.into()),
            (N_THREADS.name, self.n_threads.into()),
            ("file", self.file.as_str().into()),
            (MAX_KLD, self.limits.max_kld.into()),
        ];
        recorded.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn trials(&self, n_rounds: usize) -> Vec<Trial> {
        let trial = |(turn, (name, file_bytes)): (usize, &(String, u64))| Trial {
            experiment: QuantStudy.name().to_owned(),
            started_unix_s: now_unix_s(),
            params: self.params(name),
            repetitions: n_rounds,
            turn: turn as u64,
            measured: Measured::Quantized(Quantized {
                file_bytes: *file_bytes,
                ..Quantized::default()
            }),
            ..Trial::default()
        };
        self.types.iter().enumerate().map(trial).collect()
    }

    /// Runs, round by round, then distances, into the trials.
    fn fill(
        &self,
        candidates: &mut dyn Candidates,
        trials: &mut [Trial],
        how: &mut How<'_>,
    ) -> Result<(), BenchError> {
        for round in 1..=how.repetitions.least {
            how.observer.phase(Phase::Repetition(round));
            for index in in_turns(round, trials.len()) {
                self.begin(index, how)?;
                let (model, run) = candidates.run(index)?;
                trials[index].model = model;
                if let Measured::Quantized(found) = &mut trials[index].measured {
                    found.runs.push(run);
                }
            }
            how.observer.round(trials);
        }
        for (index, trial) in trials.iter_mut().enumerate() {
            self.begin(index, how)?;
            let distances = candidates.distances(index, how)?;
            if let Measured::Quantized(found) = &mut trial.measured {
                found.distances = Some(distances);
            }
        }
        Ok(())
    }

    fn begin(&self, index: usize, how: &mut How<'_>) -> Result<(), BenchError> {
        if how.stop.load(Relaxed) {
            return Err(BenchError::Interrupted);
        }
        how.observer.turn(&self.types[index].0);
        Ok(())
    }
}

impl Experiment for QuantStudy {
    fn name(&self) -> &'static str {
        "quant"
    }

    fn help(&self) -> &'static str {
        "types of weights: what each costs in answers, time and memory"
    }

    /// An interrupt keeps what was measured until then.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Types(types), Subject::Types(candidates)) = (case, subject) else {
            return Err(mismatch(self));
        };
        filled(types.trials(how.repetitions.least), |trials| {
            types.fill(&mut **candidates, trials, how)
        })
    }

    fn metrics(&self) -> &'static [Metric] {
        figures::METRICS
    }

    fn headline(&self) -> Option<&'static Metric> {
        metric_of(figures::METRICS, &figures::DECODE)
    }

    fn form(&self) -> &'static Form {
        &layout::QUANT
    }

    fn compared(&self) -> &'static [&'static Series] {
        &[&figures::DECODE, &figures::PREFILL]
    }

    fn compared_as(&self, trial: &Trial) -> Option<String> {
        Some(page::name(trial).to_owned())
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Quantized(_))
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

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        page::document(self, run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Observer, Repetitions, Warmups};
    use std::sync::atomic::AtomicBool;

    /// Counts what is asked of it, and fails where it is told to.
    struct Counted {
        asked: String,
        fails_at: Option<usize>,
    }

    impl Candidates for Counted {
        fn run(&mut self, index: usize) -> Result<(Model, FreshRun), BenchError> {
            self.asked += &index.to_string();
            match self.fails_at {
                Some(n) if n == self.asked.len() => Err(BenchError::Machine("gone".into())),
                _ => Ok((Model::default(), FreshRun { load_ns: 7, ..FreshRun::default() })),
            }
        }
        fn distances(&mut self, index: usize, _: &mut How<'_>) -> Result<Distances, BenchError> {
            self.asked += &format!("d{index}");
            Ok(Distances::default())
        }
    }

    struct Rounds(Vec<usize>);

    impl Observer for Rounds {
        fn round(&mut self, trials: &[Trial]) {
            self.0.push(trials.iter().map(|t| t.quantized().unwrap().runs.len()).sum());
        }
    }

    fn measured(fails_at: Option<usize>) -> (Result<Vec<Trial>, CutShort>, String, Vec<usize>) {
        let names = ["F16", "Q8_0", "Q4_0"];
        let types = names.map(|name| (name.to_owned(), 9)).into();
        let case = Case::Types(Box::new(Types { types, ..Types::default() }));
        let mut candidates = Counted { asked: String::new(), fails_at };
        let mut rounds = Rounds(Vec::new());
        let mut how = How {
            repetitions: Repetitions::exactly(3),
            warmup: Warmups::None,
            seed: 0,
            observer: &mut rounds,
            stop: &AtomicBool::new(false),
        };
        let result = QuantStudy.measure(&case, &mut Subject::Types(&mut candidates), &mut how);
        (result, candidates.asked, rounds.0)
    }

    #[test]
    fn types_take_turns_and_every_other_round_goes_the_other_way() {
        let (trials, asked, rounds) = measured(None);
        assert_eq!((asked.as_str(), &rounds[..]), ("012210012d0d1d2", &[3, 6, 9][..]));
        for (turn, trial) in trials.unwrap().iter().enumerate() {
            let found = trial.quantized().unwrap();
            assert_eq!((trial.turn, found.runs.len(), found.file_bytes), (turn as u64, 3, 9));
            assert!(found.distances.is_some());
        }
    }

    #[test]
    fn what_was_measured_before_an_error_is_kept() {
        let (result, ..) = measured(Some(5));
        let cut = result.unwrap_err();
        let n_runs: Vec<usize> =
            cut.partial.iter().map(|t| t.quantized().unwrap().runs.len()).collect();
        assert_eq!((n_runs, cut.error), (vec![1, 1, 2], BenchError::Machine("gone".into())));
    }
}
