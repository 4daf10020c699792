//! A figure over a parameter that was swept: which rows lie along it, its picture, and advice. Where the
//! figure stops to grow is `course`'s to say, and why is `reason`'s.

use super::course::Course;
use super::pictures::left_out;
use super::reason;
use super::rows::{Rows, Work};
use pacemark_record::Better;
use pacemark_report::picture::{
    Guide, Line, LinePoint, Marks, Panel, Role, Spacing, Stroke, number,
};
use serde_json::Value;

/// Fewer values are no sweep.
const FEWEST: usize = 3;

/// An axis whose ends are so many times each other has equal ratios equally far apart.
const WIDE: f64 = 8.0;

/// What may be swept besides the parameters that a run says it varied.
const ALWAYS: [&str; 6] =
    ["n_prompt", "n_gen", "n_depth", "n_parallel", "concurrency", "request_rate"];

/// What may differ besides and is no number: lines of their own.
const TEXTS: [&str; 5] = ["run", "type_k", "type_v", "kv", "page_cache"];

/// One line of a sweep.
struct Swept {
    /// What holds for the whole line.
    label: String,
    /// Values of the parameter, and numbers of the rows.
    points: Vec<(f64, usize)>,
}

/// The parameters of which these rows have enough values, that of the most values first, and the rows
/// along each.
fn swept<'r>(rows: &'r Rows<'_>, indices: &[usize]) -> Vec<(&'r str, Vec<Swept>)> {
    let distinct = |key: &str| {
        let of = |&i: &usize| rows.trials[i].params.get(key).and_then(Value::as_f64);
        let mut found: Vec<f64> = indices.iter().filter_map(of).collect();
        found.sort_by(f64::total_cmp);
        found.dedup();
        found.len()
    };
    let mut keys: Vec<&str> = rows.varied.clone();
    keys.extend(ALWAYS.iter().chain(&TEXTS).filter(|key| !rows.varied.contains(key)));
    let mut wide: Vec<&str> = keys.iter().copied().filter(|key| distinct(key) >= FEWEST).collect();
    wide.sort_by_key(|key| std::cmp::Reverse(distinct(key)));
    let all = wide.into_iter().map(|key| (key, along(rows, indices, key, &keys)));
    all.filter(|(_, lines)| !lines.is_empty()).collect()
}

