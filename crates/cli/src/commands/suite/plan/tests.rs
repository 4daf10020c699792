//! Steps of suites, and what cannot be one.

use super::super::file::{self, Latency};
use super::super::settings::Settings;
use super::experiments::COMMANDS;
use super::*;
use pacemark_bench::EXPERIMENTS;

fn suite(text: &str) -> Suite {
    let tree = pacemark_yaml::parse("suite.yaml", text).unwrap();
    file::read("suite.yaml", &tree, &Settings::default(), &file::parts(&tree)).unwrap()
}

fn model(n_ctx: u64) -> Model {
    Model {
        name: "mine (8bit)".into(),
        of: "mine".into(),
        argument: "folder".into(),
        weights: vec!["--type".into(), "Q8_0".into()],
        n_ctx: Some(n_ctx),
        bytes: 1,
        changed_unix_s: None,
        note: None,
    }
}

#[test]
fn every_experiment_has_a_command_and_every_command_an_experiment() {
    let mut commands: Vec<&str> = COMMANDS.iter().map(|command| command.experiment).collect();
    let mut known: Vec<&str> = EXPERIMENTS.iter().map(|experiment| experiment.name()).collect();
    commands.sort_unstable();
    known.sort_unstable();
    assert_eq!(commands, known);
}

#[test]
fn steps_are_command_lines_that_are_understood() {
    let found = steps(&suite("{}"), &[model(4096)]).unwrap();
    let ids: Vec<&str> = found.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "001-latency-128-64-mine-8bit",
            "002-latency-128-128-mine-8bit",
            "003-latency-512-64-mine-8bit",
            "004-latency-512-128-mine-8bit",
            "005-memory-128-64-mine-8bit",
            "006-throughput-single-mine-8bit",
            "007-throughput-2-concurrent-mine-8bit",
            "008-throughput-4-concurrent-mine-8bit",
            "009-throughput-batch-of-1-mine-8bit",
            "010-throughput-batch-of-4-mine-8bit",
            "011-throughput-batch-of-8-mine-8bit",
        ]
    );
    let line = found[0].line.join(" ");
    let expected = "-pg 128,64 -r 10 --warmups 3 --backend native -m folder --type Q8_0";
    assert!(line.ends_with(expected), "{line}");
    let line = found[0].line_in(Path::new("/x"));
    assert!(line.contains(&"/x/steps/001-latency-128-64-mine-8bit.json".into()), "{line:?}");
}

#[test]
fn what_a_model_has_no_context_for_is_not_measured_and_says_so() {
    let suite = Suite {
        latency: Some(Latency {
            test_runs: 1,
            input_lengths: vec![100, 1000],
            output_lengths: vec![64],
            ..Latency::default()
        }),
        backends: vec!["native".into()],
        ..Suite::default()
    };
    let found = steps(&suite, &[model(1024)]).unwrap();
    assert_eq!(found[0].skipped, None);
    let why = found[1].skipped.as_deref().unwrap();
    assert!(why.contains("1065 tokens") && why.contains("1024"), "{why}");
}

#[test]
fn sweeps_are_steps_and_flags_are_those_of_the_command() {
    let text = "benchmark:\n  experiments:\n    - throughput: {n-gen: 0, sweep: {threads: [1, 2], \
                ubatch-size: [64, 128]}}\n    - doctor: {seconds: 0.1}\n    - kv: {repetitions: 1}\n";
    let found = steps(&suite(text), &[model(4096)]).unwrap();
    let whats: Vec<&str> = found.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(
        whats[..4],
        [
            "threads 1 ubatch-size 64",
            "threads 1 ubatch-size 128",
            "threads 2 ubatch-size 64",
            "threads 2 ubatch-size 128",
        ]
    );
    assert_eq!((found[4].part.as_str(), found[4].model.as_str()), ("doctor", ""));
    let line = found[5].line_in(Path::new("/x/suite-1"));
    let end: Vec<_> = line[line.len() - 4..].iter().map(|word| word.to_str().unwrap()).collect();
    assert_eq!(end, ["--output-dir", "/x/suite-1/steps/006-kv-2-mine-8bit", "--tag", "suite-1"]);
}

#[test]
fn what_is_no_experiment_or_no_flag_is_told_with_the_nearest() {
    for (asked, expected) in [
        ("thruput", "no experiment is called \"thruput\": throughput"),
        ("throughput: {treads: 2}", "`pacemark bench` has no flag treads, did you mean threads?"),
        ("throughput: {save: x.json}", "the suite says"),
        ("throughput: {n-gen: many}", "throughput: "),
        ("run", "expected a prompt or a file"),
        ("batched: {npl: 2, png: x.png}", "the suite says"),
        ("perplexity", "perplexity: the following required arguments"),
    ] {
        let text = format!("benchmark:\n  experiments:\n    - {asked}\n");
        let said = steps(&suite(&text), &[model(4096)]).unwrap_err().to_string();
        assert!(said.contains(expected), "{asked}: {said}");
    }
}

#[test]
fn no_two_steps_have_one_file() {
    let two = ["模型一", "模型二"].map(|name| Model { name: name.into(), ..model(4096) });
    let found = steps(&suite("{}"), &two).unwrap();
    let mut files: Vec<PathBuf> = found.iter().map(|step| step.record(Path::new("x"))).collect();
    files.sort();
    files.dedup();
    assert_eq!(files.len(), found.len());
}

#[test]
fn numbers_without_end_are_guessed_and_not_summed() {
    let most = "9007199254740991";
    // A command refuses what it cannot count; the plan itself does not overflow before that.
    let latency = format!(
        "benchmark:\n  latency: {{test_runs: {most}, input_lengths: {most}, output_lengths: {most}}}\n"
    );
    let said = steps(&suite(&latency), &[model(64)]).unwrap_err().to_string();
    assert!(said.starts_with("latency: ") && said.contains(most), "{said}");
    let throughput = format!(
        "benchmark:\n  throughput: {{concurrent_requests: {most}, tokens_per_request: {most}, \
         input_tokens: {most}, batch_sizes: []}}\n"
    );
    match steps(&suite(&throughput), &[model(64)]) {
        Ok(found) => assert!(found.iter().all(|step| step.skipped.is_some())),
        Err(error) => assert!(error.to_string().starts_with("throughput: "), "{error}"),
    }
}
