//! What the steps of a suite came to: figures by part, under the names that a benchmark guide's reports
//! have for them, each with its interval.

use super::models::Model;
use super::plan::Step;
use super::state::State;
use pacemark_bench::EXPERIMENTS;
use pacemark_bench::experiment::find;
use pacemark_record::stats::{self, CONFIDENCE, Interval};
use pacemark_record::{Run, Trial, figures};
use std::path::Path;

/// A figure of a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    /// Its name, the unit last.
    pub name: String,
    pub value: Option<f64>,
    pub interval: Option<Interval>,
    /// Tables for people show it.
    pub is_shown: bool,
}

/// A trial of a step, and its figures.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// What tells it from the step's other trials; empty where it is the only one.
    pub name: String,
    pub values: Vec<Value>,
}

/// A step with what came of it.
#[derive(Clone, Debug)]
pub(super) struct Row<'s> {
    pub step: &'s Step,
    pub found: Vec<Found>,
    /// Why there is nothing.
    pub missing: Option<String>,
}

/// Bytes of what reports call GB: 2^30, as the tools do that they come from.
pub(super) const GB: f64 = (1u64 << 30) as f64;

/// All steps of a model, in order; of no model where that is empty.
pub(super) fn rows<'s>(state: &'s State, model: &Model, folder: &Path) -> Vec<Row<'s>> {
    let of_model = state.steps.iter().filter(|step| step.model == model.name);
    of_model.map(|step| row(state, step, folder)).collect()
}

fn row<'s>(state: &'s State, step: &'s Step, folder: &Path) -> Row<'s> {
    let done = state.done.iter().find(|done| done.id == step.id);
    let missing = match (&step.skipped, done) {
        (Some(why), _) => Some(why.clone()),
        (None, None) => Some("not measured".to_owned()),
        (None, Some(done)) => done.error.clone(),
    };
    let run = state.record(step, folder);
    let missing = missing.or_else(|| run.is_none().then(|| "its record cannot be read".into()));
    let found = run.map_or_else(Vec::new, |run| found(&run));
    Row { step, found, missing }
}

