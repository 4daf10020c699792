//! The laboratory as a service: benchmarks as jobs over HTTP, beside a server that answers requests.
//!
//! `job` is what is asked for and what becomes of it, `jobs` the queue that runs one after the other and
//! `kept` what of them outlives the process; `rest` are the routes, `events` a job's progress as it comes, and `pages`
//! all of it in a browser.
//! What a benchmark is, how it is measured and shown, is left to a [`Runner`], which is the binary's.

mod events;
mod job;
mod jobs;
mod kept;
mod pages;
mod rest;

pub use job::{Job, Progress, Status, TestType, Wanted};
pub use jobs::{Jobs, Limits};
pub use rest::annex;

use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Why a job cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such model.
    #[error("{0}")]
    Model(String),
    /// A setting means nothing, or asks for what cannot be.
    #[error("{0}")]
    Settings(String),
}

/// A file of a job's results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// Its type, e.g. `text/csv; charset=utf-8`.
    pub content_type: &'static str,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Who measures.
pub trait Runner: Send + Sync {
    /// Names of the models that may be asked for.
    fn models(&self) -> Vec<String>;

    /// Whether there is something that can be measured.
    ///
    /// # Errors
    /// Where the model is not there, or a setting is wrong.
    fn check(&self, wanted: &Wanted) -> Result<(), Refusal>;

    /// Measures, and keeps in `folder` what was measured after each part of it; returns at its end, or
    /// soon after `stop` was set.
    ///
    /// # Errors
    /// Why it did not come to its end.
    fn run(&self, wanted: &Wanted, folder: &Path, stop: &AtomicBool) -> Result<(), String>;

    /// How far it is; `None` before it has begun.
    fn progress(&self, folder: &Path) -> Option<Progress>;

    /// Names of the formats of results.
    fn formats(&self) -> Vec<&'static str>;

    /// What was measured until now, in that format, which is one of [`Runner::formats`].
    ///
    /// # Errors
    /// Where nothing was, or it cannot be shown so.
    fn results(&self, folder: &Path, format: &str) -> Result<Results, String>;
}
