//! Lines of made-up runs.

use super::*;
use pacemark_record::{SCHEMA, Sample};
use pacemark_report::{Page, RENDERERS, render};
use serde_json::json;

/// A run of two tests that began then, with so many tokens a second.
fn past(number: u64, rate: f64) -> Past {
    let trial = |n_gen: u64, rate: f64| {
        let sample = |i: u64| Sample {
            elapsed_ns: (1e9 * n_gen as f64 / (rate + 0.1 * i as f64)) as u64,
            ..Sample::default()
        };
        let mut trial = Trial {
            experiment: "throughput".to_owned(),
            measured: (0..5).map(sample).collect::<Vec<_>>().into(),
            ..Trial::default()
        };
        trial.model.model_type = "llama 135M".to_owned();
        trial.params.insert("n_prompt".to_owned(), json!(0));
        trial.params.insert("n_gen".to_owned(), json!(n_gen));
        trial
    };
    let mut run =
        Run { schema: SCHEMA, trials: vec![trial(16, rate), trial(128, 50.0)], ..Run::default() };
    run.env.started_unix_s = 1_790_000_000 + number * 3600;
    run.env.commit = format!("c{number}");
    Past { id: format!("{number:064}"), run }
}

/// Eight runs around 100, six around 90.
fn history() -> Vec<Past> {
    let noise = [0.0, 0.7, -0.6, 0.3, -0.2, 0.5, -0.4, 0.1];
    (0..14).map(|i| past(i, if i < 8 { 100.0 } else { 90.0 } + noise[i as usize % 8])).collect()
}

fn all(name: &str, runs: &[Past]) -> Vec<Line> {
    lines(name, runs, "", usize::MAX).lines
}

#[test]
fn some_lines_are_those_of_the_newest_runs_and_of_a_test() {
    let mut runs = history();
    runs[13].run.trials.remove(0);
    let newest = lines("avg_ts", &runs, "", 1);
    assert_eq!((newest.lines.len(), newest.left), (1, 1));
    assert_eq!((newest.lines[0].test.as_str(), newest.lines[0].points.len()), ("tg128", 14));
    let of_test = lines("avg_ts", &runs, "tg16", 1);
    assert_eq!((of_test.lines[0].test.as_str(), of_test.left), ("tg16", 0));
    assert_eq!(of_test.lines[0].points.len(), 13);
    assert!(lines("avg_ts", &runs, "pp", 9).lines.is_empty());
}

#[test]
fn each_test_is_a_line_and_a_level_begins_where_it_does() {
    let lines = all("avg_ts", &history());
    assert_eq!(lines.len(), 2);
    let line = lines.iter().find(|line| line.test == "tg16").unwrap();
    assert_eq!((line.points.len(), &line.changes), (14, &vec![8]));
    let change = line.change(8).unwrap();
    assert!((change + 0.1).abs() < 0.005 && line.change(7).is_none(), "{change}");
    assert!(line.points.iter().all(|point| point.figure.interval.is_some()));
    let other = lines.iter().find(|line| line.test == "tg128").unwrap();
    assert!(other.changes.is_empty(), "nothing happened to that one");
    // Another number of threads is another line.
    let mut runs = history();
    runs[13].run.trials[0].params.insert("n_threads".to_owned(), json!(1));
    assert_eq!(all("avg_ts", &runs).len(), 3);
    assert!(all("ppl", &runs).is_empty(), "nobody measured that");
}

#[test]
fn it_is_shown_in_every_format() {
    let lines = all("avg_ts", &history());
    let document = document("avg_ts", &lines);
    assert_eq!(document.notes.len(), 1);
    let note = &document.notes[0];
    for said in ["tg16, llama 135M", "(-9.9 %, worse)", "build c8", "0000000000"] {
        assert!(note.contains(said), "{said}: {note}");
    }
    for renderer in RENDERERS {
        let text = render(&document, renderer, &Page::default());
        assert!(text.contains("tg128") && text.contains("100."), "{}: {text}", renderer.name);
        assert_eq!(text.contains('●'), renderer.name == "table", "{}: {text}", renderer.name);
    }
    let picture = pacemark_report::picture::svg(&picture("avg_ts", &lines));
    assert!(picture.contains("avg_ts over time") && picture.contains("tg128"));
}

#[test]
fn names_of_metrics() {
    let names = metric_names();
    for name in ["avg_ts", "ppl", "output_ts_total", "ttft_ms"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn a_headline_is_a_figure_of_its_experiment() {
    for experiment in EXPERIMENTS {
        let has = experiment.metrics().is_empty();
        assert_eq!(experiment.headline().is_none(), has, "{}", experiment.name());
    }
}
