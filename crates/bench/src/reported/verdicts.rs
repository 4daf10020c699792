//! What a run comes to, in sentences: what stands for each row, and who is faster of those that were
//! measured in turn.

use super::rows::{RUN, Rows, alike};
use crate::Experiment;
use pacemark_record::{Better, Comparison, Run, Trial, Unit, Verdict as Found};
use pacemark_report::picture::number;
use pacemark_report::{Standing, Verdict};

/// More rows than this are for the table.
const MOST_ROWS: usize = 6;

/// Of rows that cannot be told apart so many are named.
const MOST_NAMED: usize = 4;

/// What makes a test: only rows of the same are ranked. Runs are not measured in turn, so that what one
/// is over another is for `compare` to say.
const OF_TEST: [&str; 11] = [
    RUN,
    "n_prompt",
    "n_gen",
    "n_depth",
    "n_parallel",
    "task",
    "length",
    "input_lengths",
    "output_lengths",
    "prompts",
    "endpoint",
];

/// Sentences, comparisons first.
pub(crate) fn verdicts(experiment: &(impl Experiment + ?Sized), run: &Run) -> Vec<Verdict> {
    let compared = experiment.comparisons(&run.trials);
    let of_trial = |(trial, found): (&Trial, &Vec<Comparison>)| {
        let test = test_name(experiment, run, trial);
        found.iter().map(|found| contrast(&test, found)).collect::<Vec<_>>()
    };
    let mut said: Vec<Verdict> = run.trials.iter().zip(&compared).flat_map(of_trial).collect();
    let rows = Rows::of(experiment, run);
    if run.trials.len() <= MOST_ROWS {
        said.extend((0..run.trials.len()).filter_map(|i| row(&rows, i)));
        return said;
    }
    let tests = by_test(&rows);
    said.extend(tests.iter().take(MOST_ROWS).filter_map(|indices| best(&rows, indices)));
    if tests.len() > MOST_ROWS {
        let n = tests.len() - MOST_ROWS;
        said.push(Verdict::plain(format!("{n} more tests are in the table")));
    }
    said
}

/// The rows that were told of `indices`, one by one.
pub(crate) fn of_rows(rows: &Rows<'_>, indices: impl IntoIterator<Item = usize>) -> Vec<Verdict> {
    indices.into_iter().filter_map(|i| row(rows, i)).collect()
}

/// What was compared, where a run has more than one such thing.
fn test_name(experiment: &(impl Experiment + ?Sized), run: &Run, trial: &Trial) -> String {
    let model = |trial: &Trial| trial.model.model_type.clone();
    let of_run = |trial: &Trial| {
        trial.params.get(RUN).and_then(|run| run.as_str()).unwrap_or_default().to_owned()
    };
    let mut parts = vec![experiment.row_name(run, trial)];
    for part in [&model as &dyn Fn(&Trial) -> String, &of_run] {
        // Types of weights that are compared are models, too.
        let first = run.trials.iter().filter(|trial| trial.turn == 0);
        let mut differs = first.map(part);
        let one = differs.next();
        if differs.any(|other| Some(other) != one) {
            parts.push(part(trial));
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts.join(", ")
}

/// Rows of the same model and test, in the order in which they come.
fn by_test(rows: &Rows<'_>) -> Vec<Vec<usize>> {
    let is_same = |a: usize, b: usize| {
        let (a, b) = (&rows.trials[a], &rows.trials[b]);
        a.model.model_type == b.model.model_type
            && a.model.path == b.model.path
            && OF_TEST.iter().all(|key| a.params.get(*key) == b.params.get(*key))
    };
    let mut tests: Vec<Vec<usize>> = Vec::new();
    for i in (0..rows.trials.len()).filter(|i| rows.figure(*i).value.is_some()) {
        match tests.iter_mut().find(|test| is_same(test[0], i)) {
            Some(test) => test.push(i),
            None => tests.push(vec![i]),
        }
    }
    tests
}

fn row(rows: &Rows<'_>, i: usize) -> Option<Verdict> {
    if rows.names[i].trim().is_empty() {
        return Some(Verdict::plain(told(rows, i)?));
    }
    Some(Verdict::plain(format!("{}: {}", rows.names[i], told(rows, i)?)))
}

/// The figure of a row with its interval.
fn told(rows: &Rows<'_>, i: usize) -> Option<String> {
    let (metric, figure) = (rows.headline?, rows.figure(i));
    let value = figure.value?;
    let unit = metric.unit();
    let name = rows.heading();
    let one = |value: f64| in_unit(value, unit);
    Some(match figure.interval {
        Some(interval) => {
            format!("{name} {} (95 %: {} to {})", one(value), one(interval.low), one(interval.high))
        }
        None => format!("{name} {}", one(value)),
    })
}

fn in_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => pacemark_report::size(value as u64),
        Unit::Ratio | Unit::Probability => format!("{} %", number(value * 100.0)),
        _ => number(value),
    }
}

