//! A figure over a parameter that was swept: where it stops to grow, and why.
//!
//! Points of a sweep were measured one after the other and not in turn, so what is said of them is an
//! indication: two points are told apart only where their intervals do not touch.

use super::pictures::left_out;
use super::roofline;
use super::rows::{Rows, Work};
use pacemark_record::{Better, Figure, Trial};
use pacemark_report::picture::{
    Guide, Line, LinePoint, Marks, Panel, Role, Spacing, Stroke, number,
};
use serde_json::Value;

/// Fewer values are no sweep.
const FEWEST: usize = 3;

/// An axis whose ends are so many times each other has equal ratios equally far apart.
const WIDE: f64 = 8.0;

/// A change of less is none, whatever the intervals say.
const NOTHING: f64 = 0.02;

/// What may be swept besides the parameters that a run says it varied.
const ALWAYS: [&str; 6] =
    ["n_prompt", "n_gen", "n_depth", "n_parallel", "concurrency", "request_rate"];

/// What may differ besides and is no number: lines of their own.
const TEXTS: [&str; 5] = ["run", "type_k", "type_v", "kv", "page_cache"];

/// What reaches this part of what the machine allows is bound by it.
const AT_ROOF: f64 = 0.7;

/// One line of a sweep.
struct Swept {
    /// What holds for the whole line.
    label: String,
    /// Values of the parameter, and numbers of the rows.
    points: Vec<(f64, usize)>,
}

/// The parameter of which these rows have the most values, and the rows along it.
fn swept(rows: &Rows<'_>, indices: &[usize]) -> Option<(String, Vec<Swept>)> {
    let value = |i: usize, key: &str| rows.trials[i].params.get(key);
    let distinct = |key: &str| {
        let mut found: Vec<f64> =
            indices.iter().filter_map(|&i| value(i, key).and_then(Value::as_f64)).collect();
        found.sort_by(f64::total_cmp);
        found.dedup();
        found.len()
    };
    let mut keys: Vec<&str> = rows.varied.clone();
    keys.extend(ALWAYS.iter().chain(&TEXTS).filter(|key| !rows.varied.contains(key)));
    let most = keys.iter().rev().max_by_key(|key| distinct(key)).copied()?;
    if distinct(most) < FEWEST {
        return None;
    }
    let differs = |key: &&str| {
        *key != most && indices.windows(2).any(|pair| value(pair[0], key) != value(pair[1], key))
    };
    let others: Vec<&str> = keys.into_iter().filter(differs).collect();
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
        if rows.trials[i].turn > 0 {
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
    (!lines.is_empty()).then(|| (most.to_owned(), lines))
}

/// The figure over the parameter, with a line where it stops to grow.
pub(super) fn panel(rows: &Rows<'_>, work: Work, indices: &[usize]) -> Option<Panel> {
    let (key, lines) = swept(rows, indices)?;
    let mut guides = Vec::new();
    if let [only] = &lines[..]
        && let Some(course) = Course::of(rows, only)
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
        x_axis: key,
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
        let Some((key, lines)) = swept(rows, &indices) else { continue };
        for line in &lines {
            let Some(course) = Course::of(rows, line) else { continue };
            let what = match (rows.titled(work, &rows.heading()), line.label.as_str()) {
                (what, "") => what,
                (what, label) => format!("{what}, {label}"),
            };
            let reason = course.reason(rows, &key);
            said.push(format!("{what}: {}{reason}", course.told(&key)));
        }
    }
    said
}

/// The figures along a line.
struct Course {
    /// Values of the parameter and figures there, and the numbers of the rows.
    points: Vec<(f64, Figure, usize)>,
    /// More is better.
    rises: bool,
}

impl Course {
    fn of(rows: &Rows<'_>, line: &Swept) -> Option<Course> {
        let rises = rows.headline?.better() != Better::Lower;
        let points = line.points.iter().map(|(x, i)| (*x, rows.figure(*i), *i));
        let points: Vec<_> = points.filter(|(_, figure, _)| figure.value.is_some()).collect();
        // What scatters by nobody knows how much is nothing to go by.
        let known = points.iter().all(|(_, figure, _)| figure.interval.is_some());
        (points.len() >= FEWEST && known).then_some(Course { points, rises })
    }

    fn value(&self, i: usize) -> f64 {
        self.points[i].1.value.unwrap_or(f64::NAN)
    }

    /// Whether two points cannot be told apart.
    fn alike(&self, a: usize, b: usize) -> bool {
        let change = (self.value(a) / self.value(b) - 1.0).abs();
        let touch = match (self.points[a].1.interval, self.points[b].1.interval) {
            (Some(a), Some(b)) => a.low <= b.high && b.low <= a.high,
            _ => false,
        };
        touch || change < NOTHING
    }

    /// The first point that no other is shown to be better than.
    fn first_best(&self) -> usize {
        let beaten = |i: usize| {
            let mut others = 0..self.points.len();
            others.any(|j| self.is_better(j, i) && !self.alike(j, i))
        };
        (0..self.points.len()).find(|&i| !beaten(i)).unwrap_or(0)
    }

    /// Where it stops to grow, if it grew and went on.
    fn saturation(&self) -> Option<f64> {
        let first = self.first_best();
        (first > 0 && first + 1 < self.points.len()).then(|| self.points[first].0)
    }

