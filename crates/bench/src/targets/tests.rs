//! Files of targets, right and wrong, and what they come to against runs.

use super::*;
use pacemark_record::{Sample, TargetVerdict::*};

/// The guide's whole file: what is not of targets is for whoever runs the benchmark.
const FILE: &str = "\
benchmark:
  latency: {warmup_runs: 3, input_lengths: [128, 512, 1024, 2048]}
  report: {output_dir: \"data/benchmarks\", format: \"json\"}
test_prompts:
  short:
    - \"What is the capital of France?\"
targets:
  gpt2:
    min_tokens_per_second: 5
    max_ttft_ms: 200
    max_memory_gb: 2
  qwen-7b-chat: {min_tokens_per_second: 30, max_ttft_ms: 500, max_memory_gb: 16}
";

/// A model of that file whose tokens come every 20 ms, the first after `ttft_ms`.
fn run(file: &str, ttft_ms: &[u64]) -> (String, Run) {
    let sample = |ttft: &u64| Sample {
        elapsed_ns: (ttft + 7 * 20) * 1_000_000,
        ttft_ns: Some(ttft * 1_000_000),
        gaps_ns: vec![20_000_000; 7],
        ..Sample::default()
    };
    let mut trial = Trial {
        experiment: "throughput".into(),
        measured: ttft_ms.iter().map(sample).collect::<Vec<_>>().into(),
        peak_rss_bytes: Some(1 << 30),
        ..Trial::default()
    };
    trial.model.path = format!("/models/{file}");
    trial.params.insert("n_prompt".into(), 64.into());
    trial.params.insert("n_gen".into(), 8.into());
    ("run.json".into(), Run { trials: vec![trial], ..Run::default() })
}

const NAMES: Names<'_> = Names { only: None, files: &|_| Vec::new() };

fn verdicts(text: &str, run: &(String, Run), names: &Names<'_>) -> Vec<(String, TargetVerdict)> {
    let targets = read("t.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    let outcome = judge(&targets, std::slice::from_ref(run), names);
    let judged = outcome.judged.iter();
    judged.map(|j| (j.target.figure.name().to_owned(), j.verdict)).collect()
}

#[test]
fn the_guides_file_is_judged_by_model() {
    let slow = run("gpt2.gguf", &[300, 310, 290, 305, 295, 300]);
    let found = verdicts(FILE, &slow, &NAMES);
    assert_eq!(
        found,
        [("ttft_ms".into(), Missed), ("decode_tps".into(), Met), ("peak_memory_gb".into(), Met)]
    );
    let outcome = judge(&read("t.yaml", FILE).unwrap(), &[slow], &NAMES);
    assert!(outcome.notes[0].contains("the targets of qwen-7b-chat were not judged"));
    let page = pacemark_report::render(
        &document(&outcome),
        pacemark_report::render::find("md").unwrap(),
        &pacemark_report::Page::default(),
    );
    assert!(page.contains("Failed: ttft_ms = 300 (target: at most 200) [pp64+tg8]"), "{page}");

    // A run of another model: nothing passes by itself.
    let other = run("other.gguf", &[100; 6]);
    assert_eq!(verdicts(FILE, &other, &NAMES), [("decode_tps".into(), NotMeasured)]);
    let only = Names { only: Some("gpt2"), ..NAMES };
    assert!(verdicts(FILE, &other, &only).iter().all(|(_, verdict)| *verdict == Met));
    let files = Names { files: &|name| vec![format!("other{}", &name[..0]) + ".gguf"], ..NAMES };
    assert_eq!(verdicts(FILE, &other, &files).len(), 6);
}

#[test]
fn any_figure_any_test() {
    let measured = run("m.gguf", &[480, 520, 470, 530, 490, 510]);
    for (text, expected) in [
        ("ttft_ms: {max: 600}", Met),
        ("ttft_ms: {min: 600}", Missed),
        ("ttft_ms: {max: 505, min: 3}", Undecided(None)),
        ("ttft_ms.p95: {max: 600}", Undecided(Some(53))),
        ("tpot_ms_p50: {max: 30}", Met),
        ("decode_tps: {min: 30, test: pp64+tg8}", Met),
        ("decode_tps: {min: 30, test: tg128}", NotMeasured),
        ("decode_tps: {min: 30, where: {n_prompt: 64}}", Met),
        ("decode_tps: {min: 30, where: {n_prompt: 65}}", NotMeasured),
        ("goodput: {min: 3}", NotMeasured),
        ("load_ms: {max: 3}", NotMeasured),
    ] {
        let found = verdicts(text, &measured, &NAMES);
        let same = match (found[0].1, expected) {
            // How many more depends on the interval.
            (Undecided(_), Undecided(None)) => true,
            (found, expected) => found == expected,
        };
        assert!(same && found.len() == 1, "{text}: {found:?}");
    }
    let two = "decode_tps: [{min: 30, test: pp64+tg8}, {min: 60, test: pp64+tg8}]";
    let found: Vec<_> = verdicts(two, &measured, &NAMES).into_iter().map(|(_, v)| v).collect();
    assert_eq!(found, [Missed, Met], "failures first");
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line() {
    let error = read(
        "t.yaml",
        "targets:\n  gpt2:\n    min_tokens_per_secnd: 5\n    max_ttft_ms: fast\n    max_memory_gb: [2]\n\
         \x20   ttft_ms: {maxx: 3}\n    tpot_ms: {min: 3, max: 2}\n    itl_ms.p99: 7\n  other: 3\n",
    );
    let error = error.unwrap_err().to_string();
    let expected = [
        "t.yaml:3: targets.gpt2.min_tokens_per_secnd: unknown metric \"tokens_per_secnd\", did you mean tokens_per_second?",
        "t.yaml:4: targets.gpt2.max_ttft_ms: expected a number, found \"fast\"",
        "t.yaml:6: targets.gpt2.ttft_ms: expected min or max, found neither",
        "t.yaml:6: targets.gpt2.ttft_ms.maxx: unknown key, did you mean max?",
        "t.yaml:7: targets.gpt2.tpot_ms: expected min below max, found 3 above 2",
        "t.yaml:8: targets.gpt2.itl_ms.p99: expected a table of keys, found 7",
        "t.yaml:9: targets.other: unknown metric \"other\", ",
    ];
    for expected in expected {
        assert!(error.contains(expected), "{expected}\n{error}");
    }
    assert_eq!(error.lines().count(), expected.len(), "{error}");
    assert!(read("t.yaml", "targets: {}").is_err() && read("t.yaml", "").is_err());
    assert!(read("t.yaml", "targets: [1]").is_err());
}

#[test]
fn junit_says_what_failed_and_holds_any_name() {
    let mut measured = run("a<b>&\"c\".gguf", &[300, 310, 290, 305, 295, 300]);
    measured.0 = "run \u{1}.json".into();
    let text = "ttft_ms: [{max: 200}, {max: 400}, {max: 301}]\nload_ms: {max: 3}\n";
    let outcome = judge(&read("t.yaml", text).unwrap(), &[measured], &NAMES);
    let xml = junit(&outcome, false);
    assert!(xml.contains("tests=\"4\" failures=\"1\" errors=\"2\" skipped=\"0\""), "{xml}");
    assert!(xml.contains("classname=\"a&lt;b&gt;&amp;&quot;c&quot;.gguf\""), "{xml}");
    assert!(
        xml.contains("message=\"ttft_ms = 300 (target: at most 200)\" type=\"missed\""),
        "{xml}"
    );
    assert!(xml.contains("name=\"run \u{fffd}.json\""), "{xml}");
    assert!(junit(&outcome, true).contains("errors=\"1\" skipped=\"1\""));
}
