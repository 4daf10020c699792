//! Files as people write them, and as they should not.

use super::*;
use serde_json::json;

/// A file's suite, or what is wrong with it.
fn suite(text: &str) -> Result<Suite, String> {
    let tree = pacemark_yaml::parse("suite.yaml", text).map_err(|error| error.to_string())?;
    read("suite.yaml", &tree, &Settings::default(), &parts(&tree))
        .map_err(|error| error.to_string())
}

#[test]
fn the_file_that_init_writes_holds_the_defaults() {
    let tree = pacemark_yaml::parse("init.yaml", INIT).unwrap();
    let settings = Settings::default();
    let init = read("init.yaml", &tree, &settings, &[]).unwrap();
    let models = vec![ModelEntry::named("smollm2-135m")];
    assert_eq!(init, Suite { models, ..suite("{}").unwrap() });
    // Every value of it is one that is read.
    let read: Vec<String> = settings.all().into_iter().map(|setting| setting.key).collect();
    assert!(read.contains(&"benchmark.throughput.duration_seconds".to_owned()), "{read:?}");
}

/// The configuration of the guide that suites grew from, word for word.
const GUIDE: &str = r#"
benchmark:
  latency:
    warmup_runs: 3        # 预热运行次数
    test_runs: 10         # 测试运行次数
    input_lengths: [128, 512, 1024, 2048]
    output_lengths: [64, 128, 256, 512]

  memory:
    measure_peak: true    # 测量峰值内存
    measure_kv_cache: true
    gc_before_measure: true

  throughput:
    concurrent_requests: [1, 2, 4, 8, 16]
    tokens_per_request: 100
    duration_seconds: 60
    batch_sizes: [1, 2, 4, 8]

  report:
    output_dir: "data/benchmarks"
    format: "json"        # json | csv
    include_system_info: true

targets:
  qwen-7b-chat:
    min_tokens_per_second: 30
    max_ttft_ms: 500
    max_memory_gb: 16
  gpt2:
    min_tokens_per_second: 5
    max_ttft_ms: 200
    max_memory_gb: 2

test_prompts:
  short:
    - "What is the capital of France?"
    - "Explain quantum computing briefly."
  medium:
    - "Explain the difference between machine learning and deep learning."
  long:
    - "Write a comprehensive guide on building a REST API..."
"#;

#[test]
fn the_guides_file_is_read_as_written() {
    let found = suite(GUIDE).unwrap();
    let latency = found.latency.unwrap();
    assert_eq!((latency.warmup_runs, latency.test_runs), (3, 10));
    assert_eq!(latency.input_lengths, [128, 512, 1024, 2048]);
    let throughput = found.throughput.unwrap();
    assert_eq!(throughput.duration, Duration::from_secs(60));
    assert_eq!(throughput.concurrent_requests, [1, 2, 4, 8, 16]);
    assert!(found.memory.unwrap().measure_peak && found.has_targets);
    assert_eq!(found.report.output_dir, "data/benchmarks");
    assert_eq!(found.prompts[0].1[0], "What is the capital of France?");
}

#[test]
fn a_part_that_is_named_is_meant_alone() {
    let found = suite("benchmark: {latency: {test_runs: 2}}").unwrap();
    assert!(found.latency.is_some() && found.memory.is_none() && found.throughput.is_none());
    let found = suite("benchmark: {report: {format: csv}}").unwrap();
    assert!(found.latency.is_some() && found.memory.is_some());
    let found = suite("benchmark: {experiments: [doctor]}").unwrap();
    assert!(found.latency.is_none() && found.experiments.len() == 1);
}

#[test]
fn models_have_names_and_quantizations() {
    let text =
        "models:\n  a: synth:gpt2\n  b: {source: x.gguf, quantization: [null, 8bit, 4bit]}\n  c:\n";
    let found = suite(text).unwrap().models;
    let sources: Vec<_> = found.iter().map(|m| (m.name.as_str(), m.source.as_str())).collect();
    assert_eq!(sources, [("a", "synth:gpt2"), ("b", "x.gguf"), ("c", "c")]);
    use Quantization::{AsItIs, Bits4, Bits8};
    assert_eq!(found[1].quantizations, [AsItIs, Bits8, Bits4]);
    assert_eq!(suite("models: [a, b]").unwrap().models.len(), 2);
}

#[test]
fn experiments_have_flags_and_sweeps() {
    let text = "benchmark:\n  experiments:\n    - throughput: {n_prompt: [512, 1024], no-roof: true, \
                sweep: {threads: [1, 2]}}\n    - doctor\n";
    let found = suite(text).unwrap().experiments;
    assert_eq!(found[0].flags[0], ("n-prompt".into(), vec!["512".into(), "1024".into()]));
    assert_eq!(found[0].flags[1], ("no-roof".into(), vec!["true".into()]));
    assert_eq!(found[0].sweep, [("threads".into(), vec!["1".into(), "2".into()])]);
    assert_eq!((found[0].line, found[1].experiment.as_str()), (3, "doctor"));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line_and_key() {
    for (text, expected) in [
        (
            "benchmark:\n  latency:\n    test_runs: ten\n",
            "suite.yaml:3: benchmark.latency.test_runs:",
        ),
        (
            "benchmark:\n  latency:\n    test_runs: -1\n",
            "expected a whole number from 0 on, found -1",
        ),
        ("benchmark:\n  latency:\n    test_runs: 0\n", "from 1 on, found 0"),
        ("benchmark:\n  latency:\n    test_run: 3\n", "did you mean test_runs?"),
        ("benchmark:\n  latency:\n    test_runs: 3\n    test_runs: 4\n", "test_runs"),
        ("benchmark:\n  memory:\n    gc_before_measure: false\n", "expected true"),
        ("benchmark:\n  memory:\n    measure_peak: 1\n", "expected true or false, found 1"),
        ("benchmark:\n  report:\n    format: xml\n", "expected one of json, csv, found \"xml\""),
        ("benchmark:\n  throughput:\n    duration_seconds: 0\n", "more than no time"),
        ("benchmark:\n  latency:\n    prompts: [tall]\n", "short, medium, long"),
        ("benchmark:\n  experiments: {}\n", "expected a list of experiments"),
        ("benchmarks: {}\n", "did you mean benchmark?"),
        ("models:\n  a: {quantization: 3bit}\n", "expected null, 8bit or 4bit"),
        ("backends: [gpu]\n", "native, llama-cpp"),
        ("backends: []\n", "at least one backend"),
        ("benchmark:\n  latency: {input_lengths: [16, 16]}\n", "found 16 twice"),
        ("test_prompts:\n  short: []\n", "test_prompts.short"),
        ("- a\n", "expected a table of keys"),
        ("a: &a [*a]\n", "suite.yaml:1"),
    ] {
        let said = suite(text).unwrap_err();
        assert!(said.starts_with("suite.yaml") && said.contains(expected), "{text}: {said}");
    }
    let both = suite("benchmark:\n  latency: {test_runs: 0, warmup_run: 1}\n").unwrap_err();
    assert!(both.contains("from 1 on") && both.contains("warmup_run"), "{both}");
    assert_eq!(json!(suite("{}").is_ok()), json!(true));
}
