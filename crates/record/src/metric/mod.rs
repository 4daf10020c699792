//! What a figure is: a series of values that a trial has, and a statistic over it.
//!
//! A [`Series`] says what is measured and in which unit; a [`Metric`] is one statistic of one
//! series, with the name of its column. Its [`Figure`] holds the value and the interval it lies in.
//! The tables of metrics live with the experiments they describe.

mod statistic;
mod unit;

use crate::Trial;
use crate::stats::{self, CONFIDENCE, Interval};
pub use statistic::Statistic;
pub use unit::{Better, Unit};

/// Values of one kind that a trial has: one for each repetition, request or gap, or just one.
#[derive(Clone, Copy)]
pub struct Series {
    /// Name with its unit last, e.g. `ttft_ms`; the stem of its columns' names.
    pub name: &'static str,
    /// Heading in tables for reading.
    pub title: &'static str,
    /// Unit of the values.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// One line on what it is.
    pub help: &'static str,
    /// The values in their order; empty where the trial has none.
    pub of: fn(&Trial) -> Vec<f64>,
}

use Statistic::{Drift, Least, Mean, Most, Only, Outliers, Quantile, Stability, StandardDeviation};

/// One figure of a trial: a statistic of a series, and the columns it stands in.
///
/// ```
/// use pacemark_record::{Better, Metric, Sample, Series, Statistic, Trial, Unit};
///
/// const TIME: Series = Series {
///     name: "time_ms",
///     title: "time",
///     unit: Unit::Milliseconds,
///     better: Better::Lower,
///     help: "time of a repetition",
///     of: |trial| trial.samples().iter().map(|s| s.elapsed_ns as f64 / 1e6).collect(),
/// };
/// const MEDIAN: Metric = Metric::new(&TIME, Statistic::Quantile(0.5)).shown();
///
/// let sample = |ms: u64| Sample { elapsed_ns: ms * 1_000_000, ..Sample::default() };
/// let samples: Vec<Sample> = [5, 3, 4, 8, 6, 4].map(sample).into();
/// let trial = Trial { measured: samples.into(), ..Trial::default() };
/// assert_eq!(MEDIAN.name(), "time_ms_p50");
/// assert_eq!(MEDIAN.of(&trial).value, Some(4.5));
/// assert_eq!(MEDIAN.of(&trial).interval.map(|i| (i.low, i.high)), Some((3.0, 8.0)));
/// ```
#[derive(Clone, Copy)]
pub struct Metric {
    /// What it is made of.
    pub series: &'static Series,
    /// How.
    pub statistic: Statistic,
    /// Name of its column in place of the one that follows from series and statistic.
    name: Option<&'static str>,
    /// Heading in its place.
    title: Option<&'static str>,
    /// One line in its place.
    help: Option<&'static str>,
    /// The value has a column; not where a format that ours is a drop-in for has one already.
    pub has_column: bool,
    /// Shown in tables for reading; otherwise only in the formats for programs.
    pub in_tables: bool,
    /// The ends of its interval have columns.
    pub ends: Option<Ends>,
    /// Makes the interval of a series with one value.
    interval: Option<fn(&Trial) -> Option<Interval>>,
}

/// Columns for the ends of an interval: named after the figure, with this, `_low` and `_high`.
#[derive(Clone, Copy)]
pub struct Ends {
    /// Between the figure's name and `_low`, e.g. `_ci95`.
    pub infix: &'static str,
    /// Headings in tables for reading; not shown there without.
    pub titles: Option<[&'static str; 2]>,
}

/// A figure's value and where it lies. What the sample does not support is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    /// The value.
    pub value: Option<f64>,
    /// Its 95 % interval; of means only where the metric has [`Metric::ends`].
    pub interval: Option<Interval>,
}

/// Which number of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its value.
    Value,
    /// The lower end of its interval.
    Low,
    /// The upper end.
    High,
}

impl Figure {
    /// That number of it.
    pub fn part(&self, part: Part) -> Option<f64> {
        match part {
            Part::Value => self.value,
            Part::Low => self.interval.map(|interval| interval.low),
            Part::High => self.interval.map(|interval| interval.high),
        }
    }
}

/// A column that a metric has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricColumn {
    /// Its name, in the formats for programs.
    pub name: String,
    /// Its heading in tables for reading; `None` where it is not shown there.
    pub title: Option<String>,
    /// What stands in it.
    pub part: Part,
}

impl Metric {
    /// A statistic of a series, under the name that follows from both.
    pub const fn new(series: &'static Series, statistic: Statistic) -> Metric {
        Metric {
            series,
            statistic,
            name: None,
            title: None,
            help: None,
            has_column: true,
            in_tables: false,
            ends: None,
            interval: None,
        }
    }

