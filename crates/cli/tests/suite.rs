//! `pacemark suite` through the real binary: a whole suite, its reports, that it goes on after it was
//! killed, and what is refused.

mod binary;
mod folder;

use folder::Folder;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A suite of a tiny model that is over soon. Its targets are kept by the widest of intervals: five
/// runs on a busy machine may have one that begins at 0.
const SMALL: &str = "models: {tiny: MODEL}
benchmark:
  latency: {warmup_runs: 1, test_runs: 5, input_lengths: [8, 4096], output_lengths: [3]}
  memory: {test_runs: 1, measure_kv_cache: false}
  throughput: {concurrent_requests: [1, 2], tokens_per_request: 4, input_tokens: 8, duration_seconds: 0.3,
    batch_sizes: [2]}
  experiments:
    - throughput: {n_prompt: 8, n-gen: 0, repetitions: 2, no-roof: true, sweep: {threads: [1, 2]}}
    - doctor: {seconds: 0.01, threads: 1}
    - fit: {prove: true, repetitions: 1, ctx-size: 16}
  report: {format: [json, csv]}
targets:
  tiny: {min_tokens_per_second: 0, max_ttft_ms: 1000000, max_memory_gb: 100}
  other: {max_ttft_ms: 1}
";

/// A folder with a suite; results go to `out` in it.
fn folder(name: &str, suite: &str) -> Folder {
    let folder = Folder::new(name, "llama");
    let model = folder.0.join("model.gguf").display().to_string();
    std::fs::write(folder.0.join("suite.yaml"), suite.replace("MODEL", &model)).unwrap();
    folder
}

fn line(folder: &Folder, more: &str) -> String {
    let path = |name: &str| folder.0.join(name).display().to_string();
    format!("suite {} --output-dir {} {more}", path("suite.yaml"), path("out")).trim().to_owned()
}

