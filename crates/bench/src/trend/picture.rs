//! A trend as a picture: a panel for each line, its levels in turn in two colours.

use super::Line;
use pacemark_report::picture::{Marks, Panel, Picture, Point, Role, Spacing};

/// The picture of lines of the metric of that name.
pub fn picture(name: &str, lines: &[Line]) -> Picture {
    let has_changes = lines.iter().any(|line| !line.changes.is_empty());
    let levels = [(Role::Other, "a level"), (Role::Control, "another")];
    Picture {
        title: format!("{name} over time"),
        notes: vec!["whiskers: 95 % intervals; named is the run with which a level begins".into()],
        legend: levels.into_iter().filter(|_| has_changes).map(|(r, w)| (r, w.into())).collect(),
        panels: lines.iter().map(panel).collect(),
        columns: 1,
    }
}

fn panel(line: &Line) -> Panel {
    let point = |at: usize| {
        let (level, _) = line.level(at);
        let figure = line.points[at].figure;
        Point {
            label: if line.changes.contains(&at) {
                line.points[at].id.chars().take(10).collect()
            } else {
                String::new()
            },
            x: at as f64 + 1.0,
            y: figure.value.unwrap_or(f64::NAN),
            x_interval: None,
            y_interval: figure.interval.map(|interval| (interval.low, interval.high)),
            role: if level % 2 == 0 { Role::Other } else { Role::Control },
        }
    };
    Panel {
        title: line.name(),
        y_axis: line.metric.title(),
        x_axis: "runs, the oldest first".to_owned(),
        marks: Marks::Points {
            points: (0..line.points.len()).map(point).collect(),
            x: Spacing::Even,
            y: Spacing::Even,
            front: (0..line.points.len()).collect(),
        },
    }
}
