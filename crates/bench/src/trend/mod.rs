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

/// The lines of the metric of that name, those with the newest points first. `runs` are the oldest
/// first.
pub fn lines(name: &str, runs: &[Past]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for past in runs {
        for trial in &past.run.trials {
            let Some((metric, test, point)) = measured(name, past, trial) else { continue };
            let alike = Alike::of(&past.run, trial);
            match lines.iter_mut().find(|line| line.alike == alike) {
                Some(line) => line.points.push(point),
                None => {
                    let points = vec![point];
                    lines.push(Line { metric, alike, test, points, changes: Vec::new() });
                }
            }
        }
    }
    for line in &mut lines {
        line.changes = change_points(&line.values(), CHANGE_CONFIDENCE);
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.points.last().map(|p| p.started_unix_s)));
    lines
}

/// The figure of a trial, where it has it.
fn measured(name: &str, past: &Past, trial: &Trial) -> Option<(&'static Metric, String, Point)> {
    let Past { id, run } = past;
    let experiment = find(EXPERIMENTS, &trial.experiment)?;
    let metric = experiment.metrics().iter().find(|metric| metric.name() == name)?;
    let figure = metric.of(trial);
    figure.value.filter(|value| value.is_finite())?;
    let point = Point {
        id: id.clone(),
        started_unix_s: run.env.started_unix_s,
        build: [run.env.version.clone(), run.env.commit.clone()],
        figure,
    };
    Some((metric, experiment.row_name(run, trial), point))
}

impl Line {
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
