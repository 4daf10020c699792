//! Tasks as experiments: multiple choice, and answers that stand in a context.

use super::difference::Figure;
use super::page;
use super::picture::heat;
use crate::Experiment;
use crate::experiment::{Case, How, Subject, mismatch};
use crate::memory;
use crate::repeat::{CutShort, filled};
use crate::reported::{self, Rows};
use pacemark_record::{
    Better, Ends, Item, Items, Measured, Metric, Run, Series, Statistic, Trial, Unit,
};
use pacemark_report::picture::Panel;
use pacemark_report::{Document, Form, layout};

/// Multiple choice by log-likelihood.
pub struct Accuracy;

/// Whether what a context holds is found again.
pub struct Retrieval;

/// Whether the most likely choice is right, and the same for its length.
const ACCURACIES: &[Figure] = &[
    Figure { name: "acc", of: Item::score },
    Figure { name: "acc_norm", of: Item::score_by_length },
];

/// The share of answers.
const RECALL: &[Figure] = &[Figure { name: "recall", of: Item::score }];

impl Experiment for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn help(&self) -> &'static str {
        "which of several continuations a model finds most likely, by lm-eval's rules"
    }

    /// An interrupt keeps the items until then.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        measure(self, case, subject, how)
    }

    fn metrics(&self) -> &'static [Metric] {
        OF_CHOICES
    }

    fn form(&self) -> &'static Form {
        &layout::CHOICES
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Items(items) if items.are_choices())
    }

    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        page::notes(run)
    }

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        page::document(self, run, ACCURACIES)
    }
}

impl Experiment for Retrieval {
    fn name(&self) -> &'static str {
        "retrieval"
    }

    fn help(&self) -> &'static str {
        "whether what a long context holds is found again: needle, passkey, RULER"
    }

    /// An interrupt keeps the items until then.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        measure(self, case, subject, how)
    }

    fn metrics(&self) -> &'static [Metric] {
        OF_ANSWERS
    }

    fn form(&self) -> &'static Form {
        &layout::ANSWERS
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Items(items) if items.are_answers())
    }

    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        page::notes(run)
    }

    /// By depth and length, where what is looked for lies at a depth.
    fn panels(&self, run: &Run) -> Vec<Panel> {
        let mut panels = match page::all_depths(&run.trials).is_empty() {
            true => Vec::new(),
            false => heat(&run.trials, "").panels,
        };
        panels.extend(reported::panels(&Rows::of(self, run)));
        panels
    }

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        page::document(self, run, RECALL)
    }
}

fn measure(
    experiment: &dyn Experiment,
    case: &Case,
    subject: &mut Subject<'_>,
    how: &mut How<'_>,
) -> Result<Vec<Trial>, CutShort> {
    let (Case::Battery(battery), Subject::Backends([backend])) = (case, subject) else {
        return Err(mismatch(experiment));
    };
    filled(Vec::new(), |trials| {
        let result = battery.measure(experiment.name(), *backend, how, trials);
        let peak_rss_bytes = memory::peak_rss_bytes(*backend);
        trials.iter_mut().for_each(|trial| trial.peak_rss_bytes = peak_rss_bytes);
        result
    })
}

const OF_CHOICES: &[Metric] = &[
    mean(&ACC).within(|t| t.items()?.interval(Item::score)),
    Metric::new(&ACC_STDERR, Statistic::Only),
    mean(&ACC_NORM).within(|t| t.items()?.interval(Item::score_by_length)),
    Metric::new(&ACC_NORM_STDERR, Statistic::Only),
];

const OF_ANSWERS: &[Metric] = &[mean(&RECALLED).within(|t| t.items()?.interval(Item::score))];

const ENDS: Ends = Ends { infix: "_ci95", titles: Some(["95 % from", "to"]) };

const fn mean(series: &'static Series) -> Metric {
    Metric::new(series, Statistic::Mean).named(series.name, series.title).with_ends(ENDS).shown()
}

fn scores(trial: &Trial, of: fn(&Item) -> f64) -> Vec<f64> {
    trial.items().map(|items| items.scores(of)).unwrap_or_default()
}

fn standard_error(trial: &Trial, of: fn(&Item) -> f64) -> Vec<f64> {
    trial.items().and_then(|items: &Items| items.standard_error(of)).into_iter().collect()
}

const ACC: Series = Series {
    name: "acc",
    title: "acc",
    unit: Unit::Ratio,
    better: Better::Higher,
    help: "share of items whose most likely choice is right",
    of: |t| scores(t, Item::score),
};

const ACC_STDERR: Series = Series {
    name: "acc_stderr",
    title: "acc stderr",
    better: Better::Lower,
    help: "its standard error, as lm-eval prints it",
    of: |t| standard_error(t, Item::score),
    ..ACC
};

const ACC_NORM: Series = Series {
    name: "acc_norm",
    title: "acc_norm",
    help: "the same where log-likelihoods are divided by the choice's characters",
    of: |t| scores(t, Item::score_by_length),
    ..ACC
};

const ACC_NORM_STDERR: Series = Series {
    name: "acc_norm_stderr",
    title: "acc_norm stderr",
    better: Better::Lower,
    help: "its standard error",
    of: |t| standard_error(t, Item::score_by_length),
    ..ACC
};

const RECALLED: Series = Series {
    name: "recall",
    title: "recall",
    help: "share of the expected answers that the output holds, the mean over items",
    ..ACC
};
