//! The rows of a run as pictures have them: names, figures, values.

use crate::Experiment;
use pacemark_record::{Figure, Metric, Run, Series, Trial, Unit};

/// Trials with what is drawn of them.
pub(crate) struct Rows<'a> {
    pub(super) trials: &'a [Trial],
    /// Names of the trials.
    pub(super) names: Vec<String>,
    pub(super) metrics: &'static [Metric],
    pub(super) headline: Option<&'static Metric>,
    /// Parameters that tell rows apart.
    pub(super) varied: Vec<&'a str>,
    pub(super) logical_cpus: usize,
}

/// A kind of work, whose rates are no others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Prompt,
    Generation,
    Both,
    Other,
}

impl Work {
    const ALL: [Work; 4] = [Work::Prompt, Work::Generation, Work::Both, Work::Other];

    fn of(trial: &Trial) -> Work {
        if !trial.params.contains_key("n_prompt") || !trial.params.contains_key("n_gen") {
            return Work::Other;
        }
        match (trial.count("n_prompt"), trial.count("n_gen")) {
            (0, 0) => Work::Other,
            (_, 0) => Work::Prompt,
            (0, _) => Work::Generation,
            _ => Work::Both,
        }
    }

    /// What stands before a picture's title.
    pub(super) fn title(self) -> &'static str {
        match self {
            Work::Prompt => "Prompts",
            Work::Generation => "Generation",
            Work::Both => "Prompt and generation",
            Work::Other => "",
        }
    }
}

/// A change of less is none, whatever the intervals say.
const NOTHING: f64 = 0.02;

/// Whether two figures that were not measured in turn cannot be told apart: their intervals touch, or
/// the difference is of no consequence. Without intervals they cannot, for nobody knows the scatter.
pub(super) fn alike(a: &Figure, b: &Figure) -> bool {
    let (Some(x), Some(y)) = (a.value, b.value) else { return true };
    let touch = match (a.interval, b.interval) {
        (Some(a), Some(b)) => a.low <= b.high && b.low <= a.high,
        _ => true,
    };
    touch || (x / y - 1.0).abs() < NOTHING
}

/// Names of rows; what stands for several has its model, its turn and its run behind it, as far as these
/// differ.
fn names(experiment: &(impl Experiment + ?Sized), run: &Run) -> Vec<String> {
    let plain: Vec<String> =
        run.trials.iter().map(|trial| experiment.row_name(run, trial)).collect();
    let twice = |name: &String| plain.iter().filter(|other| *other == name).count() > 1;
    let differs =
        |of: fn(&Trial) -> String| run.trials.windows(2).any(|pair| of(&pair[0]) != of(&pair[1]));
    let parts: [fn(&Trial) -> String; 3] = [
        |trial| trial.model.model_type.clone(),
        |trial| format!("({})", trial.turn + 1),
        |trial| trial.params.get(RUN).and_then(|run| run.as_str()).unwrap_or_default().to_owned(),
    ];
    let told = |(name, trial): (&String, &Trial)| {
        if !twice(name) {
            return name.clone();
        }
        let more = parts.iter().filter(|part| differs(**part)).map(|part| part(trial));
        let more = more.filter(|part| !part.is_empty() && !name.contains(part.as_str()));
        std::iter::once(name.clone()).chain(more).collect::<Vec<_>>().join(" ").trim().to_owned()
    };
    plain.iter().zip(&run.trials).map(told).collect()
}

/// The parameter that says which of several runs a row is of.
pub(super) const RUN: &str = "run";

/// The one that says which of several machines.
pub(super) const MACHINE: &str = "machine";

impl<'a> Rows<'a> {
    pub(crate) fn of(experiment: &(impl Experiment + ?Sized), run: &'a Run) -> Rows<'a> {
        Rows {
            trials: &run.trials,
            names: names(experiment, run),
            metrics: experiment.metrics(),
            headline: experiment.headline(),
            varied: run.varied.iter().map(String::as_str).collect(),
            logical_cpus: run.env.logical_cpus,
        }
    }

    /// Numbers of the rows of each kind of work that there is.
    pub(super) fn by_work(&self) -> Vec<(Work, Vec<usize>)> {
        let of = |work: Work| {
            let indices = (0..self.trials.len()).filter(|i| Work::of(&self.trials[*i]) == work);
            (work, indices.collect::<Vec<_>>())
        };
        Work::ALL.into_iter().map(of).filter(|(_, indices)| !indices.is_empty()).collect()
    }

    /// The figure that stands for a row; none where nothing succeeded, whatever that would count.
    pub(super) fn figure(&self, i: usize) -> Figure {
        let trial = &self.trials[i];
        let metric = self.headline.filter(|_| trial.measured.has_result());
        metric.map(|metric| metric.of(trial)).unwrap_or_default()
    }

    /// What that is called, with the work before it.
    pub(super) fn titled(&self, work: Work, what: &str) -> String {
        match work.title() {
            "" => what.to_owned(),
            title => format!("{title}: {what}"),
        }
    }

    /// A series on an axis: its name, and its unit where that is not in it.
    pub(super) fn axis(series: &Series) -> String {
        let title = series.title.trim();
        let unit = match series.unit {
            Unit::Milliseconds => "ms",
            Unit::Microseconds => "µs",
            Unit::Seconds => "s",
            Unit::Bytes => "bytes",
            _ => return title.to_owned(),
        };
        if title.split(' ').any(|word| word == unit) {
            return title.to_owned();
        }
        format!("{title} {unit}")
    }

    /// The heading of the figure that stands for a row.
    pub(super) fn heading(&self) -> String {
        self.headline.map_or(String::new(), |metric| metric.title().trim().to_owned())
    }
}