/// The folder of the one suite that there is.
fn results(folder: &Folder) -> PathBuf {
    let mut found = std::fs::read_dir(folder.0.join("out")).unwrap();
    let first = found.next().unwrap().unwrap().path();
    assert!(found.next().is_none(), "one suite, one folder");
    first
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_whole_suite_and_its_reports() {
    let folder = folder("suite", SMALL);
    let rows = folder.json(&line(&folder, "-o json"));
    let rows = rows.as_array().unwrap();
    let of = |part: &str| rows.iter().filter(|row| row["part"] == part).count();
    assert!(of("latency") >= 4 && of("memory") >= 4 && of("throughput") >= 10, "{rows:?}");
    let out = results(&folder);
    let report = json(&out.join("report.json"));
    for keys in [
        "/model_name",
        "/timestamp",
        "/system_info/cpu",
        "/system_info/ram_gb",
        "/latency/ttft_ms",
        "/latency/tokens_per_second",
        "/latency/e2e_latency_ms",
        "/memory/model_load_gb",
        "/memory/inference_delta_gb",
        "/memory/peak_gb",
        "/throughput/single_request_tps",
        "/throughput/concurrent_2_rps",
        "/throughput/batch_2_tps",
    ] {
        assert!(report.pointer(keys).is_some_and(|value| !value.is_null()), "{keys}: {report}");
    }
    assert_eq!(report["model_name"], "tiny");
    assert!(report.pointer("/memory/kv_cache_gb").is_none(), "it was not asked for");
    let low = report["latency"]["ttft_ms_ci95"][0].as_f64().unwrap();
    assert!(low <= report["latency"]["ttft_ms"].as_f64().unwrap());
    let why = report["not_measured"]["002-latency-4096-3-tiny"].as_str().unwrap();
    assert!(why.contains("context"), "{why}");
    let settings = report["settings"].as_array().unwrap();
    let from = |key: &str| settings.iter().find(|s| s["key"] == key).unwrap()["from"].clone();
    assert_eq!(from("benchmark.latency.test_runs"), "file");
    assert_eq!(from("benchmark.memory.measure_peak"), "default");
    assert_eq!(from("benchmark.report.output_dir"), "flag");
    let csv = std::fs::read_to_string(out.join("report.csv")).unwrap();
    let head = csv.lines().next().unwrap();
    assert!(
        head.starts_with("model_name,timestamp,") && head.contains("latency.ttft_ms"),
        "{head}"
    );
    assert_eq!(csv.lines().count(), 2);
    let swept = report["experiments"].as_array().unwrap();
    let of: Vec<&str> = swept.iter().filter_map(|row| row["of"].as_str()).collect();
    let expected = &["threads 1", "threads 2"][..];
    assert!(of.starts_with(expected), "an experiment of a part's name is one still: {of:?}");
    let proved = swept.iter().find(|row| row["experiment"] == "fit").unwrap();
    assert!(proved["measured_decode_ts"].as_f64().is_some(), "its process was told: {proved}");
    // Each step's record is one that can be shown.
    let steps = out.join("steps");
    let shown = steps.join("008-throughput-0-threads-2-tiny.json").display().to_string();
    assert_eq!(folder.json(&format!("show {shown} -o json"))[0]["n_threads"], 2);
}

#[test]
fn targets_are_judged_by_the_part_that_they_are_of() {
    let folder = folder("suite-targets", SMALL);
    let quick = "--set latency.input_lengths=8 --set throughput.concurrent_requests=[] \
                 --set throughput.batch_sizes=[] --set experiments=[] -o md";
    let quick = quick.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = folder.pacemark(&line(&folder, &quick));
    let text = String::from_utf8_lossy(&said.stdout);
    assert_eq!(said.status.code(), Some(0), "{text}");
    for expected in ["decode_tps", "peak_memory_gb", "met", "not measured: other"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let missed = format!("{quick} --set targets.tiny.min_tokens_per_second=1e9");
    let said = folder.pacemark(&line(&folder, &missed));
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.code() == Some(3) && text.contains("Failed: decode_tps"), "{text}");
    let wrong = format!("{quick} --set targets.tiny.min_token_per_secnd=1");
    let (code, said) = folder.failure(&line(&folder, &wrong));
    assert!(code == 2 && said.contains("unknown metric"), "{said}");
    let others = format!("{quick} --set targets=null --set targets.other.max_ttft_ms=1");
    let (code, said) = folder.failure(&line(&folder, &others));
    assert!(code == 3 && said.contains("no target is of a model"), "{said}");
}

#[test]
fn a_suite_that_was_killed_goes_on() {
    let folder = folder("suite-killed", SMALL);
    let mut child = binary::pacemark()
        .args(line(&folder, "-o csv").split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let done = || {
        let state = folder.0.join("out");
        let found = std::fs::read_dir(state).ok()?.next()?.ok()?.path().join("suite.json");
        let state: Value = serde_json::from_slice(&std::fs::read(found).ok()?).ok()?;
        Some(state["done"].as_array()?.len())
    };
    while done().unwrap_or(0) < 2 {
        assert!(began.elapsed() < Duration::from_secs(120), "nothing was measured");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = json(&results(&folder).join("suite.json"));
    let kept = before["done"].as_array().unwrap();
    let (code, said) = folder.failure(&line(&folder, "--resume --set latency.test_runs=6"));
    assert!(code == 2 && said.contains("benchmark.latency.test_runs was 5"), "{said}");
    let output = folder.pacemark(&line(&folder, "--resume -o json"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let after = json(&results(&folder).join("suite.json"));
    let all = after["done"].as_array().unwrap();
    assert_eq!(&all[..kept.len()], &kept[..], "what was done was not done again");
    let steps = after["steps"].as_array().unwrap();
    let skipped = steps.iter().filter(|step| !step["skipped"].is_null()).count();
    assert_eq!(all.len() + skipped, steps.len());
}

#[test]
fn names_that_no_file_can_have_keep_their_figures_apart() {
    let suite = "models: {模型一: MODEL, 模型二: \"synth:gpt2:Q4_0\"}\nbenchmark:\n  memory: {test_runs: 1}\n";
    let folder = folder("suite-names", suite);
    let rows = folder.json(&line(&folder, "-o json"));
    let peak = |model: &str| {
        let is = |row: &&Value| row["model"] == model && row["figure"] == "peak_gb";
        rows.as_array().unwrap().iter().find(is).unwrap()["value"].as_f64().unwrap()
    };
    assert!(peak("模型二") > 2.0 * peak("模型一"), "{rows}");
    let reports = std::fs::read_dir(results(&folder)).unwrap().flatten();
    let is_report = |name: &str| name.starts_with("report-") && name.ends_with(".json");
    let n = reports.filter(|file| is_report(&file.file_name().to_string_lossy())).count();
    assert_eq!(n, 2);
}

#[test]
fn one_suite_is_run_by_one_process() {
    let suite = "models: {tiny: MODEL}\nbenchmark:\n  throughput: {concurrent_requests: 1, \
                 duration_seconds: 20, input_tokens: 4, tokens_per_request: 4, batch_sizes: []}\n";
    let folder = folder("suite-locked", suite);
    let mut first = binary::pacemark()
        .args(line(&folder, "").split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let is_locked = || {
        let out = std::fs::read_dir(folder.0.join("out")).ok()?.next()?.ok()?;
        out.path().join("lock").exists().then_some(())
    };
    while is_locked().is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "the suite did not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (code, said) = folder.failure(&line(&folder, "--resume"));
    assert!(code == 2 && said.contains("another process"), "{said}");
    // What it started ends with it.
    first.kill().unwrap();
    first.wait().unwrap();
    let model = folder.0.join("model.gguf").display().to_string();
    let lives = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
            .any(|line| String::from_utf8_lossy(&line).contains(&model))
    };
    let killed = Instant::now();
    while lives() {
        assert!(killed.elapsed() < Duration::from_secs(30), "a step outlived its suite");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_plan_is_shown_and_nothing_is_measured() {
    let folder = folder("suite-plan", SMALL);
    let rows = folder.json(&line(&folder, "--dry-run -o json"));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 10);
    assert!(rows[0]["expected_s"].as_f64().is_some_and(|s| s >= 1.0), "{}", rows[0]);
    assert!(rows[1]["not_measured"].as_str().unwrap().contains("context"), "{}", rows[1]);
    assert!(rows[0]["command"].as_str().unwrap().starts_with("pacemark bench "), "{}", rows[0]);
    assert!(!folder.0.join("out").exists());
    let init = folder.pacemark("suite --init");
    std::fs::write(folder.0.join("suite.yaml"), &init.stdout).unwrap();
    let rows = folder.json(&line(&folder, "--dry-run -o json --model other=synth:gpt2:Q4_0"));
    assert!(rows[0]["step"].as_str().unwrap().ends_with("-other"), "{rows}");
}

#[test]
fn a_step_that_fails_costs_only_itself() {
    let suite = "models: {tiny: MODEL}\nbenchmark:\n  experiments:\n    - perplexity: {file: nowhere.txt, ctx-size: 64}\n    \
                 - doctor: {seconds: 0.01, threads: 1}\n";
    let folder = folder("suite-fails", suite);
    let output = folder.pacemark(&line(&folder, "-o json"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nowhere.txt") && said.contains("1 of 2 steps failed"), "{said}");
    let report = json(&results(&folder).join("report.json"));
    let why = report["not_measured"]["001-perplexity-0-tiny"].as_str().unwrap();
    assert!(why.contains("nowhere.txt"), "{why}");
    // It is tried again, and the rest is not.
    let words = "to be or not to be that is the ".repeat(400);
    std::fs::write(folder.0.join("nowhere.txt"), words).unwrap();
    let output = binary::pacemark()
        .current_dir(&folder.0)
        .args(line(&folder, "--resume -o json").split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_cannot_be_a_suite_is_refused_before_anything_runs() {
    let folder = folder("suite-refused", SMALL);
    let path = |name: &str| folder.0.join(name).display().to_string();
    for (name, text, expected) in [
        (
            "type",
            "benchmark: {latency: {test_runs: ten}}",
            ":1: benchmark.latency.test_runs: expected",
        ),
        ("key", "benchmark: {latenzy: {}}", "did you mean latency?"),
        ("twice", "backends: [native]\nbackends: [native]\n", "backends"),
        ("empty", "benchmark: {latency: {input_lengths: []}}", "nothing to measure"),
        ("model", "models: [gtp2]", "synth:gpt2"),
        ("anchor", "a: &a [x, x]\nb: [*a, *a]\n", "unknown key"),
        ("list", "- 1\n", "expected a table of keys"),
        ("models", "models: [gtp2, smolm2]", "gtp2"),
        ("models", "models: [gtp2, smolm2]", "\"smolm2\""),
        (
            "experiments",
            "benchmark:\n  experiments: [kvv, {kv: {x: 1}}]",
            "line 2: no experiment is called \"kvv\"",
        ),
        ("experiments", "benchmark:\n  experiments: [kvv, {kv: {x: 1}}]", "has no flag x"),
    ] {
        std::fs::write(folder.0.join(name), text).unwrap();
        let (code, said) = folder.failure(&format!("suite {}", path(name)));
        assert!(code == 2 && said.contains(expected), "{name}: {code} {said}");
    }
    for (more, expected) in [
        ("--set latency", "expected KEY=VALUE"),
        (
            "--set latency.test_run=3",
            "error: flags: benchmark.latency.test_run: unknown key, did you mean test_runs?",
        ),
        ("--resume", "there is no suite in"),
        ("--format xml", "expected one of json, csv"),
        ("--set quality.x=1", "quality"),
        ("-o jsn", "expected a format"),
        ("--model a=x --model a=y", "there twice"),
    ] {
        let (code, said) = folder.failure(&line(&folder, more));
        assert!(code == 2 && said.contains(expected), "{more}: {code} {said}");
    }
    let (code, said) = folder.failure("suite /nowhere/suite.yaml");
    assert!(code != 0 && said.contains("/nowhere/suite.yaml"), "{said}");
    assert!(!folder.0.join("out").exists());
}
