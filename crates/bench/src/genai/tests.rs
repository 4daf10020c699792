//! Prompts on a mock whose clock is exact, and pages of made-up iterations.

use super::*;
use crate::{Observer, Repetitions, Silent};
use pacemark_backend::MockBackend;
use pacemark_record::Env;
use pacemark_report::{Page, RENDERERS, render, render::find};
use serde_json::{Value, json};

const MS: u64 = 1_000_000;

/// As many tokens as words.
fn words(text: &str) -> Vec<TokenId> {
    (0..text.split(' ').count() as TokenId).collect()
}

/// 2 ms for a token of the prompt, 10 ms for each generated one after the first.
fn mock() -> MockBackend {
    MockBackend::new(Duration::from_millis(2), Duration::from_millis(10))
}

fn measured(
    prompt: &str,
    (warmups, iterations): (usize, usize),
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Vec<Trial>, CutShort> {
    let mock = mock();
    let wanted = Prompted { prompt: prompt.into(), max_tokens: 4, params: Params::default() };
    let mut subject = Subject::Writer(Writer { backend: &mock, encode: &words });
    let (repetitions, warmup) = (Repetitions::exactly(iterations), Warmups::Exactly(warmups));
    let mut how = How { repetitions, warmup, seed: 0, observer, stop };
    Genai.measure(&Case::Prompted(Box::new(wanted)), &mut subject, &mut how)
}

#[test]
fn iterations_on_a_known_clock() {
    let prompt = "The Sky is blue because";
    let trials = measured(prompt, (2, 3), &mut Silent, &AtomicBool::new(false)).unwrap();
    let trial = &trials[0];
    assert_eq!((trial.experiment.as_str(), trial.repetitions), ("genai", 3));
    assert_eq!((trial.warmup.elapsed_ns.len(), trial.warmup.n_tokens), (2, 9));
    assert_eq!(trial.count("n_prompt"), 5);
    for request in trial.requests() {
        assert_eq!(request.gaps_ns().collect::<Vec<_>>(), [10 * MS; 3]);
        // All but tokenization is of the mock's clock.
        let began = request.started_ns.unwrap();
        assert_eq!(request.ttft_ns(), Some(began + 10 * MS));
        assert_eq!(request.total_ns(), Some(began + 40 * MS));
        let tokenize = request.phases_ns.iter().find(|(name, _)| name == TOKENIZE).unwrap().1;
        assert!(tokenize <= began, "tokenization is within");
    }
    let perf = Perf::of(trial);
    assert_eq!((perf.prompt_tokens, perf.output_tokens), (5, 4));
    assert_eq!(perf.tpot_ms, Some(MeanSd { mean: 10.0, sd: 0.0 }));
    assert_eq!(perf.throughput, Some(MeanSd { mean: 100.0, sd: 0.0 }));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    struct Impatient<'a>(&'a AtomicBool);
    impl Observer for Impatient<'_> {
        fn phase(&mut self, phase: Phase) {
            self.0.store(phase == Phase::Repetition(3), Relaxed);
        }
    }
    let stop = AtomicBool::new(false);
    let cut = measured("a b", (1, 5), &mut Impatient(&stop), &stop).unwrap_err();
    assert_eq!(cut.error, BenchError::Interrupted);
    assert_eq!(cut.partial[0].requests().len(), 2, "whole iterations are kept");
    let long = "a ".repeat(5000);
    let cut = measured(&long, (0, 1), &mut Silent, &AtomicBool::new(false)).unwrap_err();
    assert!(cut.partial.is_empty() && cut.error.to_string().contains("4096"), "{}", cut.error);
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut Silent,
        stop: &stop,
    };
    let (mock, case) = (mock(), Case::Machine(None));
    let writer = Writer { backend: &mock, encode: &words };
    let cut = Genai.measure(&case, &mut Subject::Writer(writer), &mut how).unwrap_err();
    assert_eq!(cut.error, BenchError::Mismatch { experiment: "genai" });
}