    /// Under another name and heading.
    pub const fn named(mut self, name: &'static str, title: &'static str) -> Metric {
        (self.name, self.title) = (Some(name), Some(title));
        self
    }

    /// With other words on what it is.
    pub const fn told(mut self, help: &'static str) -> Metric {
        self.help = Some(help);
        self
    }

    /// In tables for reading too.
    pub const fn shown(mut self) -> Metric {
        self.in_tables = true;
        self
    }

    /// Without a column for the value.
    pub const fn without_column(mut self) -> Metric {
        self.has_column = false;
        self
    }

    /// With columns for the ends of its interval.
    pub const fn with_ends(mut self, ends: Ends) -> Metric {
        self.ends = Some(ends);
        self
    }

    /// With an interval that is not made of the series' values.
    pub const fn within(mut self, interval: fn(&Trial) -> Option<Interval>) -> Metric {
        self.interval = Some(interval);
        self
    }

    /// Its columns, in order.
    pub fn columns(&self) -> Vec<MetricColumn> {
        let name = self.name();
        let mut columns = Vec::new();
        if self.has_column {
            let title = self.in_tables.then(|| self.title());
            columns.push(MetricColumn { name: name.clone(), title, part: Part::Value });
        }
        if let Some(Ends { infix, titles }) = self.ends {
            let titles = titles.map_or([None, None], |titles| titles.map(Some));
            for (i, (end, part)) in
                [("low", Part::Low), ("high", Part::High)].into_iter().enumerate()
            {
                let title = titles[i].map(str::to_owned);
                columns.push(MetricColumn { name: format!("{name}{infix}_{end}"), title, part });
            }
        }
        columns
    }

    /// Name of its column, the unit last but for the statistic, e.g. `ttft_ms_p50`.
    pub fn name(&self) -> String {
        let named = || format!("{}{}", self.series.name, self.statistic.suffix());
        self.name.map_or_else(named, str::to_owned)
    }

    /// Heading in tables for reading.
    pub fn title(&self) -> String {
        let titled =
            || format!("{}{}", self.series.title, self.statistic.suffix().replace('_', " "));
        self.title.map_or_else(titled, str::to_owned)
    }

    /// One line on what it is.
    pub fn help(&self) -> String {
        let told = || format!("{}{}", self.series.help, self.statistic.words());
        self.help.map_or_else(told, str::to_owned)
    }

    /// Unit of its value.
    pub fn unit(&self) -> Unit {
        match self.statistic {
            Stability | Drift => Unit::Ratio,
            Outliers => Unit::Count,
            Only | Mean | StandardDeviation | Quantile(_) | Least | Most => self.series.unit,
        }
    }

    /// Which way is better.
    pub fn better(&self) -> Better {
        match self.statistic {
            StandardDeviation | Outliers => Better::Lower,
            Stability => Better::Higher,
            Drift => Better::Neither,
            Only | Mean | Quantile(_) | Least | Most => self.series.better,
        }
    }

    /// Its figure in one trial. For several of a trial, [`figures`] collects each series once.
    pub fn of(&self, trial: &Trial) -> Figure {
        self.figure(trial, &Values::of((self.series.of)(trial)))
    }

    /// Its value in one trial, without the interval: that takes far longer.
    pub fn value(&self, trial: &Trial) -> Option<f64> {
        self.value_of(&Values::of((self.series.of)(trial)))
    }

    /// What of an interval can be: the mean of times or rates is not below zero, where the tail of a
    /// wide interval may lie.
    fn possible(&self, interval: Interval, sorted: &[f64]) -> Interval {
        let is_positive = sorted.first().is_some_and(|least| *least >= 0.0);
        let has_zero = self.series.unit.is_time_or_rate() && is_positive;
        Interval { low: if has_zero { interval.low.max(0.0) } else { interval.low }, ..interval }
    }

    fn value_of(&self, Values { in_order, sorted }: &Values) -> Option<f64> {
        match self.statistic {
            Only => in_order.first().copied(),
            Mean => stats::mean(in_order),
            StandardDeviation => stats::sample_sd(in_order),
            Quantile(p) => stats::supported_quantile(sorted, p, CONFIDENCE),
            Least => sorted.first().copied(),
            Most => sorted.last().copied(),
            Stability => stats::sample_sd(in_order)
                .zip(stats::mean(in_order))
                .map(|(deviation, mean)| 1.0 - deviation / mean),
            Drift => stats::drift(in_order),
            Outliers => Some(stats::outliers(in_order).len() as f64),
        }
    }