    /// Whether a point is better than another, be it by chance.
    fn is_better(&self, a: usize, b: usize) -> bool {
        self.value(a) != self.value(b) && (self.value(a) > self.value(b)) == self.rises
    }

    fn told(&self, key: &str) -> String {
        let (first, last) = (self.first_best(), self.points.len() - 1);
        let at = |i: usize| number(self.points[i].0);
        let value = |i: usize| number(self.value(i));
        if first == 0 && self.alike(0, last) {
            return format!(
                "{key} makes no difference that can be told between {} and {}.",
                at(0),
                at(last)
            );
        }
        if first == 0 {
            return format!(
                "nothing is shown to be better than {key} {}, with {}; at {} it is {}.",
                at(0),
                value(0),
                at(last),
                value(last)
            );
        }
        let gain = self.value(first) / self.value(0);
        let gain = if self.rises { gain } else { 1.0 / gain };
        let helped = format!(
            "{key} helped from {} to {}: from {} to {}, {gain:.2} times as good.",
            at(0),
            at(first),
            value(0),
            value(first)
        );
        if first == last {
            return format!("{helped} It had not stopped to grow: larger values are worth a try.");
        }
        if self.alike(first, last) {
            return format!("{helped} From {} on no more is shown.", at(first));
        }
        format!("{helped} Beyond it falls: {} at {}.", value(last), at(last))
    }

    /// Why it does not go on, where something measured says so; begins with a space.
    fn reason(&self, rows: &Rows<'_>, key: &str) -> String {
        let (first, last) = (self.first_best(), self.points.len() - 1);
        let trial = &rows.trials[self.points[first].2];
        if first == 0 {
            let falls = !self.alike(0, last);
            return if falls { context(trial, key) } else { String::new() };
        }
        if first == last {
            return String::new();
        }
        let (cpus, at) = (rows.logical_cpus, self.points[first].0);
        let is_beyond = cpus > 0 && self.points[last].0 > cpus as f64 && at <= cpus as f64;
        if key.starts_with("n_threads") && is_beyond {
            return format!(
                " The reason: there are {cpus} processors, and more threads take turns on them."
            );
        }
        let near = |share: &f64| (AT_ROOF..=1.2).contains(share);
        let Some(share) = trial.roof_share().filter(near) else { return String::new() };
        let share = format!("{:.0} %", share * 100.0);
        match roofline::is_bound_by_memory(trial) {
            Some(true) => format!(
                " The reason: memory. {share} of its bandwidth is in use, and every token reads all weights."
            ),
            Some(false) => {
                format!(" The reason: the processors. {share} of what they can compute is in use.")
            }
            None => String::new(),
        }
    }
}

/// Of longer sequences each token looks at more.
fn context(trial: &Trial, key: &str) -> String {
    let is_length = ["n_prompt", "n_gen", "n_depth"].contains(&key);
    if is_length && trial.model.kv_bytes_per_token > 0 {
        return " A reason: each token looks at the keys and values of all before it.".to_owned();
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::stats::Interval;

    fn course(values: &[(f64, f64, f64)]) -> Course {
        let point = |(i, (x, value, half)): (usize, &(f64, f64, f64))| {
            let interval = Some(Interval { low: value - half, high: value + half });
            (*x, Figure { value: Some(*value), interval }, i)
        };
        Course { points: values.iter().enumerate().map(point).collect(), rises: true }
    }

    #[test]
    fn what_helped_and_where_it_stopped() {
        let grows =
            course(&[(1.0, 100.0, 2.0), (2.0, 190.0, 3.0), (4.0, 191.0, 3.0), (8.0, 189.0, 3.0)]);
        assert_eq!(grows.saturation(), Some(2.0));
        assert_eq!(
            grows.told("n_threads"),
            "n_threads helped from 1 to 2: from 100 to 190, 1.90 times as good. From 2 on no more is shown."
        );
        let falls = course(&[(1.0, 100.0, 2.0), (2.0, 190.0, 3.0), (4.0, 120.0, 3.0)]);
        assert!(falls.told("x").ends_with("Beyond it falls: 120 at 4."), "{}", falls.told("x"));
        let flat = course(&[(1.0, 100.0, 2.0), (2.0, 101.0, 3.0), (4.0, 99.0, 3.0)]);
        assert_eq!(flat.told("x"), "x makes no difference that can be told between 1 and 4.");
        assert_eq!(flat.saturation(), None);
        let open = course(&[(1.0, 100.0, 2.0), (2.0, 150.0, 3.0), (4.0, 200.0, 3.0)]);
        assert!(open.told("x").contains("had not stopped"), "{}", open.told("x"));
        let sinks = course(&[(1.0, 100.0, 2.0), (2.0, 80.0, 3.0), (4.0, 60.0, 3.0)]);
        assert_eq!(
            sinks.told("x"),
            "nothing is shown to be better than x 1, with 100; at 4 it is 60."
        );
        let wide = course(&[(1.0, 100.0, 2.0), (2.0, 150.0, 60.0), (4.0, 140.0, 2.0)]);
        assert!(wide.told("x").contains("helped from 1 to 2"), "{}", wide.told("x"));
    }
}
