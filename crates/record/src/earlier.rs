//! Records of earlier schemas, brought to today's as JSON before they are read.
//!
//! Schema 1 had no `measured`: what a trial was followed from the name of its experiment, and a
//! stage kept its number, its name and its calls among the parameters.

use crate::{LOAD_EXPERIMENT, STAGES_EXPERIMENT};
use serde_json::{Map, Value, json};

/// Brings a run of schema 1 to the present one. What is no run is left to the reader's errors.
pub(crate) fn bring_up(run: &mut Value) {
    // A list can stand for a struct of one field, so what said its schema may still be no object.
    let Some(run) = run.as_object_mut() else { return };
    run.insert("schema".to_owned(), json!(crate::SCHEMA));
    let trials = run.get_mut("trials").and_then(Value::as_array_mut);
    for trial in trials.into_iter().flatten().filter_map(Value::as_object_mut) {
        let kind = match trial.get("experiment").and_then(Value::as_str) {
            Some(LOAD_EXPERIMENT) => {
                trial.entry("requests").or_insert_with(|| json!([]));
                "requests"
            }
            Some(STAGES_EXPERIMENT) => {
                take_stage(trial);
                "ladder"
            }
            _ => "repetitions",
        };
        trial.insert("measured".to_owned(), kind.into());
    }
}

/// Moves a stage's results out of its parameters.
fn take_stage(trial: &mut Map<String, Value>) {
    let mut taken = Map::new();
    if let Some(params) = trial.get_mut("params").and_then(Value::as_object_mut) {
        for name in ["stage", "name", "calls"] {
            taken.extend(params.remove(name).map(|value| (name.to_owned(), value)));
        }
    }
    taken.entry("calls").or_insert_with(|| json!([]));
    trial.extend(taken);
}

#[cfg(test)]
mod tests {
    use crate::{Measured, Run};
    use serde_json::{Value, json};

    /// A record as schema 1 had it, with one trial.
    fn read(experiment: &str, params: Value, fields: Value) -> Measured {
        let mut trial = json!({
            "experiment": experiment, "started_unix_s": 0, "params": params, "repetitions": 1,
            "model": { "path": "", "model_type": "", "bytes": 0, "n_params": 0, "bytes_per_token": 0,
                "backend": "native", "device": "CPU", "isa": "", "load_ns": [] },
            "warmup": { "n_tokens": 0, "elapsed_ns": [], "settled": true },
            "samples": [], "peak_rss_bytes": null,
        });
        trial.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let env = json!({ "logical_cpus": 1, "version": "", "commit": "", "build_number": 0,
            "started_unix_s": 0 });
        let run = json!({ "schema": 1, "command": [], "env": env, "trials": [trial] });
        Run::from_json(&run.to_string()).unwrap().trials.remove(0).measured
    }

    #[test]
    fn what_schema_1_wrote_is_read() {
        let sample = json!({ "elapsed_ns": 7, "ttft_ns": null, "gaps_ns": [], "cached_tokens": 0 });
        let samples = json!({ "samples": [sample] });
        let found = read("throughput", json!({}), samples.clone());
        assert!(matches!(&found, Measured::Repetitions { samples } if samples[0].elapsed_ns == 7));
        let stage = json!({ "stage": 4, "name": "scheduler", "calls": [1, 2], "n_requests": 8 });
        let found = read("stages", stage, samples);
        assert!(
            matches!(&found, Measured::Ladder { stage: 4, name, samples, calls }
                if name == "scheduler" && samples.len() == 1 && calls == &[1, 2]),
            "{found:?}"
        );
        let found = read("load", json!({}), json!({ "cut_requests": 3 }));
        assert!(matches!(&found, Measured::Requests(load) if load.cut_requests == 3), "{found:?}");
    }
}
