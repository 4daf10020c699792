//! Two sides, each of one run or several, compared test by test and figure by figure.
//!
//! Who measured them does not matter: records of ours and results of other tools are runs. Which
//! rows of both sides are the same test is `matching`'s business, what else is different between the
//! sides `environment`'s, what a ratio allows to say [`Versus`]'s. Files are read by the caller.

mod condition;
mod environment;
mod matching;
mod page;
mod picture;
mod turns;

use crate::named::Named;
pub use condition::{Condition, Held};
pub use environment::Difference;
use matching::Tests;
use pacemark_record::{Better, Measured, Run, Trial, Unit, Verdict, Versus};
pub use page::document;
pub use picture::picture;
pub use turns::turns;

/// A run, and what it is called.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name: of a file.
    pub name: String,
    /// What was measured.
    pub run: Run,
}

/// How the two sides belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Repetitions of one run, measured in turn.
    Repetitions,
    /// Runs, the first of one side beside the first of the other.
    Runs,
    /// A run each, of different times.
    None,
}

impl Pairing {
    /// In words.
    pub fn told(self) -> &'static str {
        match self {
            Pairing::Repetitions => "paired by repetition: measured in turn within one run",
            Pairing::Runs => "paired by run: the first of one side with the first of the other",
            Pairing::None => "unpaired: one run each, at different times",
        }
    }
}

/// Two sides.
#[derive(Clone, Debug)]
pub struct Sides {
    /// What is compared with.
    pub base: Vec<Source>,
    /// What is compared.
    pub new: Vec<Source>,
    /// How they belong together.
    pub pairing: Pairing,
}

/// One figure of one test.
#[derive(Clone, Debug)]
pub struct Ratio {
    /// The test.
    pub test: String,
    /// The figure.
    pub figure: Named,
    /// Its unit.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// What it came to.
    pub versus: Versus,
}

impl Ratio {
    /// In a word or two, of the new side. Two runs of different times never have the verdict of a
    /// measurement in turn (metrics.md, rule 7).
    pub fn verdict(&self) -> &'static str {
        let verdict = self.versus.verdict(self.better);
        match (verdict, self.better, self.versus.pairs) {
            (Verdict::NotDistinguishable, _, _) => "not distinguishable",
            (Verdict::TooFewPairs, _, 0) => "no interval",
            (Verdict::TooFewPairs, _, _) => "too few pairs",
            (Verdict::Faster, Better::Neither, 0) => "higher, unpaired",
            (Verdict::Slower, Better::Neither, 0) => "lower, unpaired",
            (Verdict::Faster, Better::Neither, _) => "higher",
            (Verdict::Slower, Better::Neither, _) => "lower",
            (Verdict::Faster, _, 0) => "better, unpaired",
            (Verdict::Slower, _, 0) => "worse, unpaired",
            (Verdict::Faster, _, _) => "better",
            (Verdict::Slower, _, _) => "worse",
        }
    }
}

/// What a comparison came to.
#[derive(Clone, Debug)]
pub struct Contrast {
    /// Names of both sides.
    pub names: [Vec<String>; 2],
    /// How they belong together.
    pub pairing: Pairing,
    /// Each figure of each test that both have.
    pub ratios: Vec<Ratio>,
    /// What else is different.
    pub differences: Vec<Difference>,
    /// What a reader should know, a sentence each.
    pub notes: Vec<String>,
}

/// Why two sides cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContrastError {
    /// Pairs of runs need as many of one side as of the other.
    #[error("{base} runs cannot be paired with {new}: give as many of one side as of the other")]
    Unequal {
        /// Runs of one side.
        base: usize,
        /// Of the other.
        new: usize,
    },
    /// No test is on both sides.
    #[error("nothing in common: {base} on one side, {new} on the other")]
    NoTest {
        /// Tests of one side.
        base: String,
        /// Of the other.
        new: String,
    },
    /// Tests are, but no figure.
    #[error("no figure that both sides have, of {tried}")]
    NoFigure {
        /// What was looked for.
        tried: String,
    },
}

