//! Starts of made-up processes.

use super::*;
use crate::Warmups;
use crate::{Repetitions, Silent};
use pacemark_record::{Inside, Sample};
use pacemark_report::{Page, render, render::find};
use serde_json::Value;
use std::sync::atomic::AtomicBool;

/// Answers at once with figures that tell who was asked when; fails at a start.
struct Clockwork {
    order: Vec<usize>,
    fails_at: usize,
}

impl Launcher for Clockwork {
    fn launch(&mut self, index: usize) -> Result<Launched, BenchError> {
        self.order.push(index);
        if self.order.len() == self.fails_at {
            return Err(BenchError::Machine("broken".into()));
        }
        let n = self.order.len() as u64;
        let inside = Inside {
            load_ns: 40_000_000,
            empty_rss_bytes: Some(10 << 20),
            loaded_rss_bytes: Some(110 << 20),
            generated_rss_bytes: Some(130 << 20),
            peak_rss_bytes: Some(140 << 20),
            kv_bytes: Some(4 << 20),
            sample: Sample { ttft_ns: Some(9_000_000), ..Sample::default() },
        };
        let start = Start {
            first_ns: Some(60_000_000 + 20_000_000 * index as u64 + n * 100_000),
            ended_ns: 90_000_000 + n * 100_000,
            storage_bytes: Some(0),
            inside: (index == 0).then_some(inside),
        };
        let weights = vec![("Q4_1".to_owned(), 90 << 20), ("F32".to_owned(), 1 << 20)];
        let model = Model { model_type: "llama 135M Q4_1".into(), ..Model::default() };
        let of = if index == 0 { (model, weights) } else { Default::default() };
        Ok(Launched { model: of.0, weights: of.1, start, notes: vec!["told once".into()] })
    }
}

fn measured(fails_at: usize) -> (Vec<usize>, Result<Vec<Trial>, CutShort>) {
    let launch = |name: &str, is_command| Launch {
        name: name.into(),
        is_command,
        page_cache: "warm",
        params: Params::new(),
    };
    let launches = Launches(vec![launch("smollm2-135m", false), launch("other -n 1", true)]);
    let mut how = How {
        repetitions: Repetitions::exactly(6),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut Silent,
        stop: &AtomicBool::new(false),
    };
    let mut clockwork = Clockwork { order: Vec::new(), fails_at };
    let mut subject = Subject::Launcher(&mut clockwork);
    let result = ColdStart.measure(&Case::Launches(launches), &mut subject, &mut how);
    (clockwork.order, result)
}

#[test]
fn ways_take_turns_and_what_came_before_an_error_is_kept() {
    let (order, result) = measured(0);
    assert_eq!(order, [0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0]);
    assert_eq!(result.unwrap().iter().map(|t| t.cold().unwrap().starts.len()).sum::<usize>(), 12);
    let cut = measured(4).1.unwrap_err();
    let n: Vec<usize> = cut.partial.iter().map(|t| t.cold().unwrap().starts.len()).collect();
    assert_eq!((n, cut.error.to_string()), (vec![1, 2], "broken".to_owned()));
    assert!(measured(1).1.unwrap_err().partial.is_empty());
}

#[test]
fn a_page_of_made_up_starts() {
    let run = Run { trials: measured(0).1.unwrap(), ..Run::default() };
    let mut document = ColdStart.document(&run, &[]);
    document.notes = ColdStart.notes(&run);
    let shown = |format: &str, width| {
        render(&document, find(format).unwrap(), &Page { width, ..Page::default() })
    };
    insta::assert_snapshot!("cold_md", shown("md", None));
    for width in [80, 100] {
        let page = shown("md", Some(width));
        assert!(page.lines().all(|line| line.chars().count() <= width), "{width}: {page}");
    }
    let json: Value = serde_json::from_str(&shown("json", None)).unwrap();
    let of = |i: usize, name: &str| json[i][name].clone();
    assert_eq!(of(0, "load_bytes"), 100.0 * 1_048_576.0);
    assert_eq!(of(0, "inference_bytes"), 20.0 * 1_048_576.0);
    assert!(of(1, "load_bytes").is_null() && of(1, "cold_ttft_ms").as_f64().unwrap() > 80.0);
}

#[test]
fn ways_are_named_by_what_differs() {
    let trial = |key: &str, name: &str, n_threads: u64| {
        let params = serde_json::json!({ key: name, PAGE_CACHE: "warm", "n_threads": n_threads });
        Trial { params: params.as_object().unwrap().clone(), ..Trial::default() }
    };
    let names = |trials: &[Trial]| page::names(trials);
    let two = [trial("model", "m", 1), trial("model", "m", 2)];
    assert_eq!(names(&two), ["m, warm, n_threads 1", "m, warm, n_threads 2"]);
    assert_eq!(names(&two[..1]), ["m, warm"]);
    let command = Trial {
        params: serde_json::json!({ COMMAND: "x", PAGE_CACHE: "warm" })
            .as_object()
            .unwrap()
            .clone(),
        ..Trial::default()
    };
    assert_eq!(names(&[two[0].clone(), command]), ["m, warm", "x, warm"]);
    let long = "another engine with a long command line";
    let commands =
        [trial(COMMAND, &format!("{long} -x"), 1), trial(COMMAND, &format!("{long} -y"), 1)];
    let [first, second] = &names(&commands)[..] else { panic!("two") };
    assert!(first != second && first.ends_with("(1)"), "{first}, {second}");
}