/// Every trial with its figures, under names that tell them apart.
fn found(run: &Run) -> Vec<Found> {
    let name = |trial: &Trial| {
        let experiment = find(EXPERIMENTS, &trial.experiment);
        let name = experiment.map_or_else(|| trial.test_name(), |e| e.row_name(run, trial));
        let several = run.trials.iter().any(|other| other.model.backend != trial.model.backend);
        let state = trial.params.get("page_cache").and_then(|state| state.as_str());
        let parts = [Some(name.as_str()), several.then_some(&trial.model.backend), state];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let alone = run.trials.len() == 1;
    let found = run.trials.iter().map(|trial| Found {
        name: if alone { String::new() } else { name(trial) },
        values: values(trial),
    });
    found.filter(|found| !found.values.is_empty()).collect()
}

/// The figures of a trial.
fn values(trial: &Trial) -> Vec<Value> {
    match trial.experiment.as_str() {
        "throughput" if trial.count("n_gen") > 0 && trial.count("n_prompt") > 0 => latency(trial),
        "load" => load(trial),
        "batched" => batch(trial),
        "cold" => memory(trial),
        name => find(EXPERIMENTS, name).map_or_else(Vec::new, |experiment| {
            let metrics = experiment.metrics();
            let found = figures(metrics, trial).into_iter().zip(metrics);
            let value =
                |(figure, metric): (pacemark_record::Figure, &pacemark_record::Metric)| Value {
                    name: metric.name(),
                    value: figure.value,
                    interval: figure.interval,
                    is_shown: metric.in_tables,
                };
            found.map(value).filter(|value| value.value.is_some()).collect()
        }),
    }
}

/// The mean of a sample, with its interval.
fn mean(name: &str, sample: &[f64]) -> Value {
    let interval = stats::mean_interval(sample, CONFIDENCE);
    Value { name: name.to_owned(), value: stats::mean(sample), interval, is_shown: true }
}

fn single(name: impl Into<String>, value: Option<f64>) -> Value {
    Value { name: name.into(), value, interval: None, is_shown: true }
}

fn latency(trial: &Trial) -> Vec<Value> {
    let samples = trial.samples();
    let ttft: Vec<f64> =
        samples.iter().filter_map(|s| s.ttft_ns).map(|ns| ns as f64 / 1e6).collect();
    let rate = |gaps: &Vec<u64>| {
        let ns: u64 = gaps.iter().sum();
        (ns > 0).then(|| gaps.len() as f64 * 1e9 / ns as f64)
    };
    let rates: Vec<f64> = samples.iter().filter_map(|s| rate(&s.gaps_ns)).collect();
    let e2e: Vec<f64> = samples.iter().map(|s| s.elapsed_ns as f64 / 1e6).collect();
    vec![mean("ttft_ms", &ttft), mean("tokens_per_second", &rates), mean("e2e_latency_ms", &e2e)]
}

fn load(trial: &Trial) -> Vec<Value> {
    let source = trial.token_source();
    let answered = || trial.answered();
    let ms = |ns: u64| ns as f64 / 1e6;
    let ttft: Vec<f64> = answered().filter_map(|r| r.ttft_ns()).map(ms).collect();
    let e2e: Vec<f64> = answered().filter_map(|r| r.total_ns()).map(ms).collect();
    let rates: Vec<f64> = answered()
        .filter_map(|r| r.tpot_ns(source))
        .map(|ns| 1e9 / ns)
        .filter(|r| r.is_finite())
        .collect();
    let mut sorted = e2e.clone();
    sorted.sort_by(f64::total_cmp);
    let p99 = stats::supported_quantile(&sorted, 0.99, CONFIDENCE);
    let within = stats::quantile_interval(&sorted, 0.99, CONFIDENCE);
    vec![
        single("requests_per_second", trial.request_rate(answered().count())),
        single("total_tokens_per_second", trial.output_rate_total()),
        mean("ttft_ms", &ttft),
        mean("tokens_per_second", &rates),
        mean("avg_latency_ms", &e2e),
        Value {
            name: "p99_latency_ms".to_owned(),
            value: p99,
            interval: within.map(|(low, high)| Interval { low, high }),
            is_shown: true,
        },
        single("failed_requests", Some(trial.requests().len() as f64 - answered().count() as f64)),
    ]
}

/// Tokens generated by all sequences over the whole time, their prompts' included.
fn batch(trial: &Trial) -> Vec<Value> {
    let n_tokens = (trial.n_parallel() * trial.count("n_gen")) as f64;
    let rates: Vec<f64> =
        trial.samples().iter().map(|s| n_tokens * 1e9 / s.elapsed_ns.max(1) as f64).collect();
    vec![mean("total_tokens_per_second", &rates)]
}

fn memory(trial: &Trial) -> Vec<Value> {
    use pacemark_bench::cold::{COLD_TTFT, INFERENCE, KV, LOAD_MEMORY, PEAK};
    let gb = |name: &str, bytes: Vec<f64>| {
        mean(name, &bytes.iter().map(|bytes| bytes / GB).collect::<Vec<_>>())
    };
    vec![
        gb("model_load_gb", (LOAD_MEMORY.of)(trial)),
        gb("inference_delta_gb", (INFERENCE.of)(trial)),
        gb("peak_gb", (PEAK.of)(trial)),
        gb("kv_cache_gb", (KV.of)(trial)),
        mean("cold_ttft_ms", &(COLD_TTFT.of)(trial)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::Sample;

    #[test]
    fn latency_by_hand() {
        let sample = Sample {
            elapsed_ns: 300_000_000,
            ttft_ns: Some(100_000_000),
            gaps_ns: vec![50_000_000; 4],
            ..Sample::default()
        };
        let mut trial = Trial { measured: vec![sample; 6].into(), ..Trial::default() };
        trial.experiment = "throughput".into();
        trial.params.insert("n_prompt".into(), 8.into());
        trial.params.insert("n_gen".into(), 5.into());
        let found: Vec<_> =
            values(&trial).into_iter().map(|v| (v.name, v.value.unwrap())).collect();
        let expected = [("ttft_ms", 100.0), ("tokens_per_second", 20.0), ("e2e_latency_ms", 300.0)];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
        trial.experiment = "batched".into();
        trial.params.insert("n_parallel".into(), 3.into());
        assert_eq!(values(&trial)[0].value, Some(50.0), "15 tokens in 0.3 s");
    }
}
