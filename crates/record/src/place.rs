//! Where in a record an error is. What a trial measured stands beside its other fields, so that
//! reading it as a whole tells of a mistake but not of its field; here the parts are read one by
//! one until the one that is wrong is found.

use crate::{
    Cold, Contender, Distances, Fit, Items, Quantized, Requests, Run, Sample, Scores, Texts, Tuned,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The fields of [`Measured::Repetitions`](crate::Measured).
#[derive(Deserialize)]
struct Repetitions {
    #[serde(rename = "samples")]
    _samples: Vec<Sample>,
}

/// The fields of [`Measured::Ladder`](crate::Measured).
#[derive(Deserialize)]
struct Ladder {
    #[serde(rename = "stage")]
    _stage: u64,
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "samples")]
    _samples: Vec<Sample>,
    #[serde(rename = "calls")]
    _calls: Vec<u64>,
}

/// The fields of [`Measured::Facts`](crate::Measured).
#[derive(Deserialize)]
struct Facts {
    #[serde(rename = "facts")]
    _facts: Map<String, Value>,
}

/// What is wrong with a run that cannot be read, and with which of its fields.
pub(crate) fn explain(run: &Value) -> String {
    let (path, why) = wrong::<Run>(run).unwrap_or_default();
    let trial = path.strip_prefix("trials[").and_then(|rest| rest.split(']').next());
    let trial = trial.and_then(|i| run.get("trials")?.get(i.parse::<usize>().ok()?));
    // A path that ends with the trial is of what it measured.
    match trial.filter(|_| path.ends_with(']')).and_then(within) {
        Some((field, why)) => format!("{path}.{field}: {why}"),
        None if path == "." => why,
        None => format!("{path}: {why}"),
    }
}

/// Where reading `value` as a `T` fails, and why.
fn wrong<T: DeserializeOwned>(value: &Value) -> Option<(String, String)> {
    let error = serde_path_to_error::deserialize::<_, T>(value).err()?;
    Some((error.path().to_string(), error.inner().to_string()))
}

fn within(trial: &Value) -> Option<(String, String)> {
    let kind = trial.get("measured")?;
    let Some(kind) = kind.as_str() else {
        return Some(("measured".to_owned(), "expected the name of a kind".to_owned()));
    };
    match kind {
        "requests" => wrong::<Requests>(trial),
        "scores" => wrong::<Scores>(trial),
        "texts" => wrong::<Texts>(trial),
        "distances" => wrong::<Distances>(trial),
        "quantized" => wrong::<Quantized>(trial),
        "contender" => wrong::<Contender>(trial),
        "tuned" => wrong::<Tuned>(trial),
        "items" => wrong::<Items>(trial),
        "cold" => wrong::<Cold>(trial),
        "fit" => wrong::<Fit>(trial),
        "repetitions" => wrong::<Repetitions>(trial),
        "ladder" => wrong::<Ladder>(trial),
        "facts" => wrong::<Facts>(trial),
        other => Some(("measured".to_owned(), format!("unknown kind `{other}`"))),
    }
    .filter(|(path, _)| path != ".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeviceUse, Measured, Request, SCHEMA, Trial};
    use serde_json::json;

    /// What is said of a record in which the value at `pointer` is `wrong`.
    fn said(measured: Measured, pointer: &str, wrong: Value) -> String {
        let trial = Trial { measured, devices: vec![DeviceUse::default()], ..Trial::default() };
        let run = Run { schema: SCHEMA, trials: vec![Trial::default(), trial], ..Run::default() };
        let mut run = serde_json::to_value(run).unwrap();
        *run.pointer_mut(pointer).unwrap() = wrong;
        Run::from_json(&run.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_its_field() {
        let sample = || Measured::from(vec![Sample::default()]);
        let requests = || Measured::from(vec![Request::default()]);
        let scores = || Measured::Scores(Scores::default());
        let texts = || Measured::Texts(Texts { texts: vec![Default::default()] });
        let fit = || Measured::Fit(Box::default());
        let ladder =
            || Measured::Ladder { stage: 1, name: "x".into(), samples: Vec::new(), calls: vec![1] };
        for (measured, pointer, wrong, expected) in [
            (
                sample(),
                "/trials/1/samples/0/elapsed_ns",
                json!(-1),
                "trials[1].samples[0].elapsed_ns: invalid value: integer `-1`",
            ),
            (
                sample(),
                "/trials/1/started_unix_s",
                json!("x"),
                "trials[1].started_unix_s: invalid type: string \"x\"",
            ),
            (
                sample(),
                "/trials/1/model/n_params",
                json!([]),
                "trials[1].model.n_params: invalid type",
            ),
            (
                sample(),
                "/trials/1/warmup/settled",
                json!(3),
                "trials[1].warmup.settled: invalid type",
            ),
            (
                requests(),
                "/trials/1/requests/0/sent_ns",
                json!({}),
                "trials[1].requests[0].sent_ns: invalid type: map",
            ),
            (requests(), "/trials/1/params", json!(7), "trials[1].params: invalid type"),
            (scores(), "/trials/1/n_ctx", json!(null), "trials[1].n_ctx: invalid type: null"),
            (texts(), "/trials/1/texts/0/held", json!([1]), "trials[1].texts[0].held"),
            (fit(), "/trials/1/memory/kv", json!(-1), "trials[1].memory.kv: invalid value"),
            (ladder(), "/trials/1/calls", json!([-1]), "trials[1].calls[0]: invalid value"),
            (
                sample(),
                "/trials/1/measured",
                json!("guesses"),
                "trials[1].measured: unknown kind `guesses`",
            ),
            (sample(), "/env/logical_cpus", json!("two"), "env.logical_cpus: invalid type"),
            (
                sample(),
                "/trials/1/devices",
                json!([{ "name": "A", "at": "B", "kind": "package", "samples": [{ "t_ns": -1 }] }]),
                "trials[1].devices[0].samples[0].t_ns: invalid value: integer `-1`",
            ),
            (sample(), "/schema", json!("two"), "schema: invalid type"),
        ] {
            let said = said(measured, pointer, wrong);
            assert!(said.contains(&format!("not a record of Pacemark: {expected}")), "{said}");
        }
    }
}
