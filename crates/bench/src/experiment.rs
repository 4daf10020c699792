//! What an experiment is, and the table of all: each is one value that says what it measures, how,
//! which figures it has and how they are shown. Commands, formats and records follow from it.

use crate::cold::{self, Launcher, Launches};
use crate::distance::{Apartness, Reference};
use crate::doctor::Machine;
use crate::fit::{Fitting, Setting};
use crate::genai::{self, Prompted, Writer};
use crate::generation::Generate;
use crate::kv::{Stream, Study};
use crate::perplexity::Chunks;
use crate::quant::{Candidates, Types};
use crate::reported::{self, Rows};
use crate::self_test::Mocks;
use crate::stages::{Climb, Ladder};
use crate::tasks::{self, Battery};
use crate::tune::{self, Candidates as Settings, Search};
use crate::versus::{self, Bout, Contenders};
use crate::{
    BenchError, CutShort, Grid, Observer, Repetitions, Test, Warmups, Warning, batched, devices,
    distance, doctor, elsewhere, fit, generation, kv, load, perplexity, quant, self_test, stages,
    throughput, warnings,
};
use pacemark_backend::{Backend, TokenId};
use pacemark_load::self_test::SelfTest;
use pacemark_load::{Level, LoadPlan, Watch};
use pacemark_record::{Comparison, Measured, Metric, Model, Run, Series, Trial, compare};
use pacemark_report::layout::{PLAIN, comparisons};
use pacemark_report::picture::{Legend, Panel};
use pacemark_report::{Document, Form, Layout, Row, Table, TrialRow, Verdict};
use std::sync::atomic::AtomicBool;

/// Every experiment.
pub const EXPERIMENTS: &[&dyn Experiment] = &[
    &throughput::Throughput,
    &batched::Batched,
    &perplexity::Perplexity,
    &distance::Distance,
    &kv::TextStream,
    &kv::KvStudy,
    &quant::QuantStudy,
    &cold::ColdStart,
    &tasks::Accuracy,
    &tasks::Retrieval,
    &fit::FitModel,
    &stages::Stages,
    &load::Load,
    &self_test::SelfTest,
    &generation::Generation,
    &genai::Genai,
    &doctor::Doctor,
    &tune::Tune,
    &versus::Versus,
];

/// A kind of measurement that Pacemark can make.
pub trait Experiment: Sync {
    /// Its name in records and on the command line.
    fn name(&self) -> &'static str;

    /// One line on what it measures.
    fn help(&self) -> &'static str;

    /// The tests that a grid of parameters asks for, in the order in which they run; none of what
    /// is not measured by tests of a backend.
    fn cases(&self, grid: &Grid) -> Vec<Case> {
        let _ = grid;
        Vec::new()
    }

    /// Measures one case: a trial for each thing that is compared. What was measured before an
    /// error or an interrupt is not lost.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort>;

    /// What its rows show.
    fn layout<'a>(&self, varied: &'a [&'a str]) -> Layout<'a> {
        Layout { form: self.form(), metrics: self.metrics(), varied }
    }

    /// Its figures, in the order of their columns.
    fn metrics(&self) -> &'static [Metric];

    /// The figure that stands for a trial where there is room for one.
    fn headline(&self) -> Option<&'static Metric> {
        let metrics = self.metrics();
        metrics.iter().find(|metric| metric.in_tables).or(metrics.first())
    }

    /// Which row of its run a trial is, in words.
    fn row_name(&self, run: &Run, trial: &Trial) -> String {
        let varied: Vec<&str> = run.varied.iter().map(String::as_str).collect();
        self.layout(&varied).name(&TrialRow { env: &run.env, trial, comparisons: &[] })
    }

