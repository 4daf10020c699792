//! The rows of latency, memory and throughput.

use super::super::file::Suite;
use super::super::models::Model;
use super::super::prompts;
use super::{Kind, Step, Work, words};

/// A row for each pair of lengths, and for each set of prompts.
pub(super) fn latency(suite: &Suite, model: &Model, steps: &mut Vec<Step>) {
    let Some(latency) = &suite.latency else { return };
    let (runs, warmups) = (latency.test_runs.to_string(), latency.warmup_runs.to_string());
    let backends = suite.backends.join(",");
    for input in &latency.input_lengths {
        for output in &latency.output_lengths {
            let pair = format!("{input},{output}");
            let line = words(&[
                "bench",
                "-p",
                "0",
                "-n",
                "0",
                "-pg",
                &pair,
                "-r",
                &runs,
                "--warmups",
                &warmups,
                "--backend",
                &backends,
            ]);
            let n = (latency.test_runs as f64 + latency.warmup_runs as f64)
                * suite.backends.len() as f64;
            let work =
                Work { n_prompt: n * *input as f64, n_gen: n * *output as f64, seconds: 2.0 };
            let step = Step::of(Kind::Lengths, format!("{input} + {output}"), model, line);
            steps.push(Step { work: Some(work), ..step }.within(&[*input, *output], model));
        }
    }
    for set in &latency.prompts {
        let texts = prompts::of(suite, set);
        let n_requests = latency.test_runs.saturating_mul(texts.len() as u64);
        let output = latency.output_lengths.first().copied().unwrap_or(64);
        let line = words(&[
            "load",
            "--concurrency",
            "1",
            "--requests",
            &n_requests.to_string(),
            "--warmup",
            &warmups,
            "--output-tokens",
            &output.to_string(),
        ]);
        let n = n_requests as f64 + latency.warmup_runs as f64;
        let longest = texts.iter().map(|text| text.len() as f64 / 3.0).fold(0.0, f64::max);
        let work = Work { n_prompt: n * longest, n_gen: n * output as f64, seconds: 3.0 };
        let step = Step::of(Kind::Prompts, format!("{set} prompts + {output}"), model, line);
        steps.push(Step { work: Some(work), prompts: Some(set.clone()), ..step });
    }
}

/// One row, in fresh processes.
pub(super) fn memory(suite: &Suite, model: &Model, steps: &mut Vec<Step>) {
    let Some(memory) = &suite.memory else { return };
    let (n_prompt, n_gen) = (128, 64);
    let line = words(&[
        "bench",
        "--cold",
        "--page-cache",
        "warm",
        "-p",
        "128",
        "-n",
        "64",
        "-r",
        &memory.test_runs.to_string(),
    ]);
    let n = memory.test_runs as f64;
    let work = Work { n_prompt: n * n_prompt as f64, n_gen: n * n_gen as f64, seconds: n };
    let step = Step::of(Kind::Memory, format!("{n_prompt} + {n_gen}"), model, line);
    steps.push(Step { work: Some(work), ..step }.within(&[n_prompt, n_gen], model));
}

/// A row for each number of requests, and of sequences in a batch.
pub(super) fn throughput(suite: &Suite, model: &Model, steps: &mut Vec<Step>) {
    let Some(throughput) = &suite.throughput else { return };
    let (input, output) = (throughput.input_tokens, throughput.tokens_per_request);
    let seconds = throughput.duration.as_secs_f64();
    for n in &throughput.concurrent_requests {
        let line = words(&[
            "load",
            "--concurrency",
            &n.to_string(),
            "--duration",
            &format!("{seconds}s"),
            "--input-tokens",
            &input.to_string(),
            "--output-tokens",
            &output.to_string(),
        ]);
        let what = if *n == 1 { "single".to_owned() } else { format!("{n} concurrent") };
        let step = Step::of(Kind::Concurrent(*n), what, model, line);
        let each = *n as f64;
        let work = Work {
            n_prompt: each * input as f64,
            n_gen: each * output as f64,
            seconds: seconds + 3.0,
        };
        steps.push(Step { work: Some(work), ..step }.within(&[input, output], model));
    }
    for n in &throughput.batch_sizes {
        let line = words(&[
            "bench",
            "-npl",
            &n.to_string(),
            "-npp",
            &input.to_string(),
            "-ntg",
            &output.to_string(),
        ]);
        let runs = 7.0;
        let work = Work {
            n_prompt: runs * *n as f64 * input as f64,
            n_gen: runs * output as f64,
            seconds: 2.0,
        };
        let step = Step::of(Kind::Batch(*n), format!("batch of {n}"), model, line);
        steps.push(Step { work: Some(work), ..step }.within(&[input, output], model));
    }
}