/// An iteration of four tokens that took so many milliseconds, a fifth of it until the first.
fn took(ms: u64) -> Request {
    let at = |tenths: u64| ms * MS * tenths / 10;
    Request {
        prompt_tokens: Some(5),
        cached_tokens: Some(0),
        started_ns: Some(0),
        chunks_ns: vec![at(2), at(4), at(6), at(8)],
        end_ns: at(10),
        output_wanted: Some(4),
        output_usage: Some(4),
        finish_reason: Some("length".into()),
        phases_ns: vec![(TOKENIZE.into(), MS), ("detokenize".into(), 2 * MS)],
        ..Request::default()
    }
}

/// A run of such iterations, with the process's time or without.
fn run(times_ms: &[u64], is_report: bool) -> Run {
    let requests: Vec<Request> = times_ms.iter().map(|ms| took(*ms)).collect();
    let mut trial = Trial {
        experiment: "genai".into(),
        repetitions: requests.len(),
        measured: requests.into(),
        ..Trial::default()
    };
    trial.model.model_type = "mock 1M F32".into();
    for (name, n) in [("n_prompt", 5), ("n_gen", 4), ("n_threads", 2)] {
        trial.params.insert(name.into(), n.into());
    }
    let sum_ms: u64 = times_ms.iter().sum();
    let whole_ms = 500.0 + sum_ms as f64;
    let facts =
        json!({ "start_ms": 10.0, "load_ms": 400.0, "rest_ms": 90.0, "whole_ms": whole_ms });
    let facts = Measured::Facts { facts: facts.as_object().unwrap().clone() };
    let whole = is_report.then(|| Trial { measured: facts, ..trial.clone() });
    let trials = std::iter::once(trial).chain(whole).collect();
    Run { trials, env: Env::default(), ..Run::default() }
}

fn shown(run: &Run, format: &str) -> String {
    let mut document = Genai.document(run, &[]);
    document.notes = Genai.notes(run);
    render(&document, find(format).unwrap(), &Page::default())
}

/// Seed 000's five iterations, a hundredth as long, with its 20 tokens as four.
const SEED: [u64; 5] = [425, 463, 464, 471, 463];

#[test]
fn a_report_has_iterations_spread_breakdown_grade_and_trend() {
    let run = run(&SEED, true);
    let read = Run::from_json(&serde_json::to_string(&Run { schema: 2, ..run.clone() }).unwrap());
    assert_eq!(shown(&read.unwrap(), "table"), shown(&run, "table"), "the record has it all");
    insta::assert_snapshot!("genai_report", shown(&run, "table"));
    let object: Value = serde_json::from_str(&shown(&run, "json")).unwrap();
    assert_eq!(object["iterations"][1]["generate_ms"], json!(463.0));
    // Python's statistics: mean, stdev and 1 - stdev / mean of [425, 463, 464, 471, 463].
    let of = |row: usize| object["spread"][row]["generate_ms"].as_f64().unwrap();
    let expected = [457.2, 425.0, 471.0, 18.308_467_986_153_293, 0.959_955_231_876_305];
    for (row, expected) in expected.into_iter().enumerate() {
        assert!((of(row) - expected).abs() < 1e-6, "{row}: {}", of(row));
    }
    assert_eq!(object["breakdown"][1]["spent_ms"], 400.0);
    // Twenty tokens in 2.786 and in 2.286 s.
    let overhead = |name: &str| object["overhead"][name].as_f64().unwrap();
    assert!((object["breakdown"][1]["share"].as_f64().unwrap() - 400.0 / 2786.0).abs() < 1e-6);
    assert!((overhead("with_ts") - 20.0 / 2.786).abs() < 1e-9);
    assert!((overhead("without_ts") - 20.0 / 2.286).abs() < 1e-9);
    assert!((overhead("share") - 500.0 / 2786.0).abs() < 1e-9);
    assert_eq!(object["grade"]["name"], "usable");
    assert_eq!(object["genai"][0]["samples_generate_ns"].as_array().unwrap().len(), 5);
}

#[test]
fn without_the_process_time_it_is_one_table() {
    let run = run(&SEED, false);
    for renderer in RENDERERS {
        let text = shown(&run, renderer.name);
        assert!(text.contains("457.2"), "{}: {text}", renderer.name);
        assert!(!text.contains("breakdown") && !text.contains("the process"), "{text}");
    }
    let rows: Value = serde_json::from_str(&shown(&run, "json")).unwrap();
    assert_eq!((&rows[0]["n_prompt"], &rows[0]["iterations"]), (&json!(5), &json!(5)));
    assert!(rows[0]["ttft_ms_p50"].is_null(), "five iterations bound no median");
}

