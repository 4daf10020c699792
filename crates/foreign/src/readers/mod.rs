//! One file for each tool. Names of fields are those that the tool's own code writes; each file says
//! which version was read.

mod aiperf;
mod guidellm;
mod llama_bench;
mod vllm;

use crate::Reader;
use pacemark_record::{Env, Run};
use pacemark_record::{LOAD_EXPERIMENT, Measured, Model, SCHEMA, Trial};
use serde_json::{Map, Value};

/// Every tool, the one with the most particular marks first.
pub const READERS: &[Reader] =
    &[llama_bench::READER, aiperf::READER, guidellm::READER, vllm::READER];

/// The first documents of a file, all of which are of one kind.
fn first(value: &Value) -> &Value {
    match value {
        Value::Array(list) => list.first().unwrap_or(value),
        value => value,
    }
}

/// Which of these fields the first document has not got.
fn lacking(value: &Value, names: &[&str]) -> Option<String> {
    let missing = names.iter().find(|name| first(value).get(name).is_none())?;
    Some(format!("{missing} is missing"))
}

/// A run of these trials, of a machine that the tool says nothing of.
fn run(trials: Vec<Trial>) -> Run {
    Run { schema: SCHEMA, env: Env::default(), trials, ..Run::default() }
}

/// A row of a load: values by the names of our figures.
fn load(engine: String, params: Map<String, Value>, facts: Map<String, Value>) -> Trial {
    Trial {
        experiment: LOAD_EXPERIMENT.to_owned(),
        model: Model { engine, ..Model::default() },
        params,
        measured: Measured::Facts { facts },
        ..Trial::default()
    }
}