/// The rows along a parameter, a line for each combination of the others.
fn along(rows: &Rows<'_>, indices: &[usize], most: &str, keys: &[&str]) -> Vec<Swept> {
    let value = |i: usize, key: &str| rows.trials[i].params.get(key);
    let differs = |key: &&str| {
        *key != most && indices.windows(2).any(|pair| value(pair[0], key) != value(pair[1], key))
    };
    let others: Vec<&str> = keys.iter().copied().filter(differs).collect();
    let model = |i: usize| rows.trials[i].model.model_type.as_str();
    let has_models = indices.windows(2).any(|pair| model(pair[0]) != model(pair[1]));
    let mut lines: Vec<Swept> = Vec::new();
    for &i in indices {
        let Some(x) = value(i, most).and_then(Value::as_f64) else { continue };
        let told = |key: &&str| match value(i, key) {
            Some(Value::String(text)) => format!("{key} {text}"),
            other => format!("{key} {}", other.map_or("-".into(), Value::to_string)),
        };
        let mut label: Vec<String> = others.iter().map(told).collect();
        if has_models {
            label.insert(0, model(i).to_owned());
        }
        // Turns tell apart what nothing else does; ways to start a process have one each.
        let alike = |&j: &usize| j != i && rows.trials[j].params == rows.trials[i].params;
        if rows.trials[i].turn > 0 && indices.iter().any(alike) {
            label.push(format!("{} ({})", rows.trials[i].model.backend, rows.trials[i].turn + 1));
        }
        let label = label.join(", ");
        match lines.iter_mut().find(|line| line.label == label) {
            Some(line) => line.points.push((x, i)),
            None => lines.push(Swept { label, points: vec![(x, i)] }),
        }
    }
    for line in &mut lines {
        line.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    lines.retain(|line| line.points.len() >= FEWEST);
    lines
}

/// The figures along a line.
fn course(rows: &Rows<'_>, line: &Swept) -> Option<Course> {
    let rises = rows.headline?.better() != Better::Lower;
    let points = line.points.iter().map(|(x, i)| (*x, rows.figure(*i), *i));
    // Where nothing succeeded there is no point.
    let points: Vec<_> = points.filter(|(_, figure, _)| figure.value.is_some()).collect();
    (points.len() >= FEWEST).then(|| Course::of(points, rises))?
}

/// Why nothing can be said of a line that has figures.
fn unsaid(rows: &Rows<'_>, line: &Swept) -> Option<&'static str> {
    let figures = || line.points.iter().map(|(_, i)| rows.figure(*i));
    let n = figures().filter(|figure| figure.value.is_some()).count();
    let lacks = figures().any(|figure| figure.value.is_some() && figure.interval.is_none());
    (n >= FEWEST && lacks)
        .then_some("no advice, since nobody knows how much a figure without an interval scatters")
}

/// The figure over the parameter, with a line where it stops to grow.
pub(super) fn panel(rows: &Rows<'_>, work: Work, indices: &[usize]) -> Option<Panel> {
    let (key, lines) = swept(rows, indices).into_iter().next()?;
    let mut guides = Vec::new();
    if let [only] = &lines[..]
        && let Some(course) = course(rows, only)
        && let Some(at) = course.saturation()
    {
        let label = format!("from {} on no more", number(at));
        guides.push(Guide { label, at, is_upright: true });
    }
    let xs = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
    let (least, most) = xs().fold((f64::MAX, f64::MIN), |(l, m), x| (l.min(x), m.max(x)));
    let is_wide = least > 0.0 && most / least >= WIDE;
    let line = |(n, line): (usize, &Swept)| {
        let point = |(x, i): &(f64, usize)| {
            let figure = rows.figure(*i);
            let interval = figure.interval.map(|i| (i.low, i.high));
            figure.value.map(|y| LinePoint { x: *x, y, interval })
        };
        Line {
            label: line.label.clone(),
            points: line.points.iter().filter_map(point).collect(),
            stroke: Stroke::Straight,
            role: Role::Nth(n),
        }
    };
    let heading = rows.heading();
    let mut lines: Vec<Line> = lines.iter().enumerate().map(line).collect();
    let more = left_out(&mut lines);
    Some(Panel {
        title: rows.titled(work, &format!("{heading} over {key}")) + &more,
        y_axis: heading,
        x_axis: key.to_owned(),
        marks: Marks::Lines {
            lines,
            x: if is_wide { Spacing::Logarithmic } else { Spacing::Even },
            y: Spacing::Even,
            guides,
        },
    })
}

/// What sweeps come to, a sentence or two for each line.
pub(crate) fn advice(rows: &Rows<'_>) -> Vec<String> {
    let mut said = Vec::new();
    for (work, indices) in rows.by_work() {
        for (key, lines) in &swept(rows, &indices) {
            for line in lines {
                let what = match (rows.titled(work, &rows.heading()), line.label.as_str()) {
                    (what, "") => what,
                    (what, label) => format!("{what}, {label}"),
                };
                let Some(course) = course(rows, line) else {
                    said.extend(unsaid(rows, line).map(|why| format!("{what}: {key}: {why}.")));
                    continue;
                };
                let told = course.told(key, &reason::beyond(rows, &course, key));
                said.push(format!("{what}: {told}{}", reason::why(rows, &course, key)));
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throughput::Throughput;
    use pacemark_record::{Run, Sample, Trial};
    use serde_json::json;

    /// A prompt of so many tokens at so many a second, give or take a thousandth.
    fn trial(n_prompt: u64, n_ubatch: u64, rate: f64) -> Trial {
        let params =
            json!({ "n_prompt": n_prompt, "n_gen": 0, "n_ubatch": n_ubatch, "n_batch": 2048 });
        let sample = |i: u64| {
            let elapsed_ns = n_prompt as f64 / rate * (1e9 + (i % 3) as f64 * 1e6);
            Sample { elapsed_ns: elapsed_ns as u64, ..Sample::default() }
        };
        Trial {
            params: params.as_object().unwrap().clone(),
            measured: (0..6).map(sample).collect::<Vec<_>>().into(),
            ..Trial::default()
        }
    }

    fn said(trials: Vec<Trial>) -> Vec<String> {
        let run = Run { trials, varied: vec!["n_ubatch".into()], ..Run::default() };
        advice(&Rows::of(&Throughput, &run))
    }

    #[test]
    fn both_parameters_of_a_grid_are_advised_on() {
        let grid = [32, 64, 128].map(|p| [16, 32, 64].map(|ub| trial(p, ub, (p + 10 * ub) as f64)));
        let said = said(grid.concat());
        let of = |key: &str| {
            said.iter().filter(|text| text.contains(&format!(": {key} helped"))).count()
        };
        assert_eq!((of("n_ubatch"), of("n_prompt")), (3, 3), "{said:#?}");
        // A prompt of 64 is one pass of 64, one of 128 is not.
        let open = |n| {
            let line = format!("Prompts: t/s, n_prompt {n}: n_ubatch");
            said.iter().find(|text| text.starts_with(&line)).unwrap().contains("worth a try")
        };
        assert_eq!([32, 64, 128].map(open), [false, false, true], "{said:#?}");
        let lengths = said.iter().filter(|text| text.contains(": n_prompt"));
        assert!(lengths.clone().all(|text| !text.contains("worth a try")), "{said:#?}");
    }

    #[test]
    fn a_point_of_which_nothing_succeeded_is_none() {
        let mut trials: Vec<Trial> =
            [(1, 10.0), (2, 20.0), (4, 40.0)].map(|(ub, rate)| trial(64, ub, rate)).into();
        assert_eq!(said(trials.clone()).len(), 1);
        trials[1].measured = Vec::<Sample>::new().into();
        assert!(said(trials).is_empty());
    }
}
