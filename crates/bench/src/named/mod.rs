//! Figures by their names, whatever they were measured in: what a target is set for, and what two
//! runs are compared by.
//!
//! A name is that of a column (`ttft_ms_p99`), a series with a statistic behind it (`ttft_ms.p95`,
//! whether or not it has a column), a series alone, which means its mean, or one of [`COMMON`],
//! which every kind of measurement has that can. Points and underscores are the same.

mod common;

use crate::experiment::find;
use crate::{EXPERIMENTS, Experiment};
pub use common::{ALIASES, COMMON};
use pacemark_record::{
    Better, Ends, Figure, Measure, Measured, Metric, Series, Statistic, Trial, Unit, stats,
};
use serde_json::{Map, Value};

/// A figure that somebody named.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The name, with underscores.
    name: String,
    /// What of it is a series' name, if the rest is a statistic's.
    stem: Option<(String, Statistic)>,
}

/// A figure of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Its value, and what it was made of.
    pub measure: Measure,
    /// Its unit.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
}

/// Fewer values than this have no interval of their mean.
const MEAN_NEEDS: usize = 5;

/// Makes the mean of a series have an interval.
const ENDS: Ends = Ends { infix: "_ci95", titles: None };

impl Named {
    /// The figure of that name; of an unknown one, what to say of it.
    pub fn parse(text: &str) -> Result<Named, String> {
        let written = plain(text.trim());
        let (stem, suffix) = split(&written);
        let alias = ALIASES.iter().find(|(alias, _)| *alias == stem);
        let stem = alias.map_or(stem, |(_, name)| name);
        let name = format!("{stem}{suffix}");
        let stem = statistic(suffix).map(|statistic| (stem.to_owned(), statistic));
        let named = Named { name, stem };
        if EXPERIMENTS.iter().any(|experiment| named.metric(*experiment).is_some()) {
            return Ok(named);
        }
        let known = names_of(EXPERIMENTS);
        Err(unknown(text, &known.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    /// Its name, with underscores.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The statistic that it is, and the values in a trial that it is made of.
    pub(crate) fn sample(&self, trial: &Trial) -> Option<(Statistic, Vec<f64>)> {
        let metric = self.metric(find(EXPERIMENTS, &trial.experiment)?)?;
        Some((metric.statistic, (metric.series.of)(trial)))
    }

    /// The metric that it is in an experiment.
    pub(crate) fn metric(&self, experiment: &dyn Experiment) -> Option<Metric> {
        let metrics = || experiment.metrics().iter().chain(COMMON);
        let column = metrics().find(|metric| plain(&metric.name()) == self.name);
        let of_series = || {
            let (stem, statistic) = match &self.stem {
                Some((stem, statistic)) => (stem, *statistic),
                None => (&self.name, Statistic::Mean),
            };
            let series = metrics().map(|metric| metric.series);
            let mut series = series.chain(experiment.compared().iter().copied());
            let series: &'static Series = series.find(|series| plain(series.name) == *stem)?;
            Some(Metric::new(series, statistic))
        };
        let metric = column.copied().or_else(of_series)?;
        Some(if metric.ends.is_some() { metric } else { metric.with_ends(ENDS) })
    }

    /// The figure in a trial; `None` where its kind of trial has no such figure.
    pub fn of(&self, trial: &Trial) -> Option<Found> {
        let metric = self.metric(find(EXPERIMENTS, &trial.experiment)?)?;
        let measure = match &trial.measured {
            Measured::Facts { facts } => self.of_facts(facts)?,
            _ => measured(&metric, trial),
        };
        Some(Found { measure, unit: metric.unit(), better: metric.better() })
    }

    /// Its values in a trial, one for each run or request, where it is the mean of them.
    pub fn values(&self, trial: &Trial) -> Option<Vec<f64>> {
        let metric = self.metric(find(EXPERIMENTS, &trial.experiment)?)?;
        (metric.statistic == Statistic::Mean).then(|| (metric.series.of)(trial))
    }

    /// Of what another tool found: values of each request, or a summary.
    fn of_facts(&self, facts: &Map<String, Value>) -> Option<Measure> {
        let fact = |name: &str| facts.get(name).or_else(|| find_plain(facts, name));
        let (stem, statistic) = match &self.stem {
            Some((stem, statistic)) => (stem.as_str(), *statistic),
            None => (self.name.as_str(), Statistic::Mean),
        };
        let once = |value: f64| {
            let figure = Figure { value: Some(value), interval: None };
            Measure { figure, runs: 1, needs: None }
        };
        if let Some(Value::Array(list)) = fact(stem) {
            let values: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
            return Some(of_values(&values, statistic));
        }
        let scalar = fact(&self.name).or_else(|| fact(&format!("{}_mean", self.name)));
        scalar.and_then(Value::as_f64).map(once)
    }
}

/// A metric's figure in a trial, and how many runs and values it takes.
fn measured(metric: &Metric, trial: &Trial) -> Measure {
    let values = (metric.series.of)(trial).len();
    let runs = match (trial.samples().len(), trial.requests().len()) {
        (0, 0) => values,
        (0, requests) => requests,
        (samples, _) => samples,
    };
    // A value that is read off once.
    let runs = runs.min(values);
    // Of gaps there are many in a run.
    let each = values.max(1).div_ceil(runs.max(1));
    let needs = needs(metric.statistic).map(|needs| needs.div_ceil(each));
    Measure { figure: metric.of(trial), runs, needs }
}

fn needs(statistic: Statistic) -> Option<usize> {
    match statistic {
        Statistic::Mean => Some(MEAN_NEEDS),
        Statistic::Quantile(p) => stats::least_samples(p, stats::CONFIDENCE),
        _ => None,
    }
}

/// A statistic of plain values, as [`Metric::of`] makes it of a trial's.
fn of_values(values: &[f64], statistic: Statistic) -> Measure {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (value, interval) = match statistic {
        Statistic::Mean => (stats::mean(values), stats::mean_interval(values, stats::CONFIDENCE)),
        Statistic::Quantile(p) => (
            stats::supported_quantile(&sorted, p, stats::CONFIDENCE),
            stats::quantile_interval(&sorted, p, stats::CONFIDENCE)
                .map(|(low, high)| stats::Interval { low, high }),
        ),
        Statistic::StandardDeviation => (stats::sample_sd(values), None),
        Statistic::Least => (sorted.first().copied(), None),
        Statistic::Most => (sorted.last().copied(), None),
        _ => (None, None),
    };
    Measure { figure: Figure { value, interval }, runs: values.len(), needs: needs(statistic) }
}

/// What to say of a name that is not known: the nearest of those that are.
pub(crate) fn unknown(text: &str, known: &[&str]) -> String {
    let written = plain(text.trim());
    // A name without its unit.
    let begun = || {
        let longer = known.iter().copied().filter(|name| name.starts_with(&format!("{written}_")));
        longer.min_by_key(|name| name.len())
    };
    let nearest = pacemark_files::nearest(&written, known.iter().copied());
    let advice = match nearest.or_else(begun) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            let near = pacemark_files::by_likeness(&written, known.iter().copied());
            format!("the nearest are {}", near[..near.len().min(4)].join(", "))
        }
    };
    format!("unknown metric {}, {advice}", pacemark_files::quoted(text))
}

/// Every name that figures of these experiments have, for advice.
pub(crate) fn names_of(experiments: &[&dyn Experiment]) -> Vec<String> {
    let metrics = || experiments.iter().flat_map(|e| e.metrics()).chain(COMMON);
    let columns = metrics().map(Metric::name);
    let series = metrics().map(|metric| metric.series.name.to_owned());
    let aliases = ALIASES.iter().map(|(alias, _)| (*alias).to_owned());
    let mut names: Vec<String> = columns.chain(series).chain(aliases).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// With underscores.
fn plain(name: &str) -> String {
    name.replace(['.', '-'], "_")
}

fn find_plain<'f>(facts: &'f Map<String, Value>, name: &str) -> Option<&'f Value> {
    facts.iter().find(|(key, _)| plain(key) == name).map(|(_, value)| value)
}

/// A series' name and what is behind it, if that is a statistic.
fn split(name: &str) -> (&str, &str) {
    let behind = |at: usize| statistic(&name[at..]).is_some();
    let at = name.match_indices('_').map(|(at, _)| at).find(|at| behind(*at));
    name.split_at(at.unwrap_or(name.len()))
}

/// What a suffix asks for: `_p95`, `_p99_9`, `_mean`, `_sd`, `_min`, `_max`.
fn statistic(suffix: &str) -> Option<Statistic> {
    Some(match suffix.strip_prefix('_')? {
        "mean" => Statistic::Mean,
        "sd" => Statistic::StandardDeviation,
        "min" => Statistic::Least,
        "max" => Statistic::Most,
        quantile => {
            let digits = quantile.strip_prefix('p')?;
            let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
                && digits.chars().all(|c| c.is_ascii_digit() || c == '_');
            let p: f64 = is_number.then(|| digits.replace('_', ".").parse().ok())??;
            (p > 0.0 && p < 100.0).then_some(Statistic::Quantile(p / 100.0))?
        }
    })
}

#[cfg(test)]
mod tests;