/// Of rows of one test the best, or those among which it is.
fn best(rows: &Rows<'_>, indices: &[usize]) -> Option<Verdict> {
    let metric = rows.headline?;
    let sign = if metric.better() == Better::Lower { -1.0 } else { 1.0 };
    let value = |i: &usize| rows.figure(*i).value.map(|value| value * sign);
    let mut ranked: Vec<usize> = indices.iter().copied().filter(|i| value(i).is_some()).collect();
    ranked.sort_by(|a, b| value(b).unwrap_or(f64::NAN).total_cmp(&value(a).unwrap_or(f64::NAN)));
    let (first, n) = (*ranked.first()?, ranked.len());
    if n == 1 {
        return row(rows, first);
    }
    let has_interval = metric.ends.is_some();
    let is_even = |i: &usize| match has_interval {
        true => *i == first || alike(&rows.figure(first), &rows.figure(*i)),
        false => value(i) == value(&first),
    };
    let even: Vec<usize> = ranked.into_iter().filter(is_even).collect();
    if let [only] = even[..] {
        let (name, told) = (&rows.names[only], told(rows, only)?);
        return Some(Verdict::plain(match has_interval {
            true => format!("best of {n} rows: {name}: {told}"),
            false => format!("best of {n} rows, though no interval shows it: {name}: {told}"),
        }));
    }
    let one = |i: &usize| {
        let value = rows.figure(*i).value.unwrap_or(f64::NAN);
        format!("{} ({})", rows.names[*i], in_unit(value, metric.unit()))
    };
    let mut named: Vec<String> = even.iter().take(MOST_NAMED).map(one).collect();
    if even.len() > MOST_NAMED {
        named.push(format!("{} more", even.len() - MOST_NAMED));
    }
    let (heading, named) = (rows.heading(), named.join("; "));
    Some(Verdict {
        standing: Standing::Open,
        text: format!(
            "{heading}: none of {n} rows is shown to be the best; these cannot be told apart: {named}"
        ),
    })
}

fn contrast(test: &str, found: &Comparison) -> Verdict {
    let Comparison { title, first, second, ratio, ci95_low, ci95_high, pairs, .. } = found;
    let title = match (test, title.trim()) {
        ("", title) => title.to_owned(),
        (test, title) => format!("{test}, {title}"),
    };
    let interval = match (ci95_low, ci95_high) {
        (Some(low), Some(high)) => format!(" (95 %: {low:.3} to {high:.3}, {pairs} pairs)"),
        _ => format!(" ({pairs} pairs)"),
    };
    let (standing, text) = match found.verdict {
        Found::Faster => (Standing::Good, "is better"),
        Found::Slower => (Standing::Bad, "is worse"),
        Found::NotDistinguishable => (Standing::Open, "cannot be told apart"),
        Found::TooFewPairs => (Standing::Open, "too few pairs to say"),
    };
    Verdict {
        standing,
        text: format!("{title}: {first} over {second} is {ratio:.3}{interval}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throughput::Throughput;
    use pacemark_record::Sample;
    use serde_json::json;

    /// So many tokens that took these milliseconds, of the row of that number.
    fn trial(n_gen: u64, number: usize, elapsed_ms: &[u64]) -> Trial {
        let params = json!({ "n_prompt": 0, "n_gen": n_gen, "n_threads": number });
        let sample = |ms: &u64| Sample { elapsed_ns: ms * 1_000_000, ..Sample::default() };
        Trial {
            experiment: "throughput".into(),
            params: params.as_object().unwrap().clone(),
            measured: elapsed_ms.iter().map(sample).collect::<Vec<_>>().into(),
            ..Trial::default()
        }
    }

    fn said(trials: Vec<Trial>) -> Vec<String> {
        let run = Run { trials, varied: vec!["n_threads".into()], ..Run::default() };
        verdicts(&Throughput, &run).into_iter().map(|verdict| verdict.text).collect()
    }

    const TIMES: [u64; 6] = [1000, 1010, 990, 1005, 995, 1001];

    #[test]
    fn a_tie_has_no_best_row() {
        let alike = said((0..50).map(|i| trial(64, i, &TIMES)).collect());
        assert_eq!(alike.len(), 1);
        let expected = "t/s: none of 50 rows is shown to be the best; these cannot be told apart: tg64, threads 0 (63.99); ";
        assert!(alike[0].starts_with(expected) && alike[0].ends_with("; 46 more"), "{alike:?}");
        let mut trials: Vec<Trial> = (0..7).map(|i| trial(64, i, &TIMES)).collect();
        trials[3] = trial(64, 3, &TIMES.map(|ms| ms / 2));
        let shown = said(trials.clone());
        assert!(shown[0].starts_with("best of 7 rows: tg64, threads 3: t/s 128"), "{shown:?}");
        // Three repetitions have no interval, whatever their means are.
        for trial in &mut trials {
            trial.samples_mut().unwrap().truncate(3);
        }
        assert!(said(trials)[0].contains("none of 7 rows"));
    }

    #[test]
    fn models_lengths_and_runs_are_not_ranked_against_each_other() {
        let mut trials: Vec<Trial> = (0..8)
            .map(|i| trial([16, 512][i / 4], i, &TIMES.map(|ms| ms * (i as u64 + 1))))
            .collect();
        assert_eq!(said(trials.clone()).len(), 2);
        trials[0].model.model_type = "other".into();
        trials[1].params.insert(RUN.into(), "after.json".into());
        let four = said(trials.clone());
        assert_eq!(four.len(), 4, "{four:?}");
        for (i, trial) in trials.iter_mut().enumerate() {
            trial.params.insert("n_depth".into(), i.into());
        }
        let many = said(trials);
        assert_eq!((many.len(), many[6].as_str()), (7, "2 more tests are in the table"));
    }

    #[test]
    fn a_comparison_says_of_which_test_it_is() {
        let mut trials = vec![
            trial(16, 1, &TIMES),
            trial(16, 1, &TIMES.map(|ms| ms * 2)),
            trial(32, 1, &TIMES),
            trial(32, 1, &TIMES.map(|ms| ms * 2)),
        ];
        (trials[1].turn, trials[3].turn) = (1, 1);
        let said = said(trials);
        let of = |test: &str| {
            said.iter().filter(|text| text.starts_with(&format!("{test}, threads 1, t/s:"))).count()
        };
        assert_eq!((of("tg16"), of("tg32")), (1, 1), "{said:#?}");
    }
}
