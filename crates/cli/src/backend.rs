//! `--backend` of commands that run a model in one backend, and refusals of what only others do.

use crate::commands::{check_backends, write_needed};
use crate::exit::UsageError;
use crate::hub;
use anyhow::{Result, anyhow};
use pacemark_backend::Backend;
use pacemark_backends::{BackendEntry, Chosen, native};
use pacemark_setup::{Offload, Setup};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Which engine runs the model.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct BackendArgs {
    /// The engine that runs the model: native, openvino or transformers (Python packages), openai (a server,
    /// in commands that have --url), or llama-cpp or openvino-capi in a build with that feature; `pacemark doctor` says which
    /// are usable here (auto: one that has a processor of graphics, else native)
    #[arg(long, value_name = "NAME", default_value = native::NAME)]
    backend: String,
    /// What `auto` came to, once somebody asked.
    #[arg(skip)]
    chosen: OnceCell<Choice>,
}

/// A backend that was chosen for the user.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    device: Option<String>,
    why: String,
}

/// The name of the backend that is chosen here.
pub(crate) const AUTO: &str = "auto";

impl BackendArgs {
    /// Its row of the table; a usage error where there is none, or this build left it out.
    pub(crate) fn entry(&self) -> Result<&'static BackendEntry, UsageError> {
        let name = match self.choice() {
            Some(choice) => choice.name.to_owned(),
            None => self.backend.clone(),
        };
        check_backends(&[name]).map(|entries| entries[0])
    }

    /// What `auto` comes to; told when it is first asked for.
    fn choice(&self) -> Option<&Choice> {
        (self.backend == AUTO).then(|| self.chosen.get_or_init(Choice::make))
    }

    /// `offload` with the device that was chosen, where none was asked for.
    pub(crate) fn placed(&self, offload: Offload) -> Offload {
        match self.choice() {
            Some(choice) => choice.placed(offload),
            None => offload,
        }
    }

    /// What the record is to say of the choice.
    pub(crate) fn notes(&self) -> Option<String> {
        self.choice().map(Choice::told)
    }
}

impl Choice {
    /// Makes it, and tells it.
    pub(crate) fn make() -> Choice {
        let Chosen { entry, device, why } = pacemark_backends::auto();
        let choice = Choice { name: entry.name, device, why };
        eprintln!("note: {}", choice.told());
        choice
    }

    /// `offload` with the device that was chosen, where none was asked for.
    pub(crate) fn placed(&self, offload: Offload) -> Offload {
        match (&self.device, &offload.devices) {
            (Some(device), None) => Offload { devices: Some(vec![device.clone()]), ..offload },
            _ => offload,
        }
    }

    /// What it is and why, for who reads the record.
    pub(crate) fn told(&self) -> String {
        let device = self.device.as_ref().map_or(String::new(), |device| format!(" -d {device}"));
        format!("--backend auto: {}{device}, because {}", self.name, self.why)
    }
}

/// Whether it is Pacemark's own engine, which commands may ask for more than a backend's trait has.
pub(crate) fn is_native(entry: &BackendEntry) -> bool {
    entry.name == native::NAME
}

/// A model in a backend. A synthetic one is written to a file for those that read files only, which is
/// removed when it is loaded.
pub(crate) fn load(entry: &BackendEntry, path: &Path, setup: &Setup) -> Result<Box<dyn Backend>> {
    let load = entry.load.map_err(|why| anyhow!("{}: {why}", entry.name))?;
    let mut paths: HashMap<String, PathBuf> =
        [(path.display().to_string(), path.to_owned())].into();
    let _written = write_needed(&[entry.name.to_owned()], &mut paths, hub::Cache::from_env)?;
    let path = paths.values().next().map_or(path, PathBuf::as_path);
    // The error of a library names the file.
    load(path, setup, &mut |_, _| {}).map_err(|error| anyhow!(error))
}

/// That a flag asks for what a backend does not do.
pub(crate) fn refusal(flag: &str, entry: &BackendEntry, why: &str) -> UsageError {
    UsageError(format!("{flag}: not with --backend {}: {why}", entry.name))
}

/// Refuses `--kv` where all keys and values are kept.
pub(crate) fn check_policy(entry: &BackendEntry, kv: Option<&str>) -> Result<(), UsageError> {
    match kv {
        Some(_) if !entry.kv_policies => {
            Err(refusal("--kv", entry, "it keeps all keys and values"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_backends::find;

    #[test]
    fn names_that_there_are_not_and_backends_that_were_left_out_are_refused() {
        let entry =
            |name: &str| BackendArgs { backend: name.into(), chosen: OnceCell::new() }.entry();
        assert!(entry("native").is_ok_and(is_native));
        let unknown = entry("vllm").err().unwrap().to_string();
        assert!(unknown.starts_with("--backend vllm: there is no such backend"), "{unknown}");
        match entry("llama-cpp") {
            Ok(entry) => assert!(cfg!(feature = "llama-cpp") && !is_native(entry)),
            Err(error) => {
                let error = error.to_string();
                assert!(error.ends_with("build with --features llama-cpp"), "{error}");
            }
        }
    }

    #[test]
    fn policies_are_for_backends_that_have_them() {
        let (native, other) = (find("native").unwrap(), find("llama-cpp").unwrap());
        assert!(
            check_policy(native, Some("recent:4")).is_ok() && check_policy(other, None).is_ok()
        );
        assert_eq!(
            check_policy(other, Some("recent:4")).unwrap_err().to_string(),
            "--kv: not with --backend llama-cpp: it keeps all keys and values"
        );
    }
}
