//! The study in pictures: six panels of bars, and what quality costs in bytes and in time.

use super::figures::{CACHE_SIZE, KV_ALLOCATED, METRICS, PEAK_RSS, THROUGHPUT, TPOT, TTFT};
use super::method::Group;
use super::page::{apart, name, title};
use super::stream::PPL;
use super::study::GROUP;
use pacemark_record::{Figure, Series, Trial};
use pacemark_report::picture::{Bar, Better, Marks, Panel, Picture, Point, Role, Spacing, front};
use serde_json::Value;

const FRONT: &str = "a line joins what no other method beats in both";
const WHISKERS: &str = "whiskers: 95 % intervals, where there are enough measurements";

/// Throughput, TPOT, TTFT; perplexity, memory, cache size.
pub fn comparison(trials: &[Trial]) -> Picture {
    const GIB: f64 = (1u64 << 30) as f64;
    let panels: [(&str, &str, &Series, f64); 6] = [
        ("Throughput", "tokens/s, prompt included", &THROUGHPUT, 1.0),
        ("TPOT", "ms a token after the first", &TPOT, 1e3),
        ("TTFT", "s to the first token", &TTFT, 1.0),
        ("Perplexity", "perplexity, lower is better", &PPL, 1.0),
        ("Memory", "peak RSS, GB", &PEAK_RSS, 1.0 / GIB),
        ("Cache size", "tokens, mean over layers", &CACHE_SIZE, 1.0),
    ];
    let panels = panels.map(|(title, y_axis, series, scale)| Panel {
        title: title.to_owned(),
        y_axis: y_axis.to_owned(),
        x_axis: String::new(),
        marks: Marks::Bars(trials.iter().map(|trial| bar(trial, series, scale)).collect()),
    });
    picture("KV-cache methods compared", trials, panels.into(), 3)
}

/// Perplexity against bytes, and against speed; a line joins what nothing beats in both.
pub fn pareto(trials: &[Trial]) -> Picture {
    const MIB: f64 = (1u64 << 20) as f64;
    let bytes = |trial: &Trial| scaled(&figure(&KV_ALLOCATED, trial), 1.0 / MIB);
    let panels = vec![
        plane("Quality against memory", "keys and values, MB allocated", trials, bytes, {
            (Better::Lower, Spacing::Logarithmic)
        }),
        plane("Quality against speed", "tokens/s while generating", trials, decode_rate, {
            (Better::Higher, Spacing::Even)
        }),
    ];
    let mut picture = picture("KV-cache methods, what quality costs", trials, panels, 2);
    picture.notes.push(FRONT.to_owned());
    picture
}

fn picture(what: &str, trials: &[Trial], panels: Vec<Panel>, columns: usize) -> Picture {
    let present = |group: &Group| trials.iter().any(|trial| self::group(trial) == *group);
    let legend = Group::ALL.into_iter().filter(present);
    let subject = trials.first().map_or(String::new(), |trial| format!(": {}", title(trial)));
    Picture {
        title: format!("{what}{subject}"),
        notes: [WHISKERS.to_owned()].into_iter().chain(apart(trials)).collect(),
        legend: legend.map(|group| (group.role(), group.legend().to_owned())).collect(),
        panels,
        columns,
    }
}

fn group(trial: &Trial) -> Group {
    Group::named(trial.params.get(GROUP).and_then(Value::as_str).unwrap_or_default())
}

fn role(trial: &Trial) -> Role {
    group(trial).role()
}

/// The figure of a series in the study's own statistic.
pub(super) fn figure(series: &Series, trial: &Trial) -> Figure {
    let metric = METRICS.iter().find(|metric| metric.series.name == series.name);
    metric.map(|metric| metric.of(trial)).unwrap_or_default()
}

fn scaled(figure: &Figure, by: f64) -> (Option<f64>, Option<(f64, f64)>) {
    // What is the same each time needs no whisker.
    let interval = figure.interval.filter(|i| i.low < i.high).map(|i| (i.low * by, i.high * by));
    (figure.value.map(|value| value * by), interval)
}

fn bar(trial: &Trial, series: &Series, scale: f64) -> Bar {
    let (value, interval) = scaled(&figure(series, trial), scale);
    Bar { label: name(trial).to_owned(), value, interval, role: role(trial) }
}

/// Tokens a second while generating: how often the time of one goes into a second.
fn decode_rate(trial: &Trial) -> (Option<f64>, Option<(f64, f64)>) {
    let time = figure(&TPOT, trial);
    let interval = time.interval.map(|i| (1.0 / i.high, 1.0 / i.low));
    (time.value.map(|s| 1.0 / s), interval)
}

/// Perplexity over what a method takes or gives; what has neither is listed below the panel.
fn plane(
    title: &str,
    x_axis: &str,
    trials: &[Trial],
    of: impl Fn(&Trial) -> (Option<f64>, Option<(f64, f64)>),
    (better, spacing): (Better, Spacing),
) -> Panel {
    let point = |trial: &Trial| {
        let (x, x_interval) = of(trial);
        let (y, y_interval) = scaled(&figure(&PPL, trial), 1.0);
        let (x, y) = (x.unwrap_or(f64::NAN), y.unwrap_or(f64::NAN));
        Point { label: name(trial).to_owned(), x, y, x_interval, y_interval, role: role(trial) }
    };
    let points: Vec<Point> = trials.iter().map(point).collect();
    let places: Vec<(f64, f64)> = points.iter().map(|point| (point.x, point.y)).collect();
    Panel {
        title: title.to_owned(),
        y_axis: "perplexity, lower is better".to_owned(),
        x_axis: x_axis.to_owned(),
        marks: Marks::Points {
            front: front(&places, [better, Better::Lower]),
            points,
            x: spacing,
            y: Spacing::Logarithmic,
        },
    }
}