    /// What two of its trials are compared by, pair by pair.
    fn compared(&self) -> &'static [&'static Series] {
        &[]
    }

    /// What a trial is called in comparisons, where that is not its backend.
    fn compared_as(&self, trial: &Trial) -> Option<String> {
        let _ = trial;
        None
    }

    /// Whose fields and columns stand before its figures.
    fn form(&self) -> &'static Form {
        &PLAIN
    }

    /// Whether its trials measure this kind of thing.
    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Repetitions { .. })
    }

    /// The format in which people are shown it unless they ask for another.
    fn format(&self) -> &'static str {
        "md"
    }

    /// Rows mean something before all is measured.
    fn streams(&self) -> bool {
        true
    }

    /// What a reader of a run should know besides its figures, a sentence each.
    fn notes(&self, run: &Run) -> Vec<String> {
        let mut notes: Vec<String> =
            warnings(&run.env, &run.trials).iter().map(Warning::to_string).collect();
        for trial in &run.trials {
            let name = trial.test_name();
            notes.extend(trial.notes.iter().map(|note| format!("{name}: {note}")));
        }
        notes.extend(elsewhere::advice(self, run));
        notes
    }

    /// What a report shows of a run in pictures.
    fn panels(&self, run: &Run) -> Vec<Panel> {
        reported::panels(&Rows::of(self, run))
    }

    /// What colours and lines of its pictures mean, where they mean something.
    fn legend(&self, run: &Run) -> Legend {
        let _ = run;
        Legend::default()
    }

    /// Names of its document's facts that its verdicts say too.
    fn judged(&self) -> &'static [&'static str] {
        &[]
    }

    /// What a run comes to, the most important first.
    fn verdicts(&self, run: &Run) -> Vec<Verdict> {
        reported::verdicts(self, run)
    }

    /// What follows from a run, a sentence or two each: which setting helped, and where it ended.
    fn advice(&self, run: &Run) -> Vec<String> {
        reported::advice(&Rows::of(self, run))
    }

    /// Tables below the rows: where the time went, where other machines computed, what
    /// devices did.
    fn further(&self, run: &Run) -> Vec<Table> {
        elsewhere::tables(self, run).into_iter().chain(devices::table(self, run)).collect()
    }

    /// A run as it is shown, without its notes. Parameters that were `varied` have columns.
    fn document(&self, run: &Run, varied: &[&str]) -> Document {
        let layout = self.layout(varied);
        let compared = self.comparisons(&run.trials);
        let rows = run.trials.iter().zip(&compared).map(|(trial, comparisons)| {
            layout.row(&TrialRow { env: &run.env, trial, comparisons })
        });
        let rows: Vec<Row> = rows.collect();
        let mut document = head(&layout, run);
        document.tables[0].rows = rows;
        document.tables.push(comparisons(varied, &compared.concat()));
        document.tables.extend(self.further(run));
        document
    }

    /// The first trial of each test against the others of it, which ran in turn with it: a list for
    /// each trial, empty for the first.
    fn comparisons(&self, trials: &[Trial]) -> Vec<Vec<Comparison>> {
        let groups = trials.chunk_by(|_, next| next.turn > 0);
        groups.flat_map(|group| self.against_first(group)).collect()
    }

    /// The same of one test's trials.
    fn against_first(&self, trials: &[Trial]) -> Vec<Vec<Comparison>> {
        let Some((first, others)) = trials.split_first() else { return Vec::new() };
        let names = |second: &Trial| self.compared_as(first).zip(self.compared_as(second));
        let against = |second: &Trial| -> Vec<Comparison> {
            let found = self.compared().iter().filter_map(|series| compare(first, second, series));
            let named = |comparison| match names(second) {
                Some((first, second)) => Comparison { first, second, ..comparison },
                None => comparison,
            };
            found.map(named).collect()
        };
        std::iter::once(Vec::new()).chain(others.iter().map(against)).collect()
    }
}

/// A document of a run before its rows are there.
pub fn head(layout: &Layout<'_>, run: &Run) -> Document {
    Document {
        tables: vec![layout.head()],
        build: Some((run.env.commit.clone(), run.env.build_number)),
        ..Document::default()
    }
}