    fn figure(&self, trial: &Trial, values: &Values) -> Figure {
        let Values { in_order, sorted } = values;
        let interval = match (self.interval, self.statistic) {
            (Some(interval), _) => interval(trial),
            // Resampling a hundred thousand requests takes a second: only where it is shown.
            (None, Mean) => {
                let interval = self.ends.and_then(|_| stats::mean_interval(in_order, CONFIDENCE));
                interval.map(|i| self.possible(i, sorted))
            }
            (None, Quantile(p)) => stats::quantile_interval(sorted, p, CONFIDENCE)
                .map(|(low, high)| Interval { low, high }),
            (None, _) => None,
        };
        Figure { value: self.value_of(values), interval }
    }
}

/// The metric that has a column of this name, and what stands there.
pub fn column<'a>(metrics: &'a [Metric], name: &str) -> Option<(&'a Metric, Part)> {
    metrics.iter().find_map(|metric| {
        let column = metric.columns().into_iter().find(|column| column.name == name)?;
        Some((metric, column.part))
    })
}

/// The figures of a trial, in the order of the metrics. Each series is collected and sorted once.
pub fn figures(metrics: &[Metric], trial: &Trial) -> Vec<Figure> {
    let mut collected: Vec<(&str, Values)> = Vec::new();
    let mut figures = Vec::with_capacity(metrics.len());
    for metric in metrics {
        let at = collected.iter().position(|(name, _)| *name == metric.series.name);
        let at = at.unwrap_or_else(|| {
            collected.push((metric.series.name, Values::of((metric.series.of)(trial))));
            collected.len() - 1
        });
        figures.push(metric.figure(trial, &collected[at].1));
    }
    figures
}

/// The values of a series in a trial.
struct Values {
    in_order: Vec<f64>,
    sorted: Vec<f64>,
}

impl Values {
    fn of(in_order: Vec<f64>) -> Values {
        let mut sorted = in_order.clone();
        sorted.sort_by(f64::total_cmp);
        Values { in_order, sorted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;

    const TIME: Series = Series {
        name: "time_ms",
        title: "time",
        unit: Unit::Milliseconds,
        better: Better::Lower,
        help: "time of a repetition",
        of: |trial| trial.samples().iter().map(|s| s.elapsed_ns as f64 / 1e6).collect(),
    };

    fn trial(times_ms: &[u64]) -> Trial {
        let sample = |ms: &u64| Sample { elapsed_ns: ms * 1_000_000, ..Sample::default() };
        Trial {
            measured: times_ms.iter().map(sample).collect::<Vec<_>>().into(),
            ..Trial::default()
        }
    }

    #[test]
    fn names_follow_from_series_and_statistic() {
        let metric = |statistic| Metric::new(&TIME, statistic);
        assert_eq!(metric(Quantile(0.99)).name(), "time_ms_p99");
        assert_eq!(metric(Quantile(0.999)).name(), "time_ms_p99.9");
        assert_eq!(metric(Mean).title(), "time mean");
        assert_eq!(metric(Quantile(0.5)).help(), "time of a repetition: median");
        assert_eq!(metric(Mean).named("time_ms", "time ms").name(), "time_ms");
        assert_eq!(metric(Stability).unit(), Unit::Ratio);
    }

    #[test]
    fn no_time_is_below_zero() {
        let mean = Metric::new(&TIME, Mean).with_ends(Ends { infix: "_ci95", titles: None });
        let interval = mean.of(&trial(&[1, 1, 1, 1, 900])).interval.unwrap();
        assert_eq!(interval.low, 0.0, "Student's reaches below: {interval:?}");
        assert!(interval.high > 300.0);
    }

    #[test]
    fn figures_carry_their_intervals() {
        let ends = Ends { infix: "_ci95", titles: None };
        let metrics = [
            Metric::new(&TIME, Mean).with_ends(ends),
            Metric::new(&TIME, Mean),
            Metric::new(&TIME, Quantile(0.5)),
            Metric::new(&TIME, Quantile(0.99)),
            Metric::new(&TIME, Least),
            Metric::new(&TIME, Only).within(|_| Some(Interval { low: 1.0, high: 9.0 })),
        ];
        let trial = trial(&[5, 3, 4, 8, 6, 4]);
        let found = figures(&metrics, &trial);
        assert_eq!(found, metrics.map(|metric| metric.of(&trial)), "together as alone");
        assert_eq!((found[0].value, found[1].value), (Some(5.0), Some(5.0)));
        let interval = found[0].interval.unwrap();
        assert!(interval.low < 5.0 && interval.high > 5.0 && found[1].interval.is_none());
        assert_eq!(found[2].value, Some(4.5));
        assert_eq!(found[2].interval, Some(Interval { low: 3.0, high: 8.0 }));
        assert_eq!(found[3], Figure::default(), "six values do not bound a p99");
        assert_eq!((found[4].value, found[5].value), (Some(3.0), Some(5.0)));
        assert_eq!(found[5].interval, Some(Interval { low: 1.0, high: 9.0 }));
    }
}
