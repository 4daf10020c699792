//! The hub as the terminal sees it: its lines on stderr, its bar, the system's authorities, and a
//! wrong name as the usage error that it is.

use crate::exit::UsageError;
use crate::progress::Progress;
use anyhow::Result;
pub(crate) use pacemark_hub::{Cache, DEFAULT_MODEL, Here, HubError, name_in_cache, split_list};
use pacemark_hub::{Caller, Transfer};
use std::path::PathBuf;

/// The file of a model, which is pulled on first use.
pub(crate) fn resolve(model: &str) -> Result<PathBuf> {
    pacemark_hub::resolve(model, &Terminal).map_err(for_the_user)
}

/// The file of a dataset, which is pulled on first use.
pub(crate) fn dataset(name: &str) -> Result<PathBuf> {
    pacemark_hub::dataset(name, &Terminal).map_err(for_the_user)
}

/// What there is of a model; nothing is pulled.
pub(crate) fn here(model: &str) -> Result<Here> {
    pacemark_hub::here(model).map_err(for_the_user)
}

/// Gets a model into the cache, or checks the copy that is there.
pub(crate) fn pull(model: &str) -> Result<PathBuf> {
    pacemark_hub::pull(model, &Terminal).map_err(for_the_user)
}

fn for_the_user(error: HubError) -> anyhow::Error {
    match error {
        HubError::Name(text) => UsageError(text).into(),
        other => other.into(),
    }
}

struct Terminal;

impl Caller for Terminal {
    fn tell(&self, line: &str) {
        eprintln!("{line}");
    }

    fn transfer(&self, total: Option<u64>) -> Box<dyn Transfer> {
        Box::new(Progress::new(total))
    }

    /// Those that `load` trusts too: the system's, or the ones of `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR`.
    fn authorities(&self) -> Vec<Vec<u8>> {
        let found = pacemark_load::system_certificates().unwrap_or_else(|error| {
            eprintln!("warning: {error}; Mozilla's authorities are trusted instead");
            Vec::new()
        });
        found.iter().map(|certificate| certificate.to_vec()).collect()
    }
}

impl Transfer for Progress {
    fn start_at(&self, bytes: u64) {
        Progress::start_at(self, bytes);
    }

    fn set(&self, bytes: u64) {
        Progress::set(self, bytes);
    }
}