/// The experiment of that name among `experiments`.
pub fn find<'a>(experiments: &[&'a dyn Experiment], name: &str) -> Option<&'a dyn Experiment> {
    experiments.iter().copied().find(|experiment| experiment.name() == name)
}

/// The metric of a series among `metrics`: the one with an interval, if there is one.
pub(crate) fn metric_of(metrics: &'static [Metric], series: &Series) -> Option<&'static Metric> {
    let mut of = metrics.iter().filter(|metric| metric.series.name == series.name);
    of.clone().find(|metric| metric.ends.is_some()).or(of.next())
}

/// One thing that an experiment measures.
#[derive(Clone, Debug)]
pub enum Case {
    /// A test of backends.
    Test(Test),
    /// How a text is cut.
    Chunks(Chunks),
    /// A text, predicted by two.
    Distance(Box<Apartness>),
    /// A text as one sequence.
    Stream(Stream),
    /// Ways to keep keys and values, on stretches of a text.
    Study(Study),
    /// Types of weights.
    Types(Box<Types>),
    /// Engines beside each other.
    Bout(Box<Bout>),
    /// Settings to search.
    Search(Box<Search>),
    /// Processes to start.
    Launches(Launches),
    /// Tasks, and settings that they are measured under.
    Battery(Battery),
    /// A way to run a model.
    Fit(Box<Setting>),
    /// A ladder of stages.
    Climb(Climb),
    /// A row of a load, and its number.
    Level(Level, u64),
    /// Streams to a mock server.
    Mock(SelfTest),
    /// One request.
    Generate(Box<Generate>),
    /// A prompt, again and again.
    Prompted(Box<Prompted>),
    /// A machine with so many threads, or by itself.
    Machine(Option<usize>),
}

/// What is measured.
pub enum Subject<'a> {
    /// Backends; several are measured in turn.
    Backends(&'a [&'a dyn Backend]),
    /// A backend that is given texts.
    Writer(Writer<'a>),
    /// A backend that scores a text.
    Text(Text<'a>),
    /// The same, and whom it is compared with.
    Pair(Reference<'a>, Text<'a>),
    /// A model in several types of weights.
    Types(&'a mut dyn Candidates),
    /// A model in several engines.
    Contenders(&'a mut dyn Contenders),
    /// A model under several settings.
    Settings(&'a mut dyn Settings),
    /// Who starts processes.
    Launcher(&'a mut dyn Launcher),
    /// A serving stack.
    Ladder(&'a mut dyn Ladder, &'a Model),
    /// A server under a load.
    Load(&'a LoadPlan, &'a mut dyn Watch),
    /// A load's own client.
    Mocks(&'a mut dyn Mocks, &'a mut dyn Watch),
    /// Parts of a model, and the model itself.
    Fit(&'a mut dyn Fitting),
    /// The machine.
    Machine(&'a mut dyn Machine),
}

/// A text and who scores it.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// Who scores it.
    pub backend: &'a dyn Backend,
    /// The whole text, with special tokens as the model adds them.
    pub tokens: &'a [TokenId],
    /// The length of a token's text.
    pub n_bytes: &'a dyn Fn(TokenId) -> usize,
}

/// How it is measured, and who watches.
pub struct How<'a> {
    /// How often.
    pub repetitions: Repetitions,
    /// Runs before counting begins.
    pub warmup: Warmups,
    /// Start of the random tokens.
    pub seed: u64,
    /// Told of everything that happens.
    pub observer: &'a mut dyn Observer,
    /// Set by who wants the measurement to end; looked at between events.
    pub stop: &'a AtomicBool,
}

/// That an experiment was given what it cannot measure: a mistake of the caller.
pub(crate) fn mismatch(experiment: &dyn Experiment) -> CutShort {
    let error = BenchError::Mismatch { experiment: experiment.name() };
    CutShort { partial: Vec::new(), error }
}
