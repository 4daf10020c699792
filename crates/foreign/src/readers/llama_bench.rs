//! llama-bench's `-o json` and `-o jsonl`, and those of `pacemark bench`, which have its fields.
//!
//! `test::get_fields` and the printers of tools/llama-bench (llama.cpp, 2026-09): parameters, means
//! and, for each repetition, `samples_ns`.

use super::{lacking, run};
use crate::field::Fields;
use crate::{ForeignError, Reader};
use jiff::Timestamp;
use pacemark_record::{Model, Run, Sample, Trial};
use serde_json::Value;

pub(super) const READER: Reader = Reader {
    name: "llama-bench",
    help: "llama-bench -o json or jsonl",
    lacks: |value| lacking(value, &["n_prompt", "n_gen", "samples_ns"]),
    read,
};

/// What a test is run with is everything but this.
const NO_PARAMETERS: &[&str] = &[
    "build_commit",
    "build_number",
    "cpu_info",
    "gpu_info",
    "backends",
    "model_filename",
    "model_type",
    "model_size",
    "model_n_params",
    "test_time",
    "avg_ns",
    "stddev_ns",
    "avg_ts",
    "stddev_ts",
    "samples_ns",
    "samples_ts",
];

/// The last of llama-bench's own parameters; behind it stand figures, also those of ours.
const LAST_PARAMETER: &str = "n_depth";

fn read(file: &Fields<'_>) -> Result<Run, ForeignError> {
    let tests = file.documents()?;
    let mut run = run(tests.iter().map(trial).collect::<Result<_, _>>()?);
    if let Some(test) = tests.first() {
        run.env.cpu_model = Some(test.get("cpu_info").text()?.trim().to_owned());
        run.env.cpu_model = run.env.cpu_model.filter(|name| !name.is_empty());
        run.env.commit = test.get("build_commit").text()?.to_owned();
        run.env.build_number = test.get("build_number").count()?.unwrap_or(0);
        run.env.started_unix_s = started(test)?;
    }
    Ok(run)
}

fn trial(test: &Fields<'_>) -> Result<Trial, ForeignError> {
    let Value::Object(fields) = test.value() else { return test.wrong("an object") };
    let own = fields.get("backend").is_some();
    let sample = |ns: f64| Sample { elapsed_ns: ns as u64, ..Sample::default() };
    let samples: Vec<Sample> = test.get("samples_ns").numbers()?.into_iter().map(sample).collect();
    let end = fields.keys().position(|name| name == LAST_PARAMETER).unwrap_or(fields.len());
    let parameters = fields.iter().take(end + 1);
    let parameters = parameters.filter(|(name, _)| !NO_PARAMETERS.contains(&name.as_str()));
    let (commit, number) = (test.get("build_commit").text()?, test.get("build_number").count()?);
    let tool = if own { "Pacemark" } else { "llama.cpp" };
    Ok(Trial {
        experiment: "throughput".to_owned(),
        started_unix_s: started(test)?,
        model: Model {
            path: test.get("model_filename").text()?.to_owned(),
            model_type: test.get("model_type").text()?.to_owned(),
            bytes: test.get("model_size").count()?.unwrap_or(0),
            n_params: test.get("model_n_params").count()?.unwrap_or(0),
            backend: test.get("backends").text()?.to_owned(),
            engine: format!("{tool} {commit} ({})", number.unwrap_or(0)),
            ..Model::default()
        },
        params: parameters.map(|(name, value)| (name.clone(), value.clone())).collect(),
        repetitions: samples.len(),
        measured: samples.into(),
        ..Trial::default()
    })
}

fn started(test: &Fields<'_>) -> Result<u64, ForeignError> {
    let time = test.get("test_time").text()?.parse::<Timestamp>();
    Ok(time.ok().and_then(|time| u64::try_from(time.as_second()).ok()).unwrap_or(0))
}