/// What is compared unless somebody asks for other figures: of what tells a user whether it is
/// faster, one figure for each.
const OF_TESTS: &[&str] =
    &["decode_tps", "prefill_tps", "ttft_ms", "itl_ms.p99", "peak_memory_gb", "load_ms"];
const OF_BATCHES: &[&str] = &["speed_pp", "speed_tg", "itl_ms.p99", "peak_memory_gb"];
const OF_LOADS: &[&str] = &[
    "request_rate",
    "output_ts_total",
    "decode_tps",
    "ttft_ms",
    "ttft_ms.p99",
    "tpot_ms",
    "tpot_ms.p99",
    "e2e_ms",
    "e2e_ms.p99",
    "goodput",
];

/// Compares two sides, by these figures or the usual ones.
pub fn contrast(sides: &Sides, asked: &[Named]) -> Result<Contrast, ContrastError> {
    let Sides { base, new, pairing } = sides;
    if *pairing != Pairing::None && base.len() != new.len() {
        return Err(ContrastError::Unequal { base: base.len(), new: new.len() });
    }
    let tests = Tests::of(base, new)?;
    let mut ratios = Vec::new();
    for test in &tests.common {
        let usual = usual(test.base[0]);
        let figures = if asked.is_empty() { &usual } else { asked };
        ratios.extend(figures.iter().filter_map(|figure| ratio(figure, test, *pairing)));
    }
    if ratios.is_empty() {
        let usual = tests.common.iter().flat_map(|test| usual(test.base[0])).collect::<Vec<_>>();
        let figures = if asked.is_empty() { &usual } else { asked };
        let mut tried: Vec<&str> = figures.iter().map(Named::name).collect();
        tried.dedup();
        return Err(ContrastError::NoFigure { tried: tried.join(", ") });
    }
    let names = [base, new].map(|side| side.iter().map(|source| source.name.clone()).collect());
    let differences = environment::differences(base, new, &tests.common);
    let mut notes = tests.notes;
    notes.extend(environment::notes(base, new, *pairing));
    let few = ratios.iter().any(|r| r.versus.pairs > 0 && r.versus.interval.is_none());
    if few {
        notes.push("fewer than five pairs have no interval: a ratio alone is no verdict".into());
    }
    Ok(Contrast { names, pairing: *pairing, ratios, differences, notes })
}

/// The figures of a kind of test.
fn usual(trial: &Trial) -> Vec<Named> {
    let named = |names: &[&str]| names.iter().filter_map(|name| Named::parse(name).ok()).collect();
    match (trial.experiment.as_str(), &trial.measured) {
        ("throughput", _) => named(OF_TESTS),
        ("batched", _) => named(OF_BATCHES),
        (_, Measured::Requests(_) | Measured::Facts { .. }) => named(OF_LOADS),
        (name, _) => {
            let experiment = crate::experiment::find(crate::EXPERIMENTS, name);
            let metrics = experiment.map_or(&[][..], |experiment| experiment.metrics());
            let shown = metrics.iter().filter(|m| m.in_tables || m.ends.is_some());
            let names: Vec<String> = shown.map(|metric| metric.name()).collect();
            named(&names.iter().map(String::as_str).collect::<Vec<_>>())
        }
    }
}

/// One figure of one test, where both sides have it.
fn ratio(figure: &Named, test: &matching::Common<'_>, pairing: Pairing) -> Option<Ratio> {
    let first = figure.of(test.base[0])?;
    let of = |trials: &[&Trial]| -> Option<Vec<f64>> {
        trials.iter().map(|trial| figure.of(trial)?.measure.figure.value).collect()
    };
    let versus = match pairing {
        Pairing::Runs => Versus::paired(&of(&test.base)?, &of(&test.new)?),
        Pairing::Repetitions => {
            Versus::paired(&figure.values(test.base[0])?, &figure.values(test.new[0])?)
        }
        Pairing::None => {
            let new = figure.of(test.new[0])?;
            Versus::unpaired(&first.measure.figure, &new.measure.figure)
        }
    }?;
    let test = test.name.clone();
    Some(Ratio { test, figure: figure.clone(), unit: first.unit, better: first.better, versus })
}

#[cfg(test)]
mod tests;