#[test]
fn a_grade_is_by_the_given_thresholds() {
    let mut run = run(&[100, 100], true);
    // Four tokens, 20 ms from one to the next: 50 t/s; 20 ms until the first.
    assert!(shown(&run, "table").contains("excellent: 50.00 t/s, TTFT 20.00 ms"));
    run.trials[0].params.insert(GRADES.into(), "60/10,55/15,52/18,51/19".into());
    assert!(shown(&run, "table").contains("very slow: 50.00 t/s"), "{}", shown(&run, "table"));
}

#[test]
fn later_iterations_are_told_apart_only_beyond_noise() {
    let verdict = |times: &[u64]| trend::Trend::of(&run(times, false).trials[0]).verdict();
    let slower = verdict(&[100, 102, 110, 118, 120, 121]);
    assert!(
        slower.starts_with("later iterations are slower: the last third was 16.2 %"),
        "{slower}"
    );
    let noise = verdict(&[100, 121, 99, 120, 101, 118]);
    assert!(noise.starts_with("none beyond noise"), "{noise}");
    assert!(verdict(&[100, 90, 80]).contains("it takes 5 iterations, here are 3"));
    assert!(Genai.notes(&run(&[100, 102, 110, 118, 120, 121], false))[0].starts_with("later"));
    let notes = Genai.notes(&run(&[100, 101, 99, 300, 100], false));
    assert!(notes[0].contains("iteration 4"), "{notes:?}");
}

#[test]
fn an_answer_that_ended_early_says_so() {
    let mut run = run(&[100], false);
    let load = run.trials[0].load_mut().unwrap();
    (load.requests[0].finish_reason, load.requests[0].output_wanted) =
        (Some("stop".into()), Some(20));
    assert_eq!(Genai.notes(&run), ["the model ended its answer after 4 of 20 tokens"]);
    run.trials[0].repetitions = 3;
    assert_eq!(Genai.notes(&run)[0], "cut short after 1 of 3 iterations");
}

#[test]
fn a_page_of_reports_has_grade_and_trend_as_verdicts_and_no_bar_of_the_process() {
    use pacemark_report::Standing;
    let reported = run(&SEED, true);
    let said = Genai.verdicts(&reported);
    assert!(said[0].text.starts_with("grade: ") && said[0].text.contains("thresholds"), "{said:?}");
    assert!(said[1].text.starts_with("trend: none beyond noise"), "{said:?}");
    assert_eq!((said[1].standing, said.len()), (Standing::Good, 3), "{said:?}");
    assert_eq!(Genai.verdicts(&run(&SEED, false)).len(), 1, "nobody asked for a grade");
    let few = Genai.verdicts(&run(&SEED[..2], true));
    assert_eq!(few[1].standing, Standing::Open);
    let panels = Genai.panels(&reported);
    let pacemark_report::picture::Marks::Bars(bars) = &panels[0].marks else { panic!() };
    assert_eq!((bars.len(), bars[0].label.as_str()), (1, "pp5+tg4"));
}

#[test]
fn a_report_says_grade_and_trend_once_and_the_command_as_ever() {
    use pacemark_report::{Page, render, render::find};
    let runs = [run(&SEED, true)];
    let names = ["run.json".to_owned()];
    let document = reported::report(&Genai, &runs, &names, &[]);
    let said = render(&document, find("table").unwrap(), &Page::default());
    assert_eq!(said.matches("thresholds").count(), 1, "{said}");
    assert_eq!(said.matches("none beyond noise").count(), 1, "{said}");
    assert!(said.contains("over the whole process"), "what no verdict says: {said}");
    let json = render(&document, find("json").unwrap(), &Page::default());
    assert!(json.contains("\"thresholds\"") && json.contains("\"beyond_noise\""), "{json}");
    let own = render(&Genai.document(&runs[0], &[]), find("table").unwrap(), &Page::default());
    let facts: Vec<&str> = own.lines().take(2).collect();
    assert!(facts[0].starts_with("grade ") && facts[1].starts_with("trend "), "{own}");
}
