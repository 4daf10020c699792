//! The study as an experiment: ways to keep keys and values, for what they cost in answers, in time
//! and in memory.

use super::figures::{METRICS, TPOT};
use super::stream::PPL;
use super::study::EXPERIMENT;
use super::{page, pictures};
use crate::experiment::{Case, How, Subject, metric_of, mismatch};
use crate::repeat::{CutShort, filled};
use crate::{BenchError, Experiment};
use pacemark_record::{Comparison, Measured, Metric, Run, Series, Trial, compare};
use pacemark_report::picture::{Legend, Panel};
use pacemark_report::{Document, Form, layout};

/// Ways to keep keys and values, compared.
pub struct KvStudy;

impl Experiment for KvStudy {
    fn name(&self) -> &'static str {
        EXPERIMENT
    }

    fn help(&self) -> &'static str {
        "ways to keep keys and values: what each costs in answers, time and memory"
    }

    /// An interrupt keeps what was whole until then.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Study(study), Subject::Text(text)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let info = text.backend.info();
        let lead = usize::from(info.bos.is_some() && info.bos == text.tokens.first().copied());
        let room = study.room(text.tokens.len(), lead);
        if study.n_tokens < 2 || study.n_gen >= study.n_tokens || room < study.n_samples.max(1) {
            let error = BenchError::TooFewStretches {
                found: text.tokens.len(),
                n_tokens: study.n_tokens,
                room,
                wanted: study.n_samples,
            };
            return Err(CutShort { partial: Vec::new(), error });
        }
        let n_wanted = how.repetitions.least.saturating_mul(study.n_samples);
        filled(study.trials(&info, n_wanted), |trials| study.rounds(text, lead, trials, how))
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn headline(&self) -> Option<&'static Metric> {
        metric_of(METRICS, &PPL)
    }

    fn form(&self) -> &'static Form {
        &layout::STUDY
    }

    fn compared(&self) -> &'static [&'static Series] {
        &[&TPOT]
    }

    /// Those of one backend: their names are those of the methods.
    fn against_first(&self, trials: &[Trial]) -> Vec<Vec<Comparison>> {
        let Some((first, others)) = trials.split_first() else { return Vec::new() };
        let against = |second: &Trial| -> Vec<Comparison> {
            let found = self.compared().iter().filter_map(|series| compare(first, second, series));
            let named = |comparison: Comparison| Comparison {
                first: page::name(first).to_owned(),
                second: page::name(second).to_owned(),
                ..comparison
            };
            found.map(named).collect()
        };
        std::iter::once(Vec::new()).chain(others.iter().map(against)).collect()
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Texts(_))
    }

    /// Methods of several passes are one table.
    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        page::notes(run)
    }

    fn panels(&self, run: &Run) -> Vec<Panel> {
        let mut panels = pictures::comparison(&run.trials).panels;
        panels.extend(pictures::pareto(&run.trials).panels);
        panels
    }

    fn legend(&self, run: &Run) -> Legend {
        Legend::of([pictures::comparison(&run.trials), pictures::pareto(&run.trials)])
    }

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        page::document(self, run)
    }
}

#[cfg(test)]
mod tests {
    use super::super::method::{Group, Method};
    use super::super::study::Study;
    use super::*;
    use crate::experiment::Text;
    use crate::{Observer, Repetitions, Warmups};
    use pacemark_backend::{MockBackend, TokenId};
    use pacemark_record::Texts;
    use pacemark_setup::CacheTypes;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    /// Whose turn it was, a list for each round.
    #[derive(Default)]
    struct Turns {
        rounds: Vec<String>,
        now: String,
        warmed_up: bool,
    }

    impl Observer for Turns {
        fn turn(&mut self, method: &str) {
            self.now += method;
        }
        fn phase(&mut self, phase: crate::Phase) {
            if phase == crate::Phase::Repetition(1) {
                self.warmed_up = std::mem::take(&mut self.now) == "a";
            }
        }
        fn round(&mut self, trials: &[Trial]) {
            self.rounds.push(std::mem::take(&mut self.now));
            let n = |trial: &Trial| trial.texts().unwrap().continued().count();
            assert!(trials.iter().all(|trial| n(trial) == self.rounds.len()), "all of a round");
        }
    }

    fn study() -> Study {
        let method = |name: &str| Method {
            name: name.into(),
            kv: "full".into(),
            cache: CacheTypes::default(),
            group: Group::Other,
            unscored: Some("the mock scores no texts".into()),
        };
        let methods = ["a", "b", "c"].map(method).into();
        Study { methods, n_samples: 2, n_tokens: 30, n_gen: 10, ..Study::default() }
    }

    fn measured(
        study: &Study,
        n_text: TokenId,
        stop: bool,
    ) -> (Result<Vec<Trial>, CutShort>, Turns) {
        let mock = MockBackend::new(Duration::from_millis(1), Duration::from_millis(5));
        let tokens: Vec<TokenId> = (0..n_text).collect();
        let text = Text { backend: &mock, tokens: &tokens, n_bytes: &|_| 0 };
        let mut turns = Turns::default();
        let mut how = How {
            repetitions: Repetitions::exactly(2),
            warmup: Warmups::UntilSettled,
            seed: 0,
            observer: &mut turns,
            stop: &AtomicBool::new(stop),
        };
        let case = Case::Study(study.clone());
        let result = KvStudy.measure(&case, &mut Subject::Text(text), &mut how);
        (result, turns)
    }

    #[test]
    fn every_other_round_goes_the_other_way() {
        let (trials, turns) = measured(&study(), 70, false);
        assert!(turns.warmed_up);
        assert_eq!(turns.rounds, ["abc", "cba", "abc", "cba"]);
        for (turn, trial) in trials.unwrap().iter().enumerate() {
            let Some(Texts { texts }) = trial.texts() else { panic!() };
            let indices: Vec<u64> = texts.iter().map(|text| text.index).collect();
            assert_eq!((&indices[..], trial.turn), (&[0, 1, 0, 1][..], turn as u64));
            let continued = texts[3].continued.as_ref().unwrap();
            assert_eq!((continued.ttft_s(), continued.tpot_s()), (Some(0.02), Some(0.005)));
            assert_eq!(trial.repetitions, 4);
        }
    }

    #[test]
    fn what_cannot_be_measured_leaves_nothing() {
        let (short, _) = measured(&study(), 59, false);
        let error = short.unwrap_err().error.to_string();
        assert!(error.contains("59 tokens") && error.contains("room for 1"), "{error}");
        let (stopped, _) = measured(&study(), 70, true);
        let cut = stopped.unwrap_err();
        assert_eq!((cut.partial.len(), cut.error), (0, BenchError::Interrupted));
        let long = Study { n_gen: 30, ..study() };
        assert!(measured(&long, 70, false).0.is_err());
    }
}
