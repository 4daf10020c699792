//! How the values of a series are spread: in the order in which they came, how many lie below each, and
//! the percentiles that a sample supports.

use super::pictures::MOST_LINES;
use super::rows::Rows;
use pacemark_record::stats::{self, CONFIDENCE};
use pacemark_record::{Series, Statistic};
use pacemark_report::picture::{Line, LinePoint, Marks, Panel, Role, Spacing, Stroke};

/// Fewer values are shown better by themselves.
const FEWEST: usize = 20;

/// So many series at most, those of the most values first: gaps between tokens before what a request
/// has one of. Those of a load are six.
const MOST_SERIES: usize = 5;

/// More points of a line than this are not seen.
const MOST_POINTS: usize = 400;

/// What percentiles are shown of.
const PERCENTILES: [f64; 12] =
    [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999];

/// The panels of the series that have percentiles among the figures.
pub(super) fn panels(rows: &Rows<'_>) -> Vec<Panel> {
    let mut series: Vec<&'static Series> = Vec::new();
    for metric in rows.metrics {
        let is_quantile = matches!(metric.statistic, Statistic::Quantile(_));
        if is_quantile && series.iter().all(|known| known.name != metric.series.name) {
            series.push(metric.series);
        }
    }
    let with_values = |series: &'static Series| {
        let values: Vec<(usize, Vec<f64>)> = (0..rows.trials.len())
            .map(|i| (i, (series.of)(&rows.trials[i])))
            .filter(|(_, values)| values.len() >= FEWEST)
            .collect();
        (!values.is_empty()).then_some((series, values))
    };
    let mut drawn: Vec<_> = series.into_iter().filter_map(with_values).collect();
    let n_values =
        |values: &[(usize, Vec<f64>)]| values.iter().map(|(_, v)| v.len()).sum::<usize>();
    drawn.sort_by_key(|(_, values)| std::cmp::Reverse(n_values(values)));
    let mut panels = Vec::new();
    for (series, mut values) in drawn.into_iter().take(MOST_SERIES) {
        // What can be told apart; the titles say of how many.
        let n = values.len();
        values.truncate(MOST_LINES);
        let mut of_it = vec![timeline(rows, series, &values), below(rows, series, &values)];
        of_it.extend(percentiles(rows, series, &values));
        if n > MOST_LINES {
            let more = format!(" (the first {MOST_LINES} of {n} lines)");
            of_it.iter_mut().for_each(|panel| panel.title += &more);
        }
        panels.extend(of_it);
    }
    panels
}

fn lines(
    rows: &Rows<'_>,
    values: &[(usize, Vec<f64>)],
    stroke: Stroke,
    points: impl Fn(&[f64]) -> Vec<LinePoint>,
) -> Vec<Line> {
    let line = |(n, (i, values)): (usize, &(usize, Vec<f64>))| Line {
        label: rows.names[*i].clone(),
        points: points(values),
        stroke,
        role: Role::Nth(n),
    };
    values.iter().enumerate().map(line).filter(|line| !line.points.is_empty()).collect()
}

fn point(x: f64, y: f64) -> LinePoint {
    LinePoint { x, y, interval: None }
}

/// Every value in its order.
fn timeline(rows: &Rows<'_>, series: &Series, values: &[(usize, Vec<f64>)]) -> Panel {
    let points = |values: &[f64]| {
        thinned(values.iter().enumerate().map(|(i, y)| point(i as f64 + 1.0, *y)).collect())
    };
    Panel {
        title: format!("{}: in the order in which it came", series.title.trim()),
        y_axis: Rows::axis(series),
        x_axis: "number".to_owned(),
        marks: Marks::Lines {
            lines: lines(rows, values, Stroke::Straight, points),
            x: Spacing::Even,
            y: Spacing::Even,
            guides: Vec::new(),
        },
    }
}

/// The empirical distribution function.
fn below(rows: &Rows<'_>, series: &Series, values: &[(usize, Vec<f64>)]) -> Panel {
    let points = |values: &[f64]| {
        let sorted = sorted(values);
        let n = sorted.len();
        let step = n.div_ceil(MOST_POINTS).max(1);
        let chosen = (0..n).filter(|i| (i + 1) % step == 0 || *i + 1 == n);
        let rise = chosen.map(|i| point(sorted[i], (i + 1) as f64 / n as f64));
        std::iter::once(point(sorted[0], 0.0)).chain(rise).collect()
    };
    Panel {
        title: format!("{}: share of values up to this", series.title.trim()),
        y_axis: "share".to_owned(),
        x_axis: Rows::axis(series),
        marks: Marks::Lines {
            lines: lines(rows, values, Stroke::Steps, points),
            x: Spacing::Even,
            y: Spacing::Even,
            guides: Vec::new(),
        },
    }
}

/// Percentiles with their intervals, where the sample bounds them.
fn percentiles(rows: &Rows<'_>, series: &Series, values: &[(usize, Vec<f64>)]) -> Option<Panel> {
    let points = |values: &[f64]| {
        let sorted = sorted(values);
        let one = |p: &f64| {
            let (low, high) = stats::quantile_interval(&sorted, *p, CONFIDENCE)?;
            let y = stats::supported_quantile(&sorted, *p, CONFIDENCE)?;
            Some(LinePoint { x: 1.0 / (1.0 - p), y, interval: Some((low, high)) })
        };
        PERCENTILES.iter().filter_map(one).collect()
    };
    let lines = lines(rows, values, Stroke::Straight, points);
    let title = series.title.trim();
    (!lines.is_empty()).then(|| Panel {
        title: format!("{title}: percentiles, with their 95 % intervals"),
        y_axis: Rows::axis(series),
        x_axis: "one in so many is above (2: the median, 100: the 99th percentile)".to_owned(),
        marks: Marks::Lines {
            lines,
            x: Spacing::Logarithmic,
            y: Spacing::Even,
            guides: Vec::new(),
        },
    })
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The least and the greatest of each stretch of a long line, so that no peak is lost.
pub(super) fn thinned(points: Vec<LinePoint>) -> Vec<LinePoint> {
    if points.len() <= MOST_POINTS {
        return points;
    }
    let stretch = points.len().div_ceil(MOST_POINTS / 2);
    let ends = |part: &[LinePoint]| {
        let by_value = |a: &&LinePoint, b: &&LinePoint| a.y.total_cmp(&b.y);
        let (least, most) = (part.iter().min_by(by_value), part.iter().max_by(by_value));
        let mut ends: Vec<LinePoint> = least.into_iter().chain(most).copied().collect();
        ends.sort_by(|a, b| a.x.total_cmp(&b.x));
        ends
    };
    points.chunks(stretch).flat_map(ends).collect()
}
