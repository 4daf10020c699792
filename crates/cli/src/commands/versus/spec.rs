//! An engine and its settings, as `--engine` has them: `NAME[:KEY=VALUE,…]`.

use crate::exit::UsageError;
use crate::{machine, setup};
use pacemark_backends::BackendEntry;
use pacemark_files::excerpt;
use pacemark_load::Target;
use pacemark_setup::{CacheTypes, Offload, Precision, Secret, Server, Setup, Threads};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What can be set of an engine, and what it means.
const KEYS: &[(&str, &str)] = &[
    ("t", "threads [default: -t]"),
    ("dtype", "f32, bf16, f16, int8 or int4"),
    ("kv", "type of keys and values [default: f16]"),
    ("d", "device"),
    ("url", "the server's address, of openai"),
    ("served", "the model's name there"),
    ("as", "its name in the comparison"),
];

/// One engine under one setting. Keys of servers come from the environment alone, so that no record and
/// no command line has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spec {
    /// Its backend.
    pub(super) backend: String,
    /// Its name in the comparison.
    pub(super) name: String,
    threads: Option<usize>,
    dtype: Option<String>,
    kv: Option<String>,
    device: Option<String>,
    url: Option<String>,
    served: Option<String>,
}

/// How to write one.
pub(super) fn help() -> String {
    let keys: Vec<String> = KEYS.iter().map(|(key, help)| format!("  {key:7} {help}\n")).collect();
    format!("Settings of an engine (--engine NAME:KEY=VALUE,KEY=VALUE):\n{}", keys.concat())
}

impl Spec {
    /// The engine of that text.
    pub(super) fn parse(text: &str) -> Result<Spec, UsageError> {
        let wrong = |why: String| UsageError(format!("--engine {}: {why}", excerpt(text)));
        let (backend, settings) = text.split_once(':').unwrap_or((text, ""));
        let mut spec = Spec { backend: backend.into(), name: text.into(), ..Spec::default() };
        let (mut is_named, mut seen) = (false, Vec::new());
        for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
            let Some((key, value)) = setting.split_once('=').filter(|(_, value)| !value.is_empty())
            else {
                return Err(wrong(format!("expected KEY=VALUE, found {}", excerpt(setting))));
            };
            if seen.contains(&key) {
                return Err(wrong(format!("{}: given twice", excerpt(key))));
            }
            seen.push(key);
            let value = value.to_owned();
            match key {
                "t" => {
                    let n = value.parse().ok().filter(|n| (1..=512).contains(n));
                    let expected = || wrong(format!("t: expected 1 to 512 threads, found {value}"));
                    spec.threads = Some(n.ok_or_else(expected)?);
                }
                "dtype" if Precision::from_name(&value).is_none() => {
                    let names = Precision::ALL.map(Precision::name).join(", ");
                    return Err(wrong(format!("dtype: expected one of {names}, found {value}")));
                }
                "dtype" => spec.dtype = Some(value),
                "kv" => {
                    setup::any_type(&value).map_err(|why| wrong(format!("kv: {value}: {why}")))?;
                    spec.kv = Some(value);
                }
                "d" => spec.device = Some(value),
                "url" => {
                    let target =
                        Target::parse(&value).map_err(|why| wrong(format!("url: {why}")))?;
                    // What a query says may be a key.
                    if !is_named {
                        spec.name = spec.name.replace(&value, &target.url());
                    }
                    spec.url = Some(value);
                }
                "served" => spec.served = Some(value),
                "as" => (spec.name, is_named) = (value, true),
                other => {
                    let keys: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
                    let keys = keys.join(", ");
                    return Err(wrong(format!("{}: expected one of {keys}", excerpt(other))));
                }
            }
        }
        Ok(spec)
    }

    /// Its backend's row of the table; a usage error where there is none.
    pub(super) fn entry(&self) -> Result<&'static BackendEntry, UsageError> {
        crate::commands::backend(&self.backend)
            .map_err(|error| UsageError(error.to_string().replacen("--backend", "--engine", 1)))
    }

    /// How it loads and runs a model, where nothing is said with so many threads.
    pub(super) fn setup(&self, n_threads: usize) -> Result<Setup, UsageError> {
        let wrong = |why: String| UsageError(format!("--engine {}: {why}", self.name));
        let cache = match &self.kv {
            Some(name) => CacheTypes::both(setup::any_type(name).map_err(wrong)?),
            None => CacheTypes::default(),
        };
        let n_threads = self.threads.unwrap_or(n_threads);
        machine::note_threads("t", [n_threads]);
        let key = |name: &str| std::env::var(name).ok().filter(|key| !key.is_empty());
        let server = self.url.as_ref().map(|url| Server {
            model: self.served.clone(),
            api_key: key("PACEMARK_API_KEY").or_else(|| key("OPENAI_API_KEY")).map(Secret::new),
            ..Server::at(url)
        });
        let devices = self.device.clone().map(|device| vec![device]);
        let setup = Setup {
            threads: Threads::new(n_threads),
            cache,
            precision: self.dtype.as_deref().and_then(Precision::from_name),
            offload: Offload { devices, ..Offload::default() },
            server,
            ..Setup::default()
        };
        if self.url.is_none() && self.backend == pacemark_backends::openai::NAME {
            return Err(wrong("it asks a server: url=http://HOST:PORT".into()));
        }
        if self.url.is_some() && self.threads.is_some() {
            return Err(wrong("t: a server has the threads that it was started with".into()));
        }
        if self.served.is_some() && self.url.is_none() {
            return Err(wrong("served: it is a name at a server (url=…)".into()));
        }
        setup::check(self.entry()?, setup).map_err(|error| wrong(error.to_string()))
    }

    /// Whether another process computes, which somebody else started.
    pub(super) fn is_server(&self) -> bool {
        self.url.is_some()
    }
}

