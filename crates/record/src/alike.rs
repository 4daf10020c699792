//! Which trials of different runs measure the same thing: the same experiment of the same model under
//! the same parameters, by the same backend on a machine of the same kind.

use crate::{Env, Model, Run, Trial};
use serde_json::{Map, Value};

/// What two trials have in common whose figures may stand in one series. The build is not part of
/// it: what it changes is what one looks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Alike {
    /// Row of `bench::EXPERIMENTS`.
    pub experiment: String,
    /// Architecture, size and type of the model.
    pub model_type: String,
    /// Name of its file.
    pub file: String,
    /// Name of the backend.
    pub backend: String,
    /// Its place among the trials measured in turn: the second of two copies is not the first.
    pub turn: u64,
    /// The machine.
    pub machine: String,
    /// The parameters.
    params: Map<String, Value>,
}

impl Alike {
    /// Of a trial of that run.
    pub fn of(run: &Run, trial: &Trial) -> Alike {
        let mut params = trial.params.clone();
        for (name, value) in &mut params {
            let Some(text) = value.as_str() else { continue };
            match name.as_str() {
                "model" => *value = file_name(text).into(),
                "url" => *value = without_port(text).into(),
                _ => {}
            }
        }
        params.sort_keys();
        Alike {
            experiment: trial.experiment.clone(),
            model_type: trial.model.model_type.clone(),
            file: trial.model.file_name().to_owned(),
            backend: trial.model.backend.clone(),
            turn: trial.turn,
            machine: run.env.machine(),
            params,
        }
    }
}

impl Model {
    /// The last part of its path.
    pub fn file_name(&self) -> &str {
        file_name(&self.path)
    }
}

impl Env {
    /// The machine in a line: processor, how many of them, memory. Not its name, which a container
    /// has for an hour.
    pub fn machine(&self) -> String {
        let cpu = self.cpu_model.as_deref().unwrap_or("unknown processor");
        let gib = |bytes: u64| format!(", {} GiB", (bytes as f64 / (1u64 << 30) as f64).round());
        let memory = self.memory_limit_bytes.or(self.memory_bytes);
        format!("{cpu} x{}{}", self.logical_cpus, memory.map_or(String::new(), gib))
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(path)
}

/// A server on this machine has whatever port was free.
fn without_port(url: &str) -> &str {
    let local = ["://127.0.0.1", "://localhost", "://[::1]"].iter();
    let end = local.filter_map(|host| Some(url.find(host)? + host.len())).next();
    end.map_or(url, |end| &url[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trial(path: &str, params: Value) -> (Run, Trial) {
        let model = Model { path: path.to_owned(), ..Model::default() };
        let params = params.as_object().unwrap().clone();
        (Run::default(), Trial { model, params, ..Trial::default() })
    }

    fn is_alike(a: &(Run, Trial), b: &(Run, Trial)) -> bool {
        Alike::of(&a.0, &a.1) == Alike::of(&b.0, &b.1)
    }

    #[test]
    fn where_a_file_lies_and_how_parameters_stand_is_no_difference() {
        let here = trial("/home/a/m.gguf", json!({ "model": "/home/a/m.gguf", "n_threads": 2 }));
        let there = trial("m.gguf", json!({ "n_threads": 2, "model": "m.gguf" }));
        assert!(is_alike(&here, &there));
        let url = |url: &str| trial("", json!({ "url": url }));
        assert!(is_alike(&url("http://127.0.0.1:4711/v1"), &url("http://127.0.0.1:4712/v1")));
        assert!(!is_alike(&url("http://a:1/v1"), &url("http://a:2/v1")));
    }

    #[test]
    fn what_is_measured_and_where_is() {
        let one = trial("m.gguf", json!({ "n_threads": 2 }));
        assert!(!is_alike(&one, &trial("n.gguf", json!({ "n_threads": 2 }))));
        assert!(!is_alike(&one, &trial("m.gguf", json!({ "n_threads": 1 }))));
        let mut other = one.clone();
        other.0.env.logical_cpus = 64;
        assert!(!is_alike(&one, &other));
        other = one.clone();
        other.1.turn = 1;
        assert!(!is_alike(&one, &other));
        other = one.clone();
        other.0.env.commit = "later".into();
        assert!(is_alike(&one, &other), "another build is what is looked for");
    }

    #[test]
    fn a_machine_in_a_line() {
        let env = Env {
            cpu_model: Some("Some Processor".into()),
            logical_cpus: 2,
            memory_bytes: Some(25_200_000_000),
            ..Env::default()
        };
        assert_eq!(env.machine(), "Some Processor x2, 23 GiB");
        assert_eq!(Env::default().machine(), "unknown processor x0");
    }
}
