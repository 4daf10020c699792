//! Which backends a command asks for, and a model loaded in each of them.

use super::progress::Progress;
use crate::exit::UsageError;
use anyhow::{Context, Result, anyhow};
use pacemark_backend::Backend;
use pacemark_backends::native::{self, Cpus, KvType, KvTypes, Numa, Place};
use pacemark_backends::{BACKENDS, LoadOptions};
use pacemark_bench::{Params, Test};
use pacemark_record::env;
use serde_json::Value;
use std::path::Path;

/// What one load of a model serves.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Load {
    /// As it was typed.
    pub model: String,
    /// How.
    pub options: LoadOptions,
}

impl Load {
    /// What `test` needs, but for the room in the KV cache.
    pub(super) fn of(test: &Test) -> Load {
        let test = &test.params;
        let text =
            |name: &str| test.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let n_batch = count(test, "n_batch");
        let load_mode = text("load_mode");
        let flash_attn = test.get("flash_attn").and_then(Value::as_i64).filter(|&value| value >= 0);
        let options = LoadOptions {
            n_threads: count(test, "n_threads"),
            n_threads_batch: Some(count(test, "n_threads_batch")).filter(|&n| n > 0),
            n_batch,
            // llama.cpp's rule: a micro-batch is not larger than a batch.
            n_ubatch: count(test, "n_ubatch").min(n_batch),
            flash_attn: flash_attn.map(|value| value == 1),
            kv_types: (text("type_k"), text("type_v")),
            place: place(test),
            no_mmap: matches!(&*load_mode, "none" | "mlock"),
            mlock: matches!(&*load_mode, "mlock" | "mmap+mlock"),
            no_pack: test.get("repack").and_then(Value::as_bool) == Some(false),
            ..LoadOptions::default()
        };
        Load { model: text("model"), options }
    }
}

/// Where the threads of `test` run. Names and masks were checked when the command line was read.
fn place(test: &Params) -> Place {
    let text = |name: &str| test.get(name).and_then(Value::as_str);
    if let Some(numa) =
        text("numa").and_then(|name| Numa::ALL.into_iter().find(|numa| numa.name() == name))
    {
        return Place::Nodes(numa);
    }
    match text("cpu_mask")
        .and_then(|mask| Cpus::from_mask(mask).ok())
        .filter(|cpus| cpus.count() > 0)
    {
        Some(cpus) => Place::Mask {
            cpus,
            strict: test.get("cpu_strict").and_then(Value::as_bool) == Some(true),
        },
        None => Place::Anywhere,
    }
}

/// A whole-number parameter; 0 if there is none.
fn count(test: &Params, name: &str) -> usize {
    test.get(name).and_then(Value::as_u64).unwrap_or(0) as usize
}

/// Refuses names that there are not, and backends that this build has not.
pub(super) fn check(names: &[String]) -> Result<(), UsageError> {
    for name in names {
        let Some(entry) = pacemark_backends::find(name) else {
            let known: Vec<_> =
                BACKENDS.iter().map(|entry| format!("{} ({})", entry.name, entry.help)).collect();
            return Err(UsageError(format!(
                "--backend {name}: there is no such backend, only {}",
                known.join(", ")
            )));
        };
        if let Err(why) = entry.load {
            return Err(UsageError(format!("--backend {name}: {why}")));
        }
    }
    Ok(())
}

/// Refuses what only the native backend does where another is asked too, and a strict placement
/// without processors.
pub(super) fn check_native_only(backends: &[String], tests: &[Test]) -> Result<(), UsageError> {
    let others = backends.iter().find(|name| *name != native::NAME);
    for test in tests {
        let options = Load::of(test).options;
        if test.params.get("cpu_strict").and_then(Value::as_bool) == Some(true)
            && !matches!(options.place, Place::Mask { .. })
        {
            return Err(UsageError("--cpu-strict 1: it needs processors (-C MASK)".into()));
        }
        let what = match options {
            _ if others.is_none() => continue,
            LoadOptions { mlock: true, .. } => "--mlock: only the native backend locks its weights",
            LoadOptions { no_mmap: true, .. } => {
                "--no-mmap: only the native backend reads files without mapping them"
            }
            LoadOptions { no_pack: true, .. } => "--no-pack: only the native backend packs weights",
            LoadOptions { place: Place::Anywhere, .. } => continue,
            _ => {
                "-C, --numa: only the native backend places its threads; taskset places those of every backend"
            }
        };
        return Err(UsageError(what.into()));
    }
    Ok(())
}

/// Refuses pairs of KV types that the native backend, if it is among them, cannot read.
pub(super) fn check_kv_types(backends: &[String], tests: &[Test]) -> Result<(), UsageError> {
    if !backends.iter().any(|name| name == native::NAME) {
        return Ok(());
    }
    for test in tests {
        let kv_type =
            |name: &str| test.params.get(name).and_then(Value::as_str).and_then(KvType::from_name);
        if let (Some(k), Some(v)) = (kv_type("type_k"), kv_type("type_v")) {
            KvTypes::new(k, v).map_err(|error| UsageError(format!("-ctk, -ctv: {error}")))?;
        }
    }
    Ok(())
}

/// Loads a model in each of `backends`, with room for `n_seqs` sequences of `n_ctx` tokens.
pub(super) fn open(
    backends: &[String],
    load: &Load,
    path: &Path,
    (n_ctx, n_seqs): (usize, usize),
    progress: &Progress,
) -> Result<Vec<Box<dyn Backend>>> {
    let options = LoadOptions { n_ctx: Some(n_ctx), n_seqs, ..load.options.clone() };
    // Where this does not work, the peak is that of the whole process.
    env::reset_peak_rss();
    let mut opened = Vec::new();
    for name in backends {
        let entry = pacemark_backends::find(name).context("a backend of that name")?;
        let open = entry.load.map_err(|why| anyhow!("{name}: {why}"))?;
        let loaded = open(path, &options, &mut |done, of| {
            progress.say(&format!("loading {} ({name}): {done}/{of}", load.model));
        });
        // The error of a library names the file.
        let backend = loaded.map_err(|error| anyhow!(error))?;
        progress.warn(&backend.info().warnings);
        if progress.is_verbose() {
            tell(&*backend, &options);
        }
        opened.push(backend);
    }
    Ok(opened)
}

fn tell(backend: &dyn Backend, options: &LoadOptions) {
    let info = backend.info();
    let stages: Vec<_> = info
        .load
        .iter()
        .map(|(stage, time)| format!("{stage} {:.1} ms", time.as_secs_f64() * 1e3))
        .collect();
    eprintln!(
        "{}: {}, {}, {} threads, {}, n_ctx {}, n_seqs {}, n_ubatch {}, load: {}",
        info.model_path,
        info.model_type,
        info.engine,
        info.n_threads,
        if info.isa.is_empty() { "its own kernels" } else { &info.isa },
        info.n_ctx,
        info.n_seqs,
        options.n_ubatch,
        stages.join(", ")
    );
}
