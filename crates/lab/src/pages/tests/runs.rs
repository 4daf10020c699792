//! Runs that nobody measured.

use pacemark_bench::EXPERIMENTS;
use pacemark_bench::experiment::find;
use pacemark_record::{Measured, Model, Request, Requests, Run, SCHEMA, Sample, Trial};
use pacemark_store::{KeptRun, Label};
use serde_json::{Value, json};

/// What the index says of a trial, as the binary says it.
pub(super) fn label(run: &Run, trial: &Trial) -> Label {
    let experiment = find(EXPERIMENTS, &trial.experiment);
    let Some(experiment) = experiment.filter(|experiment| experiment.reads(&trial.measured)) else {
        return Label { test: trial.test_name(), figure: None };
    };
    let value =
        experiment.headline().and_then(|metric| Some((metric.name(), metric.of(trial).value?)));
    Label { test: experiment.row_name(run, trial), figure: value }
}

fn trial(experiment: &str, measured: Measured, of: Value) -> Trial {
    let mut trial = Trial { experiment: experiment.into(), measured, ..Trial::default() };
    trial.params = of.as_object().unwrap().clone();
    trial.model.model_type = "llama 135M Q4_1".into();
    trial.model.path = "/models/smollm2-135m.gguf".into();
    trial.model.backend = "native".into();
    trial
}

fn run(number: u64, trials: Vec<Trial>) -> Run {
    let mut run = Run { schema: SCHEMA, trials, ..Run::default() };
    run.env.started_unix_s = 1_790_000_000 + number * 3600;
    run.env.commit = format!("c{number}");
    run.command = vec!["pacemark".into(), "bench".into()];
    run
}

/// Two tests, the first at so many tokens a second.
pub(super) fn throughput(number: u64, rate: f64) -> Run {
    run(number, vec![test(0, 16, rate), test(512, 0, 400.0)])
}

/// Ten tests of a model of its own, each with a new level after two hundred numbers.
pub(super) fn ten_tests(number: u64) -> Run {
    let noise = |of: u64| (number * 7919 + of * 104_729) % 1009;
    let level = [100.0, 90.0, 110.0][(number / 200 % 3) as usize];
    let of = |of: u64| Trial {
        model: Model { model_type: "qwen3 0.6B Q4_K_M".into(), ..Model::default() },
        ..test(0, 16 * (of + 1), level + noise(of) as f64 / 500.0)
    };
    run(number, (0..10).map(of).collect())
}

/// A prompt and an answer five times, at so many tokens a second.
fn test(n_prompt: u64, n_gen: u64, rate: f64) -> Trial {
    let sample = |i: u64| Sample {
        elapsed_ns: (1e9 * (n_prompt + n_gen) as f64 / (rate + 0.1 * i as f64)) as u64,
        ttft_ns: Some(9_000_000),
        gaps_ns: (1..n_gen).map(|i| 20_000_000 + i * 1000).collect(),
        ..Sample::default()
    };
    let samples: Vec<Sample> = (0..5).map(sample).collect();
    let of = json!({ "n_prompt": n_prompt, "n_gen": n_gen, "n_depth": 0, "n_threads": 2 });
    Trial { repetitions: 5, ..trial("throughput", samples.into(), of) }
}

/// A prompt, five times.
pub(super) fn genai(number: u64) -> Run {
    let request = |ms: u64| Request {
        started_ns: Some(0),
        prompt_tokens: Some(5),
        chunks_ns: (1..=4).map(|i| i * ms * 250_000).collect(),
        end_ns: ms * 1_000_000,
        output_usage: Some(4),
        ..Request::default()
    };
    let requests: Vec<Request> = [400, 410, 420, 405, 415].map(request).into();
    let first = trial("genai", requests.into(), json!({ "n_prompt": 5, "n_gen": 4 }));
    run(number, vec![Trial { repetitions: 5, ..first }])
}

/// A load of four streams.
pub(super) fn load(number: u64, n_requests: u64) -> Run {
    const MS: u64 = 1_000_000;
    let request = |i: u64| {
        let sent_ns = i / 4 * 400 * MS + i % 4 * 3 * MS;
        Request {
            scheduled_ns: sent_ns,
            sent_ns,
            chunks_ns: (0..40).map(|n| sent_ns + (50 + n * 8 + i % 5) * MS).collect(),
            end_ns: sent_ns + 380 * MS,
            output_usage: Some(40),
            prompt_usage: Some(16),
            prompt_tokens: Some(16),
            ..Request::default()
        }
    };
    let requests = (0..n_requests).map(request).collect();
    let measured = Measured::Requests(Requests { requests, ..Requests::default() });
    let of = json!({ "model": "smollm2-135m", "url": "http://127.0.0.1:80/v1", "input_lengths": "16",
        "output_lengths": "40", "concurrency": 4 });
    run(number, vec![trial("load", measured, of)])
}

/// Of an experiment that only a later version knows.
pub(super) fn later(number: u64) -> Run {
    run(number, vec![trial("later", vec![Sample::default()].into(), json!({}))])
}

pub(super) fn kept(run: &Run) -> KeptRun {
    KeptRun::of(run).unwrap()
}

/// Eight runs around 100, six around 90.
pub(super) fn two_levels() -> Vec<KeptRun> {
    let noise = [0.0, 0.7, -0.6, 0.3, -0.2, 0.5, -0.4, 0.1];
    let rate = |i: u64| if i < 8 { 100.0 } else { 90.0 } + noise[i as usize % 8];
    (0..14).map(|i| kept(&throughput(i, rate(i)))).collect()
}
