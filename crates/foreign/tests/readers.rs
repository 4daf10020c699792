//! Results that other tools wrote (`data/make.sh`), and what is no such thing. The expected numbers
//! are those that the tools themselves say in the same files, or the mock server's own truth: a first
//! token after 50 ms, then one every 5 ms.

mod inputs;

use pacemark_foreign::{READERS, read};
use pacemark_record::{Measured, Run};
use serde_json::{Map, Value};

const LLAMA_BENCH: &str = include_str!("data/llama-bench.json");
const LLAMA_BENCH_LINES: &str = include_str!("data/llama-bench.jsonl");
const VLLM: &str = include_str!("data/vllm.json");
const VLLM_DETAILED: &str = include_str!("data/vllm-detailed.json");
const GUIDELLM: &str = include_str!("data/guidellm.json");
const AIPERF: &str = include_str!("data/aiperf.json");

fn of(text: &str, reader: &str) -> Run {
    let (found, run) = read(text).unwrap_or_else(|error| panic!("{reader}: {error}"));
    assert_eq!(found.name, reader);
    run
}

fn facts(run: &Run) -> &Map<String, Value> {
    match &run.trials[0].measured {
        Measured::Facts { facts } => facts,
        other => panic!("{}", other.kind()),
    }
}

fn mean(values: &Value) -> f64 {
    let values: Vec<f64> = values.as_array().unwrap().iter().flat_map(Value::as_f64).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-3 * b.abs()
}

