//! The study as an experiment: ways to keep keys and values, for what they cost in answers, in time
//! and in memory.

use super::figures::{METRICS, TPOT};
use super::page;
use super::study::EXPERIMENT;
use crate::experiment::{Case, How, Subject, mismatch};
use crate::repeat::CutShort;
use crate::{BenchError, Experiment};
use pacemark_record::env::CpuTime;
use pacemark_record::{Comparison, Measured, Metric, Run, Series, Trial, compare};
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
        let before = CpuTime::now();
        let mut trials = study.trials(&info, how.repetitions.least * study.n_samples);
        let result = study.rounds(text, lead, &mut trials, how);
        let steal_share =
            before.zip(CpuTime::now()).and_then(|(before, now)| before.steal_share_until(now));
        trials.iter_mut().for_each(|trial| trial.steal_share = steal_share);
        trials.retain(|trial| !trial.measured.is_empty());
        match result {
            Ok(()) => Ok(trials),
            Err(error) => Err(CutShort { partial: trials, error }),
        }
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
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

    fn document(&self, run: &Run, varied: &[&str]) -> Document {
        page::document(self, run, varied)
    }
}
