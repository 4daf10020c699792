//! The laboratory beside a server: benchmarks as jobs, each a suite in a process of its own.

use super::Args;
use crate::commands::suite::job;
use crate::hub::Cache;
use pacemark_lab::{Jobs, Limits, Progress, Refusal, Results, Runner, Wanted};
use pacemark_modelfile::catalog::CATALOG;
use pacemark_server::Options;
use pacemark_server::annex::Annex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where these flags stand in the help.
const HEADING: &str = "Benchmarks over HTTP (docs/lab.md)";

/// What a server does for who wants something measured.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct JobArgs {
    /// No benchmarks over HTTP, and no pages
    #[arg(long, help_heading = HEADING)]
    no_jobs: bool,
    /// Measure while answers are computed too: neither is as fast as alone
    #[arg(long, conflicts_with = "no_jobs", help_heading = HEADING)]
    jobs_beside_answers: bool,
    /// Benchmarks that may wait for their turn; more get 429
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "no_jobs", help_heading = HEADING)]
    max_jobs: usize,
    /// Where they are kept, with all that was measured [default: jobs, beside the models]
    #[arg(long, value_name = "DIR", conflicts_with = "no_jobs", help_heading = HEADING)]
    jobs_dir: Option<PathBuf>,
}

impl JobArgs {
    /// Their routes; none where they are not wanted or cannot be kept, which is said.
    pub(super) fn annex(
        &self,
        args: &Args,
        options: &Options,
        reached_by_others: bool,
    ) -> Option<Annex> {
        // A server that a program started for itself measures for nobody else, and goes on with no job.
        if self.no_jobs || args.until_eof {
            return None;
        }
        let folder = match (&self.jobs_dir, Cache::from_env()) {
            (Some(folder), _) => folder.clone(),
            (None, Ok(cache)) => cache.home().join("jobs"),
            (None, Err(error)) => {
                eprintln!("warning: no benchmarks over HTTP: {error}");
                return None;
            }
        };
        let limits = Limits {
            max_queued: self.max_jobs,
            beside_answers: self.jobs_beside_answers,
            takes_jobs: !reached_by_others || !options.api_keys.is_empty(),
        };
        let served = args.mock.is_none().then(|| args.model.clone());
        let runner = Suites { names: options.model_names.clone(), served };
        let warn = |why: String| eprintln!("warning: benchmarks over HTTP: {why}");
        let jobs = Jobs::open(&folder, Arc::new(runner), limits, warn);
        // Where the history cannot be, its pages say that there is none.
        let history = crate::history::place().unwrap_or_default();
        Some(pacemark_lab::annex(Arc::new(jobs), history))
    }
}

/// Jobs as suites.
struct Suites {
    /// What the served model is called.
    names: Vec<String>,
    /// What its `-m` was; none of a mock.
    served: Option<String>,
}

impl Suites {
    /// What `-m` takes for a name.
    fn source(&self, name: &str) -> Option<String> {
        match self.names.iter().any(|own| own == name) {
            true => self.served.clone(),
            false => job::source(name),
        }
    }
}

impl Runner for Suites {
    fn models(&self) -> Vec<String> {
        let own = self.names.iter().filter(|_| self.served.is_some()).cloned();
        let others = CATALOG.iter().map(|model| model.name.to_owned());
        let here = others.filter(|name| !self.names.contains(name) && job::is_here(name));
        own.chain(here).collect()
    }

    fn check(&self, wanted: &Wanted) -> Result<(), Refusal> {
        let name = &wanted.model_name;
        let Some(source) = self.source(name) else {
            let name = pacemark_files::excerpt(name);
            let known = self.models().join(", ");
            return Err(Refusal::Model(format!(
                "there is no model {name} here: known are {known}, names of `pacemark models list` whose files are here, and synth: shapes"
            )));
        };
        job::check(wanted, &source)
    }

    fn run(&self, wanted: &Wanted, folder: &Path, stop: &AtomicBool) -> Result<(), String> {
        let source = self.source(&wanted.model_name).ok_or("its model is not here any more")?;
        job::run(wanted, &source, folder, stop).map_err(|error| format!("{error:#}"))
    }

    fn progress(&self, folder: &Path) -> Option<Progress> {
        job::progress(folder)
    }

    fn formats(&self) -> Vec<&'static str> {
        job::formats()
    }

    fn results(&self, folder: &Path, format: &str) -> Result<Results, String> {
        job::results(folder, format).map_err(|error| format!("{error:#}"))
    }
}