/// Of a list that was given, the engines; two of one name are refused.
pub(super) fn all(texts: &[String]) -> Result<Vec<Spec>, UsageError> {
    let specs: Vec<Spec> = texts.iter().map(|text| Spec::parse(text)).collect::<Result<_, _>>()?;
    for (i, spec) in specs.iter().enumerate() {
        if specs[..i].iter().any(|other| other.name == spec.name) {
            let why = "there twice; give one another name (as=…)";
            return Err(UsageError(format!("--engine {}: {why}", excerpt(&spec.name))));
        }
    }
    Ok(specs)
}

/// What one process is told to run.
#[derive(Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) spec: Spec,
    pub(super) file: PathBuf,
    pub(super) n_threads: usize,
    pub(super) task: Task,
}

/// What it is to do.
#[derive(Serialize, Deserialize)]
pub(super) enum Task {
    /// A prompt and its answer, then several at once.
    Run { n_prompt: usize, n_gen: usize, n_together: usize, seed: u64 },
    /// The perplexity of a text.
    Score { tokens: Vec<u32>, n_ctx: usize, max_chunks: usize, text: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_and_its_settings() {
        let spec = Spec::parse("openvino:dtype=f32,t=2,kv=f32,as=ov").unwrap();
        assert_eq!((spec.backend.as_str(), spec.name.as_str()), ("openvino", "ov"));
        let setup = spec.setup(1).unwrap();
        assert_eq!(setup.threads.per_token(), 2);
        assert_eq!(setup.precision, Some(Precision::F32));
        assert_eq!(setup.cache.names(), ["f32", "f32"]);
        let server = Spec::parse("openai:url=http://10.0.0.2:8000,served=smol").unwrap();
        assert_eq!(server.setup(1).unwrap().server.unwrap().url, "http://10.0.0.2:8000");
        assert!(server.is_server());
        let keyed = Spec::parse("openai:url=http://h:1/v1?api_key=sk-1").unwrap();
        assert!(!keyed.name.contains("sk-1"), "{}", keyed.name);
        assert_eq!(Spec::parse("native").unwrap().setup(3).unwrap().threads.per_token(), 3);
    }

    #[test]
    fn what_is_none_is_refused_by_name() {
        let cases = [
            ("native:x=1", "x: expected one of t, dtype, kv, d, url, served, as"),
            ("native:t=0", "t: expected 1 to 512 threads, found 0"),
            ("native:t", "expected KEY=VALUE, found t"),
            ("openvino:dtype=q4", "dtype: expected one of f32, bf16, f16, int8, int4, found q4"),
            ("native:kv=f12", "kv: f12: "),
            ("openai:url=ftp://a", "url: expected an address that begins with http"),
        ];
        for (text, words) in cases {
            let error = Spec::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("--engine ") && error.contains(words), "{error}");
        }
        let error = |text: &str| Spec::parse(text).unwrap().setup(1).unwrap_err().to_string();
        assert!(error("vllm").starts_with("--engine vllm: there is no such backend"));
        assert!(error("native:dtype=f32").contains("--dtype: weights are computed in the types"));
        assert!(
            error("native:url=http://a").contains("native"),
            "{}",
            error("native:url=http://a")
        );
        let twice = all(&["native".into(), "native".into()]).unwrap_err().to_string();
        assert!(twice.contains("native: there twice"), "{twice}");
        assert!(all(&["native".into(), "native:t=1".into()]).is_ok());
    }
}