#[test]
fn llama_benchs_repetitions() {
    let run = of(LLAMA_BENCH, "llama-bench");
    let told: Value = serde_json::from_str(LLAMA_BENCH).unwrap();
    assert_eq!(run.trials.len(), 2);
    for (trial, told) in run.trials.iter().zip(told.as_array().unwrap()) {
        let rates = trial.rates_ts();
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        assert!(rates.len() == 6 && close(mean, told["avg_ts"].as_f64().unwrap()), "{rates:?}");
        assert_eq!(trial.params["n_threads"], 1);
        assert!(!trial.params.contains_key("avg_ts") && trial.started_unix_s > 1_700_000_000);
        assert!(trial.model.engine.starts_with("llama.cpp ") && trial.model.bytes > 0);
    }
    assert_eq!([0, 1].map(|i| run.trials[i].test_name()), ["pp8", "tg4"]);
    assert!(run.env.cpu_model.is_some());
    let lines = of(LLAMA_BENCH_LINES, "llama-bench");
    assert_eq!(lines.trials.iter().map(|t| t.samples().len()).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn vllms_requests_and_summaries() {
    let (detailed, plain) = (of(VLLM_DETAILED, "vLLM"), of(VLLM, "vLLM"));
    let (each, told) = (facts(&detailed), facts(&plain));
    let told = |name: &str| told[name].as_f64().unwrap();
    for name in ["ttft_ms", "tpot_ms"] {
        assert_eq!(each[name].as_array().unwrap().len(), 23, "one of 24 failed");
        assert!(close(mean(&each[name]), told(&format!("{name}_mean"))), "{name}");
    }
    // Every chunk holds a token, which only the details show.
    assert!(close(mean(&each["itl_ms"]), told("icl_ms_mean")));
    assert_eq!((told("failed"), told("requests")), (1.0, 24.0));
    assert!(!facts(&plain).contains_key("ttft_ms") && !facts(&plain).contains_key("goodput"));
    let params = &plain.trials[0].params;
    assert_eq!((&params["model"], &params["concurrency"]), (&"mock".into(), &2.into()));
    assert!(!params.contains_key("rate"), "its word for no rate is no rate");
    // What `--append-result` writes.
    assert_eq!(of(&format!("{VLLM}{VLLM}"), "vLLM").trials.len(), 2);
}

#[test]
fn guidellms_requests_and_summaries() {
    let run = of(GUIDELLM, "GuideLLM");
    let facts = facts(&run);
    assert_eq!(run.trials[0].params["concurrency"], 2);
    for name in ["ttft_ms", "tpot_ms"] {
        let told = facts[&format!("{name}_mean")].as_f64().unwrap();
        assert!(close(mean(&facts[name]), told), "{name}: {} {told}", mean(&facts[name]));
    }
    let (ttft, tpot) = (mean(&facts["ttft_ms"]), mean(&facts["tpot_ms"]));
    assert!((50.0..60.0).contains(&ttft) && (4.5..5.5).contains(&tpot), "{ttft} {tpot}");
    assert_eq!(facts["requests"], 8.0);
}

#[test]
fn aiperfs_summaries() {
    let run = of(AIPERF, "AIPerf");
    let facts = facts(&run);
    let value = |name: &str| facts[name].as_f64().unwrap();
    assert!((50.0..60.0).contains(&value("ttft_ms_mean")), "{}", value("ttft_ms_mean"));
    assert!((4.5..5.5).contains(&value("tpot_ms_mean")), "{}", value("tpot_ms_mean"));
    assert!((180.0..220.0).contains(&value("decode_tps_mean")));
    assert!(facts.values().all(Value::is_number), "it has no request's own values");
    assert_eq!(run.trials[0].params["concurrency"], 2);
    let wrong = AIPERF.replacen("\"unit\": \"ms\"", "\"unit\": \"s\"", 1);
    let error = read(&wrong).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(".unit: expected ms, found \"s\""), "{error}");
}

#[test]
fn what_is_no_result_is_refused_by_name() {
    let refused = |text: &str| read(text).map(|(reader, _)| reader.name).unwrap_err().to_string();
    let unknown = refused("{\"a\": 1}");
    assert!(READERS.iter().all(|reader| unknown.contains(reader.name)), "{unknown}");
    assert!(unknown.contains("for llama-bench n_prompt is missing"), "{unknown}");
    for (text, why) in [
        ("", "no JSON: EOF"),
        ("pacemark", "no JSON: expected value"),
        (&LLAMA_BENCH[..LLAMA_BENCH.len() / 2], "no JSON: EOF"),
        ("{\"duration\": NaN}", "NaN and Infinity are no JSON"),
        ("{\"a\": 1}\n{\"a\": \n", "no JSON: EOF"),
    ] {
        assert!(refused(text).contains(why), "{text:.20}: {}", refused(text));
    }
    for (from, to, why) in [
        (
            "\"samples_ns\": [ ",
            "\"samples_ns\": [ -1, ",
            "[0].samples_ns[0]: expected a number from",
        ),
        ("\"samples_ns\": [ ", "\"samples_ns\": [ 1e300, ", "[0].samples_ns[0]: expected a number"),
        ("\"samples_ns\": [ ", "\"samples_ns\": [ \"x\", ", "expected a number from 0 to 10^18"),
        ("\"model_size\": ", "\"model_size\": 0.5, \"n\": ", "model_size: expected a whole number"),
        ("\"model_type\": ", "\"model_type\": 7, \"m\": ", "model_type: expected text, found 7"),
    ] {
        let wrong = LLAMA_BENCH.replacen(from, to, 1);
        assert!(refused(&wrong).contains(why), "{to}: {}", refused(&wrong));
    }
    assert!(refused(&format!("{}1{}", "[".repeat(500), "]".repeat(500))).contains("no JSON"));
}

#[test]
fn mutated_results_are_survived() {
    let all = [LLAMA_BENCH, LLAMA_BENCH_LINES, VLLM, VLLM_DETAILED, GUIDELLM, AIPERF];
    for text in all {
        for at in (0..text.len()).step_by(7) {
            inputs::result(&text.as_bytes()[..at]);
            for word in ["null", "[]", "{}", "-1", "1e999", "\""] {
                let rest = &text[(at + 3).min(text.len())..];
                inputs::result(format!("{}{word}{rest}", &text[..at]).as_bytes());
            }
        }
    }
}
