//! Which backends a command asks for, and a model loaded in each of them.

use super::Args;
use super::progress::Progress;
use crate::backend::{AUTO, Choice};
use crate::exit::UsageError;
use crate::server;
use anyhow::{Result, anyhow};
use pacemark_backend::Backend;
use pacemark_backends::{BACKENDS, BackendEntry};
use pacemark_bench::{BenchError, Loader};
use pacemark_record::env;
use pacemark_setup::Setup;
use std::path::Path;

/// The backends of these names.
pub(super) fn named(names: &[String]) -> Result<Vec<&'static BackendEntry>, UsageError> {
    names.iter().map(|name| backend(name)).collect()
}

/// The backend of this name.
pub(crate) fn backend(name: &str) -> Result<&'static BackendEntry, UsageError> {
    pacemark_backends::find(name).ok_or_else(|| {
        let known: Vec<_> =
            BACKENDS.iter().map(|entry| format!("{} ({})", entry.name, entry.help)).collect();
        let known = known.join(", ");
        UsageError(format!("--backend {name}: there is no such backend, only {known}"))
    })
}

/// Puts the backend in the place of `auto`, if that is what was asked for.
pub(super) fn choose(args: &mut Args) -> Result<Option<Choice>, UsageError> {
    if args.backend != [AUTO] {
        return Ok(None);
    }
    if args.cold.cold {
        let why = "each process would choose anew, in the time that is measured: name one";
        return Err(UsageError(format!("--backend {AUTO}: not with --cold: {why}")));
    }
    let choice = Choice::make();
    args.backend = vec![choice.name.to_owned()];
    Ok(Some(choice))
}

/// The same; refuses backends that this build has not.
pub(crate) fn check(names: &[String]) -> Result<Vec<&'static BackendEntry>, UsageError> {
    let entries = named(names)?;
    for entry in &entries {
        if let Err(why) = entry.load {
            return Err(UsageError(format!("--backend {}: {why}", entry.name)));
        }
    }
    Ok(entries)
}

/// Loads a model in backends again and again, the first time with what there is to tell of it.
pub(super) struct Reload<'a> {
    pub(super) backends: &'a [&'static BackendEntry],
    pub(super) path: &'a Path,
    pub(super) setup: &'a Setup,
    /// Those that were loaded to begin with.
    pub(super) first: Option<Vec<Box<dyn Backend>>>,
}

impl Loader for Reload<'_> {
    fn n_backends(&self) -> usize {
        self.backends.len()
    }

    fn load(&mut self, order: &[usize]) -> Result<Vec<Box<dyn Backend>>, BenchError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let load = |index: &usize| {
            let entry = self.backends[*index];
            let BackendEntry { name, load, .. } = entry;
            let load = load.map_err(|why| BenchError::Machine(format!("{name}: {why}")))?;
            let loaded = load(self.path, &server::told(entry, self.setup), &mut |_, _| {});
            loaded.map_err(|error| BenchError::Machine(error.to_string()))
        };
        order.iter().map(load).collect()
    }
}

/// Loads `model`, which is at `path`, in each of `backends`.
pub(super) fn open(
    backends: &[&BackendEntry],
    (model, path): (&str, &Path),
    setup: &Setup,
    progress: &Progress,
) -> Result<Vec<Box<dyn Backend>>> {
    // Where this does not work, the peak is that of the whole process.
    env::reset_peak_rss();
    let mut opened = Vec::new();
    for entry in backends {
        let BackendEntry { name, load, .. } = entry;
        let load = load.map_err(|why| anyhow!("{name}: {why}"))?;
        let loaded = load(path, &server::told(entry, setup), &mut |done, of| {
            progress.say(&format!("loading {model} ({name}): {done}/{of}"));
        });
        // The error of a library names the file.
        let backend = loaded.map_err(|error| anyhow!(error))?;
        progress.warn(&backend.info().warnings);
        if progress.is_verbose() {
            tell(&*backend, setup);
        }
        opened.push(backend);
    }
    Ok(opened)
}

fn tell(backend: &dyn Backend, setup: &Setup) {
    let info = backend.info();
    let stages: Vec<_> = info
        .load
        .iter()
        .map(|(stage, time)| format!("{stage} {:.1} ms", time.as_secs_f64() * 1e3))
        .collect();
    // A server's are its own.
    let threads = match info.n_threads {
        0 => "threads unknown".to_owned(),
        n => format!("{n} threads"),
    };
    eprintln!(
        "{}: {}, {}, {}, {}, n_ctx {}, n_seqs {}, n_ubatch {}, load: {}",
        info.model_path,
        info.model_type,
        info.engine,
        threads,
        if info.isa.is_empty() { "its own kernels" } else { &info.isa },
        info.n_ctx,
        info.n_seqs,
        setup.n_step(),
        stages.join(", ")
    );
}
