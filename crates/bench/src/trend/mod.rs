//! One figure over the runs of a history: a line for all that measured the same thing, and where its
//! level changes.
//!
//! Figures are computed anew from the raw samples. Which runs there are is the caller's business.

mod page;
mod picture;

use crate::experiment::{EXPERIMENTS, find};
use pacemark_record::stats::{CHANGE_CONFIDENCE, change_points, mean};
use pacemark_record::{Alike, Figure, Metric, Run, Trial};
pub use page::document;
pub use picture::picture;

/// A run of the history.
pub struct Past {
    /// Its id there.
    pub id: String,
    /// The run.
    pub run: Run,
}

/// The figure over the runs that measured the same thing.
pub struct Line {
    /// The metric; experiments may have different ones of a name.
    pub metric: &'static Metric,
    /// What they have in common.
    pub alike: Alike,
    /// Which row of its run it is, in words.
    pub test: String,
    /// The oldest first.
    pub points: Vec<Point>,
    /// Points with which a new level begins, told from noise with [`CHANGE_CONFIDENCE`].
    pub changes: Vec<usize>,
}

/// The figure of one run.
pub struct Point {
    /// The run's id.
    pub id: String,
    /// When it began, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Version and commit that measured.
    pub build: [String; 2],
    /// The figure and its interval.
    pub figure: Figure,
}

/// The names of all figures that a trial can have, each once.
pub fn metric_names() -> Vec<String> {
    let metrics = EXPERIMENTS.iter().flat_map(|experiment| experiment.metrics());
    let mut names: Vec<String> = metrics.map(Metric::name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Lines of one metric.
pub struct Lines {
    /// Those with the newest points first.
    pub lines: Vec<Line>,
    /// How many more there are.
    pub left: usize,
}

/// What belongs to a line, before intervals and levels are found: they are what takes time.
struct Group<'a> {
    metric: &'static Metric,
    alike: Alike,
    test: String,
    of: Vec<(&'a Past, &'a Trial)>,
}

/// The lines of the metric of that name whose test has `test` in its name, `most` of them at most.
/// `runs` are the oldest first.
pub fn lines(name: &str, runs: &[Past], test: &str, most: usize) -> Lines {
    let mut groups: Vec<Group> = Vec::new();
    for past in runs {
        for trial in &past.run.trials {
            let Some(metric) = measured(name, trial) else { continue };
            let alike = Alike::of(&past.run, trial);
            match groups.iter_mut().find(|group| group.alike == alike) {
                Some(group) => group.of.push((past, trial)),
                None => {
                    let test = find(EXPERIMENTS, &trial.experiment)
                        .map_or(String::new(), |experiment| experiment.row_name(&past.run, trial));
                    groups.push(Group { metric, alike, test, of: vec![(past, trial)] });
                }
            }
        }
    }
    groups.retain(|group| group.test.contains(test));
    groups.sort_by_key(|group| {
        std::cmp::Reverse(group.of.last().map(|(past, _)| past.run.env.started_unix_s))
    });
    let left = groups.len().saturating_sub(most);
    Lines { lines: groups.into_iter().take(most).map(Line::of).collect(), left }
}

/// The metric of that name, where a trial has a figure of it.
fn measured(name: &str, trial: &Trial) -> Option<&'static Metric> {
    let experiment = find(EXPERIMENTS, &trial.experiment)?;
    let metric = experiment.metrics().iter().find(|metric| metric.name() == name)?;
    metric.value(trial).filter(|value| value.is_finite()).map(|_| metric)
}

impl Point {
    fn of(metric: &Metric, past: &Past, trial: &Trial) -> Point {
        let env = &past.run.env;
        Point {
            id: past.id.clone(),
            started_unix_s: env.started_unix_s,
            build: [env.version.clone(), env.commit.clone()],
            figure: metric.of(trial),
        }
    }
}

impl Line {
    fn of(group: Group) -> Line {
        let Group { metric, alike, test, of } = group;
        let points = of.into_iter().map(|(past, trial)| Point::of(metric, past, trial)).collect();
        let line = Line { metric, alike, test, points, changes: Vec::new() };
        Line { changes: change_points(&line.values(), CHANGE_CONFIDENCE), ..line }
    }

    fn values(&self) -> Vec<f64> {
        self.points.iter().filter_map(|point| point.figure.value).collect()
    }

    /// Which level a point is on, from 0, and the mean of that.
    fn level(&self, point: usize) -> (usize, f64) {
        let number = self.changes.iter().filter(|change| **change <= point).count();
        let from = if number == 0 { 0 } else { self.changes[number - 1] };
        let to = self.changes.get(number).copied().unwrap_or(self.points.len());
        (number, mean(&self.values()[from..to]).unwrap_or(f64::NAN))
    }

    /// By which ratio the level changes with a point, less 1; `None` where it does not.
    fn change(&self, point: usize) -> Option<f64> {
        self.changes.contains(&point).then(|| {
            let (_, before) = self.level(point - 1);
            self.level(point).1 / before - 1.0
        })
    }

    /// What was measured, of what.
    fn name(&self) -> String {
        let Alike { experiment, model_type, file, backend, .. } = &self.alike;
        let test = if self.test.is_empty() { experiment } else { &self.test };
        let model = if model_type.is_empty() { file } else { model_type };
        let parts = [test, model, backend].into_iter().filter(|part| !part.is_empty());
        parts.cloned().collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests;
