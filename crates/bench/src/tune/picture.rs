//! What a rate costs: settings as points, and those that no other beats in both.

use super::figures::{OBJECTIVE, TTFT, figure};
use super::outcome::{fate, is_default, outcome};
use super::{MAXIMIZE, is_race, name};
use crate::distance::figures::KLD;
use pacemark_record::{Fate, Figure, Trial};
use pacemark_report::picture::{Better, Marks, Panel, Picture, Point, Role, Spacing, front};
use serde_json::Value;

/// How far a setting's answers are from the default's: 0 where they are the same by construction.
fn kld(trial: &Trial) -> Figure {
    let alike = trial.params.get(super::ALIKE) == Some(&Value::Bool(true));
    if alike { Figure { value: Some(0.0), interval: None } } else { figure(&KLD, trial) }
}

/// Settings of the race that were run, and the front of them by the rate and another figure.
fn plane(trials: &[Trial], of: impl Fn(&Trial) -> Figure) -> (Vec<usize>, Vec<usize>) {
    let of_race: Vec<usize> = (0..trials.len()).filter(|i| is_race(&trials[*i])).collect();
    let place = |index: &usize| {
        let trial = &trials[*index];
        let rate = figure(&OBJECTIVE, trial).value.unwrap_or(f64::NAN);
        (rate, of(trial).value.unwrap_or(f64::NAN))
    };
    let places: Vec<(f64, f64)> = of_race.iter().map(place).collect();
    let on = front(&places, [Better::Higher, Better::Lower]);
    (of_race, on)
}

/// Of each trial the fronts that it is on: K by rate and KLD, T by rate and time to first token.
pub(super) fn on_front(trials: &[Trial]) -> Vec<String> {
    let mut marks = vec![String::new(); trials.len()];
    let has_quality = trials.iter().any(|trial| trial.distances().is_some());
    let planes = [
        ("K", has_quality.then(|| plane(trials, kld))),
        ("T", Some(plane(trials, |trial| figure(TTFT, trial)))),
    ];
    for (mark, found) in planes {
        let Some((of_race, on)) = found else { continue };
        on.into_iter().for_each(|at| marks[of_race[at]] += mark);
    }
    marks
}

/// The rate beside the divergence of answers, where that was measured, and beside the time to the
/// first token.
pub fn panels(trials: &[Trial]) -> Picture {
    let recommended = outcome(trials).recommended;
    let rate = trials.first().and_then(|trial| trial.params.get(MAXIMIZE)?.as_str());
    let x_axis = format!("{}, tokens a second", rate.unwrap_or_default());
    let panel = |title: &str, y_axis: &str, of: &dyn Fn(&Trial) -> Figure| {
        let (of_race, on) = plane(trials, of);
        let points = of_race
            .into_iter()
            .map(|index| point(&trials[index], of(&trials[index]), recommended == Some(index)));
        Panel {
            title: title.to_owned(),
            y_axis: y_axis.to_owned(),
            x_axis: x_axis.clone(),
            marks: Marks::Points {
                points: points.collect(),
                x: Spacing::Even,
                y: Spacing::Even,
                front: on,
            },
        }
    };
    let mut panels = Vec::new();
    if trials.iter().any(|trial| trial.distances().is_some()) {
        let y_axis = "mean KLD from the default, nats, lower is better";
        panels.push(panel("What speed costs in answers", y_axis, &kld));
    }
    panels.push(panel("Rate and time to first token", "TTFT, ms, lower is better", &|trial| {
        figure(TTFT, trial)
    }));
    let columns = panels.len();
    let legend = [
        (Role::Baseline, "the default"),
        (Role::Streaming, "recommended"),
        (Role::Other, "another setting that was left"),
        (Role::Recent, "a setting that was dropped"),
    ];
    Picture {
        title: "Settings raced".to_owned(),
        notes: vec![
            "a line joins what no other setting beats in both".to_owned(),
            "whiskers: 95 % intervals, where there are enough runs".to_owned(),
        ],
        legend: legend.map(|(role, words)| (role, words.to_owned())).into(),
        panels,
        columns,
    }
}

fn point(trial: &Trial, y: Figure, is_recommended: bool) -> Point {
    let x = figure(&OBJECTIVE, trial);
    let ends = |figure: &Figure| figure.interval.map(|interval| (interval.low, interval.high));
    let role = match fate(trial) {
        _ if is_recommended => Role::Streaming,
        _ if is_default(trial) => Role::Baseline,
        Fate::Won | Fate::Even | Fate::Racing => Role::Other,
        Fate::Worse | Fate::Missed | Fate::TooFar => Role::Recent,
    };
    Point {
        label: name(trial).to_owned(),
        x: x.value.unwrap_or(f64::NAN),
        y: y.value.unwrap_or(f64::NAN),
        x_interval: ends(&x),
        y_interval: ends(&y),
        role,
    }
}
